#include "adapter/journal_check.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace causeway::adapter {
namespace {

// A daemon may die at any instruction of a copy, which need not go from the front to the back.
TEST(JournalCheck, AQueuePairWhoseTextsWereCutOffStays) {
    QueuePairCell cell{};
    cell.id = 7;
    cell.peer_id = 8;
    ASSERT_TRUE(sound(cell, 1));
    std::memcpy(cell.why, "the conn", 8);
    std::memcpy(cell.why + 20, "on", 2);
    EXPECT_TRUE(sound(cell, 1));
    std::memset(cell.why, 'x', sizeof cell.why);
    EXPECT_FALSE(sound(cell, 1)) << "it does not end";
}

}  // namespace
}  // namespace causeway::adapter
