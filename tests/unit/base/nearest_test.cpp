#include "base/nearest.hpp"

#include <gtest/gtest.h>

namespace causeway {
namespace {

const std::vector<std::string> kKnown{"max_bytes", "max_regions", "movers"};

TEST(Nearest, FindsTheWordThatWasMeant) {
    EXPECT_EQ(nearest_word("max_byte", kKnown), "max_bytes");
    EXPECT_EQ(nearest_word("max_regoins", kKnown), "max_regions");
    EXPECT_EQ(nearest_word("movrs", kKnown), "movers");
    EXPECT_EQ(nearest_word("movers", kKnown), "movers");
}

TEST(Nearest, FindsNoneWhereNoneIsNear) {
    EXPECT_EQ(nearest_word("xyzzy", kKnown), "");
    EXPECT_EQ(nearest_word("", kKnown), "");
    EXPECT_EQ(nearest_word("movers", {}), "");
    EXPECT_EQ(nearest_word(std::string(1 << 20, 'm'), kKnown), "");
}

}  // namespace
}  // namespace causeway
