#include "lab/contestants.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "lab/plan.hpp"

namespace causeway::bench {
namespace {

std::vector<std::string> ids(const std::vector<Contestant>& contestants) {
    std::vector<std::string> all;
    for (const Contestant& each : contestants)
        all.push_back(each.id);
    return all;
}

TEST(Contestants, HaveIdsOfTheirOwn) {
    const auto all = ids(all_contestants());
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
    EXPECT_THAT(all, ::testing::IsSupersetOf({"causeway-direct-send", "causeway-adapter-send",
                                              "unix", "pipe", "tcp", "ucx-tag", "ucx-put",
                                              "ucx-tag-tool", "ucx-put-tool", "fabric",
                                              "iceoryx-copy", "iceoryx-in-place", "zeromq"}));
}

TEST(Contestants, AreChosenByIdOrFamily) {
    EXPECT_THAT(ids(choose_contestants({"unix"})), ::testing::ElementsAre("unix", "unix-spin"));
    EXPECT_THAT(ids(choose_contestants({"unix-spin", "zeromq"})),
                ::testing::ElementsAre("unix-spin", "zeromq"));
    EXPECT_TRUE(choose_contestants({"uni"}).empty());
    EXPECT_EQ(choose_contestants({}).size(), all_contestants().size());
}

TEST(Contestants, TakePartWhereTheyCan) {
    const Contestant spinning = choose_contestants({"unix-spin"}).front();
    EXPECT_TRUE(spinning.takes_part(perf::Test::latency, 8, Waiting::spin));
    EXPECT_FALSE(spinning.takes_part(perf::Test::latency, 8, Waiting::block));
    const Contestant copier = choose_contestants({"limits-copy-cached"}).front();
    EXPECT_TRUE(copier.takes_part(perf::Test::bandwidth, 4096, Waiting::spin));
    EXPECT_FALSE(copier.takes_part(perf::Test::bandwidth, 4095, Waiting::spin));
    EXPECT_FALSE(copier.takes_part(perf::Test::latency, 4096, Waiting::spin));
}

TEST(LabPlan, AQuickRunIsAPartOfTheFullOne) {
    const auto full = make_groups({});
    const auto quick = make_groups({.extent = Extent::quick});
    EXPECT_LT(quick.size(), full.size() / 2);
    for (const Group& group : quick)
        EXPECT_EQ(std::count_if(full.begin(), full.end(),
                                [&](const Group& each) {
                                    return each.test == group.test && each.size == group.size &&
                                           each.waiting == group.waiting;
                                }),
                  1);
}

TEST(LabPlan, WishesRule) {
    const auto groups = make_groups(
        {.sizes = {100, 200}, .tests = {"rate", "wake"}, .touches = {perf::Touch::none}});
    ASSERT_EQ(groups.size(), 4u);
    EXPECT_EQ(groups[0].test, perf::Test::rate);
    EXPECT_EQ(groups[1].size, 200u);
    EXPECT_EQ(groups[2].test, perf::Test::latency);
    EXPECT_EQ(groups[2].waiting, Waiting::block);
    EXPECT_EQ(groups[3].touches, std::vector{perf::Touch::none});
}

}  // namespace
}  // namespace causeway::bench
