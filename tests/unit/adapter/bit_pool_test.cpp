#include "adapter/bit_pool.hpp"

#include <gtest/gtest.h>

#include <set>

namespace causeway::adapter {
namespace {

TEST(BitPool, HandsOutTheLowestFreeBit) {
    BitPool pool;
    EXPECT_EQ(pool.take(), 0u);
    EXPECT_EQ(pool.take(), 1u);
    EXPECT_EQ(pool.take(), 2u);
    pool.give_back(1);
    EXPECT_EQ(pool.taken(), 2u);
    EXPECT_EQ(pool.take(), 1u);
    EXPECT_EQ(pool.take(), 3u);
}

TEST(BitPool, HandsOutEveryBitOnceAndThenNone) {
    BitPool pool;
    std::set<std::uint32_t> seen;
    for (std::uint32_t i = 0; i < abi::kDoorbellBits; ++i)
        seen.insert(pool.take().value());
    EXPECT_EQ(seen.size(), abi::kDoorbellBits);
    EXPECT_LT(*seen.rbegin(), abi::kDoorbellBits);
    EXPECT_EQ(pool.take(), std::nullopt);
    pool.give_back(4095);
    EXPECT_EQ(pool.take(), 4095u);
}

}  // namespace
}  // namespace causeway::adapter
