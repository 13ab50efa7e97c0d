#include "base/assert.hpp"

#include <gtest/gtest.h>

#include <string>

namespace causeway {
namespace {

TEST(AssertDeathTest, PrintsExpressionAndPlace) {
    const int one = 1;
    EXPECT_DEATH(CW_ASSERT(one == 2), "assert_test\\.cpp:[0-9]+: assertion failed: one == 2");
}

TEST(AssertDeathTest, ALongExpressionIsCut) {
    const std::string longer(4000, 'x');
    EXPECT_DEATH(assert_failed(longer.c_str(), "file", 1), "file:1: assertion failed: x+");
}

TEST(Assert, LetsTrueThingsPassAndEvaluatesOnce) {
    int times = 0;
    CW_ASSERT(++times == 1);
    EXPECT_EQ(times, 1);
}

}  // namespace
}  // namespace causeway
