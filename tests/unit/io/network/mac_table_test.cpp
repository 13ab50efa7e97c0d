#include "io/network/mac_table.hpp"

#include <gtest/gtest.h>

#include <map>

#include "support/frames.hpp"
#include "support/random.hpp"

namespace causeway::io::network {
namespace {

using test::station;
using Learned = MacTable::Learned;
using Kind = MacTable::Kind;

constexpr PortId kA(0);
constexpr PortId kB(1);
constexpr PortId kC(2);

TEST(MacTable, FindsWhatItLearned) {
    MacTable table({});
    EXPECT_EQ(table.find(station(1)), nullptr);
    EXPECT_EQ(table.learn(station(1), kA, 10), Learned::yes);
    ASSERT_NE(table.find(station(1)), nullptr);
    EXPECT_EQ(table.find(station(1))->port, kA);
    EXPECT_EQ(table.find(station(1))->seen_ns, 10U);
    EXPECT_EQ(table.find(station(2)), nullptr);
    EXPECT_EQ(table.size(), 1U);
    EXPECT_EQ(table.size(kA), 1U);
    EXPECT_EQ(table.size(kB), 0U);
}

TEST(MacTable, AStationMoves) {
    MacTable table({});
    (void)table.learn(station(1), kA, 1);
    EXPECT_EQ(table.learn(station(1), kB, 2), Learned::yes);
    EXPECT_EQ(table.find(station(1))->port, kB);
    EXPECT_EQ(table.size(kA), 0U);
    EXPECT_EQ(table.size(kB), 1U);
    EXPECT_EQ(table.size(), 1U);
}

TEST(MacTable, EntriesGoWithTheirTime) {
    MacTable table({.ageing_ns = 100});
    (void)table.learn(station(1), kA, 0);
    (void)table.learn(station(2), kA, 50);
    table.expire(99);
    EXPECT_NE(table.find(station(1)), nullptr);
    table.expire(100);
    EXPECT_EQ(table.find(station(1)), nullptr);
    EXPECT_NE(table.find(station(2)), nullptr);
    (void)table.learn(station(2), kA, 149);
    table.expire(150);
    EXPECT_NE(table.find(station(2)), nullptr);
    table.expire(249);
    EXPECT_EQ(table.size(), 0U);
}

TEST(MacTable, OnePortFillsItsOwnShareOnly) {
    MacTable table({.entries = 100, .entries_per_port = 30});
    (void)table.learn(station(1000), kB, 0);
    for (std::uint64_t i = 0; i < 500; ++i)
        EXPECT_EQ(table.learn(station(i), kA, i), i < 30 ? Learned::yes : Learned::no_room);
    EXPECT_EQ(table.size(kA), 30U);
    EXPECT_NE(table.find(station(1000)), nullptr);
    EXPECT_NE(table.find(station(0)), nullptr);
    EXPECT_EQ(table.find(station(30)), nullptr);
    // Nor does it take what is another's.
    EXPECT_EQ(table.learn(station(1000), kA, 600), Learned::no_room);
    EXPECT_EQ(table.find(station(1000))->port, kB);
    // Those that it has already stay fresh.
    EXPECT_EQ(table.learn(station(5), kA, 700), Learned::yes);
    EXPECT_EQ(table.find(station(5))->seen_ns, 700U);
}

TEST(MacTable, TheWholeIsBoundedToo) {
    MacTable table({.entries = 50, .entries_per_port = 30});
    for (std::uint64_t i = 0; i < 30; ++i)
        EXPECT_EQ(table.learn(station(i), kA, 0), Learned::yes);
    for (std::uint64_t i = 0; i < 20; ++i)
        EXPECT_EQ(table.learn(station(100 + i), kB, 0), Learned::yes);
    EXPECT_EQ(table.learn(station(200), kB, 0), Learned::no_room);
    EXPECT_EQ(table.size(), 50U);
}

TEST(MacTable, AFixedEntryStays) {
    MacTable table({.ageing_ns = 100});
    EXPECT_TRUE(table.fix(station(1), kA, 0));
    EXPECT_EQ(table.learn(station(1), kB, 1), Learned::yes);
    EXPECT_EQ(table.find(station(1))->port, kA);
    table.expire(1'000'000);
    EXPECT_NE(table.find(station(1)), nullptr);
    EXPECT_TRUE(table.fix(station(1), kA, 5));
    EXPECT_FALSE(table.fix(station(1), kB, 5));
    EXPECT_EQ(table.size(), 1U);
}

TEST(MacTable, AFixedEntryTakesOverALearnedOne) {
    MacTable table({});
    (void)table.learn(station(1), kB, 1);
    EXPECT_TRUE(table.fix(station(1), kA, 2));
    EXPECT_EQ(table.find(station(1))->port, kA);
    EXPECT_EQ(table.find(station(1))->kind, Kind::fixed);
    EXPECT_EQ(table.size(kB), 0U);
    table.expire(~std::uint64_t{0});
    EXPECT_EQ(table.size(), 1U);
}

TEST(MacTable, AFixedEntryFindsAPlaceInAFullTable) {
    MacTable table({.entries = 3, .entries_per_port = 3});
    (void)table.learn(station(1), kB, 1);
    (void)table.learn(station(2), kB, 2);
    (void)table.learn(station(3), kB, 3);
    (void)table.learn(station(1), kB, 4);  // now 2 has been silent longest
    EXPECT_TRUE(table.fix(station(10), kA, 5));
    EXPECT_EQ(table.find(station(2)), nullptr);
    EXPECT_NE(table.find(station(1)), nullptr);
    EXPECT_TRUE(table.fix(station(11), kA, 5));
    EXPECT_TRUE(table.fix(station(12), kA, 5));
    EXPECT_FALSE(table.fix(station(13), kA, 5));
    EXPECT_EQ(table.size(kA), 3U);
}

TEST(MacTable, APortIsForgottenAsAWhole) {
    MacTable table({.entries = 8, .entries_per_port = 8});
    (void)table.learn(station(1), kA, 0);
    (void)table.learn(station(2), kB, 0);
    EXPECT_TRUE(table.fix(station(3), kA, 0));
    (void)table.learn(station(4), kC, 0);
    table.forget(kA);
    EXPECT_EQ(table.size(), 2U);
    EXPECT_EQ(table.size(kA), 0U);
    EXPECT_EQ(table.find(station(3)), nullptr);
    // What is free now still bears the old addresses: they must not be taken for entries.
    (void)table.learn(station(1), kB, 1);
    table.forget(kA);
    EXPECT_EQ(table.find(station(1))->port, kB);
    EXPECT_EQ(table.size(), 3U);
}

// Against a map that says the same in the plainest way.
TEST(MacTable, DoesWhatAMapWouldDo) {
    constexpr MacTableOptions kOptions{
        .entries = 40, .entries_per_port = 15, .ageing_ns = 200, .seed = 99};
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        test::Random random(seed);
        MacTable table(kOptions);
        std::map<MacAddress, MacTable::Entry> model;
        const auto of_port = [&](PortId port) {
            std::size_t count = 0;
            for (const auto& [mac, entry] : model)
                count += entry.port == port ? 1 : 0;
            return count;
        };
        std::uint64_t now = 0;
        for (int step = 0; step < 3000; ++step) {
            now += random.below(8) + 1;
            const MacAddress mac = station(random.below(80));
            const PortId port(static_cast<std::uint32_t>(random.below(4)));
            const auto known = model.find(mac);
            if (random.one_in(100)) {
                table.forget(port);
                std::erase_if(model, [&](const auto& pair) { return pair.second.port == port; });
            } else if (random.one_in(60)) {
                const bool other = known != model.end() && known->second.kind == Kind::fixed &&
                                   known->second.port != port;
                if (model.size() < kOptions.entries || other) {
                    EXPECT_EQ(table.fix(mac, port, now), !other);
                    if (!other && (known == model.end() || known->second.kind == Kind::learned))
                        model[mac] = {mac, port, Kind::fixed, now};
                }
            } else if (random.one_in(5)) {
                table.expire(now);
                std::erase_if(model, [&](const auto& pair) {
                    return pair.second.kind == Kind::learned &&
                           now - pair.second.seen_ns >= kOptions.ageing_ns;
                });
            } else {
                const bool full = of_port(port) >= kOptions.entries_per_port;
                Learned expected = Learned::yes;
                if (known == model.end()) {
                    if (full || model.size() == kOptions.entries)
                        expected = Learned::no_room;
                    else
                        model[mac] = {mac, port, Kind::learned, now};
                } else if (known->second.kind == Kind::learned) {
                    if (known->second.port != port && full)
                        expected = Learned::no_room;
                    else
                        known->second = {mac, port, Kind::learned, now};
                }
                EXPECT_EQ(table.learn(mac, port, now), expected);
            }
            ASSERT_EQ(table.size(), model.size()) << "step " << step << " of seed " << seed;
            const MacAddress asked = station(random.below(80));
            const auto* found = table.find(asked);
            const auto expected = model.find(asked);
            ASSERT_EQ(found != nullptr, expected != model.end());
            if (found != nullptr) {
                EXPECT_EQ(found->port, expected->second.port);
                EXPECT_EQ(found->kind, expected->second.kind);
                EXPECT_EQ(found->seen_ns, expected->second.seen_ns);
            }
        }
        const auto all = table.entries();
        EXPECT_EQ(all.size(), model.size());
        for (const auto& entry : all)
            EXPECT_TRUE(model.contains(entry.mac));
    }
}

}  // namespace
}  // namespace causeway::io::network
