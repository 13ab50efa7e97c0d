#include "adapter/policy.hpp"

#include <gtest/gtest.h>

namespace causeway::adapter {
namespace {

using abi::Executor;

Decision decide(const Party& from, const Party& to) {
    return DefaultPolicy().may_connect(from, to, "service");
}

TEST(DefaultPolicy, AllowsEveryConnectionAndNamesItsRule) {
    const auto rule = [](std::string_view from, std::string_view to) {
        const Decision decision = decide({"x", from}, {"y", to});
        EXPECT_TRUE(decision.allowed);
        EXPECT_LT(decision.rule.size(), abi::kNameSize) << "it is listed";
        EXPECT_LT(decision.direct_rule.size(), abi::kNameSize) << "it is listed";
        return decision.rule;
    };
    EXPECT_EQ(rule("", ""), "default: both by the open entrance");
    EXPECT_EQ(rule("a", "a"), "default: same entrance");
    EXPECT_EQ(rule("a", "b"), "default: between different entrances");
    EXPECT_EQ(rule("a", ""), "default: between different entrances");
}

TEST(DefaultPolicy, GrantsOnlyByTheOpenEntranceAndInOneUserNamespace) {
    EXPECT_TRUE(decide({"x", "", 7}, {"y", "", 7}).direct);
    EXPECT_FALSE(decide({"x", "", 7}, {"y", "", 8}).direct);
    EXPECT_FALSE(decide({"x", "", 0}, {"y", "", 0}).direct) << "unknown is not the same";
    EXPECT_FALSE(decide({"x", "a", 7}, {"y", "a", 7}).direct);
    EXPECT_FALSE(decide({"x", "", 7}, {"y", "a", 7}).direct);
    EXPECT_FALSE(decide({"x", "a", 7}, {"y", "", 7}).direct);
}

// Without a word from either side, memory is granted only where all of it was offered.
TEST(ChooseExecutor, TakesDirectWhereBothSidesAgree) {
    Decision decision;
    decision.direct = true;
    decision.direct_rule = "rule";
    const auto choose = [&](Executor from, bool exports_from, Executor to, bool exports_to) {
        const Choice choice = choose_executor(decision, {from, to, exports_from, exports_to});
        EXPECT_LT(choice.why.size(), abi::kNameSize) << "it is listed";
        EXPECT_FALSE(choice.why.empty());
        return choice.executor;
    };
    EXPECT_EQ(choose(Executor::any, true, Executor::any, true), Executor::direct);
    EXPECT_EQ(choose(Executor::any, false, Executor::any, true), Executor::adapter);
    EXPECT_EQ(choose(Executor::any, true, Executor::any, false), Executor::adapter);
    EXPECT_EQ(choose(Executor::direct, false, Executor::any, true), Executor::direct);
    EXPECT_EQ(choose(Executor::direct, false, Executor::direct, false), Executor::direct);
    EXPECT_EQ(choose(Executor::adapter, true, Executor::any, true), Executor::adapter);
    EXPECT_EQ(choose(Executor::any, true, Executor::adapter, true), Executor::adapter);
    // What one side insists on and the other does not have.
    EXPECT_EQ(choose(Executor::direct, true, Executor::adapter, true), Executor::any);
    EXPECT_EQ(choose(Executor::adapter, true, Executor::direct, true), Executor::any);
    EXPECT_EQ(choose(Executor::direct, true, Executor::any, false), Executor::any);
    decision.direct = false;
    EXPECT_EQ(choose(Executor::any, true, Executor::any, true), Executor::adapter);
    EXPECT_EQ(choose(Executor::direct, true, Executor::any, true), Executor::any);
}

}  // namespace
}  // namespace causeway::adapter
