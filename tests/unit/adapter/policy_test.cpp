#include "adapter/policy.hpp"

#include <gtest/gtest.h>

namespace causeway::adapter {
namespace {

TEST(DefaultPolicy, AllowsEverythingThroughTheAdapterAndNamesItsRule) {
    const DefaultPolicy policy;
    const auto rule = [&policy](std::string_view from, std::string_view to) {
        const Decision decision =
            policy.may_connect({"x", from}, {"y", to}, "service", abi::Executor::any);
        EXPECT_TRUE(decision.allowed);
        EXPECT_EQ(decision.executor, abi::Executor::adapter);
        EXPECT_LT(decision.rule.size(), abi::kNameSize) << "it is listed";
        return decision.rule;
    };
    EXPECT_EQ(rule("", ""), "default: both by the open entrance");
    EXPECT_EQ(rule("a", "a"), "default: same entrance");
    EXPECT_EQ(rule("a", "b"), "default: between different entrances");
    EXPECT_EQ(rule("a", ""), "default: between different entrances");
}

}  // namespace
}  // namespace causeway::adapter
