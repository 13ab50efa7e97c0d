#include "io/block/unit/fair_queue.hpp"

#include <gtest/gtest.h>

#include <map>

namespace causeway::io::block {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// Pops `count`; how often each party came. Items are named by their party.
std::map<std::uint32_t, int> turns(FairQueue& queue, int count) {
    std::map<std::uint32_t, int> got;
    for (int i = 0; i < count; ++i) {
        const auto item = queue.pop(0);
        if (!item)
            break;
        ++got[item->item];
    }
    return got;
}

TEST(FairQueue, IsEmptyAtFirst) {
    FairQueue queue;
    EXPECT_FALSE(queue.pop(0).has_value());
    EXPECT_TRUE(queue.empty());
    const auto party = queue.add({}, 0);
    EXPECT_FALSE(queue.pop(0).has_value());
    EXPECT_EQ(queue.next_moment(), UINT64_MAX);
    queue.remove(party);
    EXPECT_FALSE(queue.pop(0).has_value());
}

TEST(FairQueue, KeepsTheOrderOfOneParty) {
    FairQueue queue;
    const auto party = queue.add({}, 0);
    for (std::uint32_t i = 0; i < 100; ++i)
        queue.push(party, i, i * 1000);
    for (std::uint32_t i = 0; i < 100; ++i)
        EXPECT_EQ(queue.pop(0)->item, i);
}

TEST(FairQueue, AFloodDoesNotHoldUpOthers) {
    FairQueue queue;
    const auto flood = queue.add({}, 0);
    const auto other = queue.add({}, 0);
    for (int i = 0; i < 1000; ++i)
        queue.push(flood, 0, 4096);
    queue.push(other, 1, 4096);
    EXPECT_EQ(turns(queue, 3)[1], 1);
}

TEST(FairQueue, SharesBytesNotRequests) {
    FairQueue queue;
    const auto large = queue.add({}, 0);
    const auto small = queue.add({}, 0);
    for (int i = 0; i < 1000; ++i)
        queue.push(large, 0, 252 * 1024);  // 64 times as much with the cost of a request
    for (int i = 0; i < 10'000; ++i)
        queue.push(small, 1, 0);
    const auto got = turns(queue, 6500);
    EXPECT_NEAR(got.at(0), 100, 3);
}

TEST(FairQueue, AWeightIsAShare) {
    FairQueue queue;
    const auto light = queue.add({.weight = 1}, 0);
    const auto heavy = queue.add({.weight = 3}, 0);
    for (int i = 0; i < 1000; ++i) {
        queue.push(light, 0, 4096);
        queue.push(heavy, 1, 4096);
    }
    const auto got = turns(queue, 400);
    EXPECT_NEAR(got.at(1), 300, 4);
}

TEST(FairQueue, WhoPausedHasSavedNothing) {
    FairQueue queue;
    const auto a = queue.add({}, 0);
    const auto b = queue.add({}, 0);
    for (int i = 0; i < 500; ++i)
        queue.push(a, 0, 4096);
    (void)turns(queue, 400);
    for (int i = 0; i < 500; ++i)
        queue.push(b, 1, 4096);
    EXPECT_NEAR(turns(queue, 100).at(1), 50, 2);
}

TEST(FairQueue, LimitsRequestsPerSecond) {
    FairQueue queue;
    const auto party = queue.add({.requests = 100}, 0);
    for (int i = 0; i < 1000; ++i)
        queue.push(party, 0, 4096);
    int passed = 0;
    std::uint64_t now = 0;
    while (now < 2 * kSecond) {
        if (queue.pop(now)) {
            ++passed;
            continue;
        }
        ASSERT_GT(queue.next_moment(), now);
        ASSERT_LE(queue.next_moment(), now + kSecond / 50);
        now = queue.next_moment();
    }
    EXPECT_NEAR(passed, 210, 3);  // two seconds, and the tenth that was saved up
}

TEST(FairQueue, LimitsBytesPerSecondAlsoOfLongRequests) {
    FairQueue queue;
    const auto party = queue.add({.bytes = 1'000'000}, 0);
    for (int i = 0; i < 100; ++i)
        queue.push(party, 0, 500'000);  // more than is ever saved up
    int passed = 0;
    std::uint64_t now = 0;
    while (now < 10 * kSecond) {
        if (queue.pop(now))
            ++passed;
        else
            now = queue.next_moment();
    }
    EXPECT_NEAR(passed, 20, 2);
}

TEST(FairQueue, ALimitedPartyDoesNotHoldUpOthers) {
    FairQueue queue;
    const auto limited = queue.add({.requests = 1}, 0);
    const auto other = queue.add({}, 0);
    for (int i = 0; i < 10; ++i) {
        queue.push(limited, 0, 0);
        queue.push(other, 1, 0);
    }
    const auto got = turns(queue, 20);
    EXPECT_EQ(got.at(0), 1);
    EXPECT_EQ(got.at(1), 10);
    EXPECT_FALSE(queue.empty());
}

// One that is served in parts stays in front, and takes turns with the others.
TEST(FairQueue, PartsOfALongRequestTakeTurns) {
    FairQueue queue;
    const auto large = queue.add({}, 0);
    const auto small = queue.add({}, 0);
    queue.push(large, 0, 40'000);
    queue.push(large, 2, 100);
    for (int i = 0; i < 50; ++i)
        queue.push(small, 1, 4096);
    std::uint64_t bytes = 0;
    int between = 0;
    for (;;) {
        const auto turn = queue.pop(0, 8192);
        ASSERT_TRUE(turn.has_value());
        ASSERT_NE(turn->item, 2u);  // not before the one in front of it has ended
        if (turn->item == 1) {
            ++between;
            continue;
        }
        ASSERT_LE(turn->bytes, 8192u);
        bytes += turn->bytes;
        EXPECT_EQ(turn->last, bytes == 40'000);
        if (turn->last)
            break;
    }
    EXPECT_EQ(bytes, 40'000u);
    EXPECT_GE(between, 4);
}

TEST(FairQueue, WhatIsDoneBesideItsTurnIsADebt) {
    FairQueue queue;
    const auto device = queue.add({}, 0);
    const auto other = queue.add({}, 0);
    queue.push(device, 0, 160 * 1024);
    queue.push(device, 0, 4096);
    EXPECT_FALSE(queue.pop(0, 4096)->last);
    queue.take_rest(device, FairQueue::Rest::done);
    for (int i = 0; i < 100; ++i)
        queue.push(other, 1, 4096);
    int before = 0;
    while (queue.pop(0)->item == 1)
        ++before;
    EXPECT_NEAR(before, 20, 2);  // as many bytes as it has had
}

TEST(FairQueue, WhatComesAgainIsInFrontAndPastTheLimits) {
    FairQueue queue;
    const auto party = queue.add({.requests = 10}, 0);
    queue.push(party, 1, 100'000);
    queue.push(party, 2, 0);
    EXPECT_FALSE(queue.pop(0, 8192)->last);
    queue.take_rest(party, FairQueue::Rest::left);
    queue.push_again(party, 1, 100'000);
    EXPECT_EQ(queue.pop(0)->item, 1u);  // the one request that there was leave for
    EXPECT_FALSE(queue.pop(0).has_value());
    EXPECT_EQ(queue.pop(kSecond)->item, 2u);
}

TEST(FairQueue, IsSharedWhileSeveralHaveTurns) {
    FairQueue queue;
    const auto a = queue.add({}, 0);
    const auto b = queue.add({}, 0);
    queue.push(a, 0, 0);
    (void)queue.pop(kSecond);
    EXPECT_FALSE(queue.shared(kSecond));
    for (std::uint64_t i = 0; i < 10; ++i) {
        queue.push(b, 1, 0);
        (void)queue.pop(kSecond + i);
    }
    EXPECT_FALSE(queue.shared(kSecond + 10));  // b has followed a, no more
    queue.push(a, 0, 0);
    (void)queue.pop(kSecond + 10);
    EXPECT_TRUE(queue.shared(kSecond + 10));
    for (int i = 0; i < 10; ++i) {
        queue.push(b, 1, 0);
        (void)queue.pop(2 * kSecond);
    }
    EXPECT_FALSE(queue.shared(4 * kSecond));
}

TEST(FairQueue, ForgetsWhoGoes) {
    FairQueue queue;
    const auto a = queue.add({}, 0);
    const auto b = queue.add({}, 0);
    queue.push(a, 1, 0);
    queue.push(a, 2, 0);
    queue.push(b, 3, 0);
    queue.drop(a, [](std::uint32_t item) { return item == 1; });
    queue.remove(b);
    EXPECT_EQ(queue.pop(0)->item, 2u);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.add({}, 0), b);  // its place is used again
}

}  // namespace
}  // namespace causeway::io::block
