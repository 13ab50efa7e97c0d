#include "io/network/switch.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "support/frames.hpp"

namespace causeway::io::network {
namespace {

using test::make_frame;
using test::make_tcp4;
using test::station;
using Kind = Decision::Kind;

constexpr std::uint64_t kSecond = 1'000'000'000;

// An uplink and three hosts, of which two are isolated.
class Switch : public testing::Test {
protected:
    PortId host(std::uint64_t number, Isolation isolation = Isolation::open) {
        const MacAddress mac = station(number);
        return fabric.add_port({.isolation = isolation, .announced = {&mac, 1}}, now).value();
    }
    Decision frame(PortId from, const MacAddress& to, const MacAddress& source) {
        return fabric.receive(from, make_frame(to, source), now).decision;
    }
    static PortSet set(std::initializer_list<PortId> ports) {
        PortSet all;
        for (const PortId port : ports)
            all.set(port.value());
        return all;
    }

    std::uint64_t now = 100 * kSecond;
    LearningSwitch fabric = LearningSwitch::make({}).value();
    PortId uplink = fabric.add_port({.sources = Sources::any}, now).value();
    PortId one = host(1);
    PortId two = host(2, Isolation::isolated);
    PortId three = host(3, Isolation::isolated);
};

TEST_F(Switch, AnnouncedAddressesAreKnownAtOnce) {
    const Decision decision = frame(uplink, station(2), station(50));
    EXPECT_EQ(decision.kind, Kind::forward);
    EXPECT_EQ(decision.to, two);
    EXPECT_EQ(decision.ports, set({two}));
}

TEST_F(Switch, LearnsWhatIsBehindTheUplink) {
    PortId second = fabric.add_port({.sources = Sources::any}, now).value();
    Decision decision = frame(one, station(50), station(1));
    EXPECT_EQ(decision.kind, Kind::flood);
    EXPECT_EQ(decision.ports, set({uplink, second}));
    (void)frame(second, MacAddress::broadcast(), station(50));
    decision = frame(one, station(50), station(1));
    EXPECT_EQ(decision.kind, Kind::forward);
    EXPECT_EQ(decision.to, second);
    // It moves.
    (void)frame(uplink, station(1), station(50));
    EXPECT_EQ(frame(one, station(50), station(1)).to, uplink);
}

TEST_F(Switch, ForgetsWhoIsSilent) {
    (void)frame(uplink, station(1), station(50));
    now += 299 * kSecond;
    EXPECT_EQ(frame(one, station(50), station(1)).kind, Kind::forward);
    now += kSecond;
    EXPECT_EQ(frame(one, station(50), station(1)).kind, Kind::flood);
    // What was announced stays.
    EXPECT_EQ(frame(uplink, station(1), station(51)).kind, Kind::forward);
    EXPECT_EQ(fabric.table().size(uplink), 1U);
    fabric.expire(now + 300 * kSecond);
    EXPECT_EQ(fabric.table().size(uplink), 0U);
}

TEST_F(Switch, TimeDoesNotRunBackwards) {
    (void)frame(uplink, station(1), station(50));
    now -= 50 * kSecond;
    (void)frame(uplink, station(1), station(51));
    EXPECT_EQ(frame(one, station(50), station(1)).kind, Kind::forward);
    EXPECT_EQ(fabric.table().find(station(51))->seen_ns, 100 * kSecond);
}

TEST_F(Switch, BroadcastReachesAllWhoMayHaveIt) {
    for (const MacAddress& group : {MacAddress::broadcast(), MacAddress({1, 0, 0x5e, 0, 0, 1}),
                                    MacAddress({0x33, 0x33, 0, 0, 0, 1})}) {
        EXPECT_EQ(frame(uplink, group, station(50)).ports, set({one, two, three}));
        EXPECT_EQ(frame(one, group, station(1)).ports, set({uplink, two, three}));
        EXPECT_EQ(frame(two, group, station(2)).ports, set({uplink, one}));
        EXPECT_EQ(frame(three, group, station(3)).ports, set({uplink, one}));
    }
    EXPECT_EQ(fabric.counters(one).broadcast_in, 1U);
    EXPECT_EQ(fabric.counters(one).multicast_in, 2U);
}

TEST_F(Switch, IsolatedPortsDoNotReachEachOther) {
    const Decision decision = frame(two, station(3), station(2));
    EXPECT_EQ(decision.kind, Kind::drop);
    EXPECT_EQ(decision.reason, DropReason::isolated);
    EXPECT_TRUE(decision.ports.none());
    EXPECT_EQ(frame(two, station(1), station(2)).to, one);
    EXPECT_EQ(frame(one, station(2), station(1)).to, two);
    EXPECT_EQ(fabric.counters(two)[DropReason::isolated], 1U);
}

TEST_F(Switch, UnknownUnicastGoesToTheUplinkOnly) {
    EXPECT_EQ(frame(one, station(99), station(1)).ports, set({uplink}));
    const Decision decision = frame(uplink, station(99), station(50));
    EXPECT_EQ(decision.kind, Kind::drop);
    EXPECT_EQ(decision.reason, DropReason::unreachable);
}

TEST_F(Switch, NothingGoesBackWhereItCameFrom) {
    (void)frame(uplink, station(1), station(50));
    const Decision decision = frame(uplink, station(50), station(51));
    EXPECT_EQ(decision.reason, DropReason::same_port);
    EXPECT_EQ(frame(one, station(1), station(1)).reason, DropReason::same_port);
}

TEST_F(Switch, NobodySendsFromAnothersAddress) {
    EXPECT_EQ(frame(one, station(50), station(2)).reason, DropReason::spoofed);
    EXPECT_EQ(frame(one, station(50), station(77)).reason, DropReason::spoofed);
    EXPECT_EQ(frame(uplink, station(1), station(2)).reason, DropReason::taken);
    EXPECT_EQ(fabric.counters(one)[DropReason::spoofed], 2U);
    EXPECT_EQ(fabric.counters(uplink)[DropReason::taken], 1U);
    // None of that was learned.
    EXPECT_EQ(frame(one, station(2), station(1)).to, two);
    EXPECT_EQ(fabric.table().find(station(77)), nullptr);
}

TEST_F(Switch, AnUplinkMayAnnounceToo) {
    const MacAddress gateway = station(200);
    const PortId second =
        fabric.add_port({.sources = Sources::any, .announced = {&gateway, 1}}, now).value();
    EXPECT_EQ(frame(second, station(1), gateway).to, one);
    EXPECT_EQ(frame(second, station(1), station(201)).to, one);
    EXPECT_EQ(frame(uplink, station(1), gateway).reason, DropReason::taken);
    EXPECT_EQ(fabric.table().size(second), 2U);
}

TEST_F(Switch, WhatIsForOneCableStaysThere) {
    const MacAddress lldp({1, 0x80, 0xc2, 0, 0, 0x0e});
    EXPECT_EQ(frame(uplink, lldp, station(50)).reason, DropReason::link_local);
    EXPECT_EQ(fabric.table().find(station(50)), nullptr);
}

TEST_F(Switch, AFloodOfAddressesPushesNobodyOut) {
    PortId second = fabric.add_port({.sources = Sources::any}, now).value();
    (void)frame(second, station(1), station(9'000'000));
    for (std::uint64_t i = 0; i < 5000; ++i)
        EXPECT_EQ(frame(uplink, station(1), station(1000 + i)).kind, Kind::forward);
    EXPECT_EQ(fabric.table().size(uplink), 1024U);
    EXPECT_EQ(fabric.counters(uplink).not_learned, 5000U - 1024U);
    EXPECT_EQ(frame(one, station(9'000'000), station(1)).to, second);
    EXPECT_EQ(frame(uplink, station(2), station(1)).reason, DropReason::taken);
    // When they have been silent, there is room again.
    now += 300 * kSecond;
    (void)frame(uplink, station(1), station(500'000));
    EXPECT_EQ(fabric.table().size(uplink), 1U);
}

TEST_F(Switch, AnnouncingFindsRoomInAFullTable) {
    for (int i = 0; i < 4; ++i) {
        const PortId port = fabric.add_port({.sources = Sources::any}, now).value();
        for (std::uint64_t j = 0; j < 1024; ++j)
            (void)frame(port, station(1), station(100'000U + 2000U * port.value() + j));
    }
    EXPECT_EQ(fabric.table().size(), 4096U);
    const PortId port = host(4);
    EXPECT_EQ(frame(one, station(4), station(1)).to, port);
    EXPECT_EQ(fabric.table().size(), 4096U);
}

TEST_F(Switch, MalformedFramesAreCountedByKind) {
    test::Frame bad = make_frame(station(1), station(50), 1519);
    EXPECT_EQ(fabric.receive(uplink, bad, now).decision.reason, DropReason::malformed);
    EXPECT_EQ(fabric.receive(uplink, std::span(bad).first(20), now).frame.verdict,
              FrameVerdict::too_short);
    EXPECT_EQ(fabric.counters(uplink)[DropReason::malformed], 2U);
    EXPECT_EQ(fabric.counters(uplink)[FrameVerdict::over_mtu], 1U);
    EXPECT_EQ(fabric.counters(uplink)[FrameVerdict::too_short], 1U);
    EXPECT_EQ(fabric.table().find(station(50)), nullptr);
    // Of segmented ones only the segments count.
    EXPECT_EQ(fabric.receive(uplink, make_tcp4(station(1), station(50), 65000), now).decision.kind,
              Kind::forward);
}

TEST_F(Switch, CountsBytesAsTheWireWould) {
    const auto received = fabric.receive(one, make_frame(station(2), station(1), 500), now);
    fabric.sent(two, received.frame.facts);
    fabric.lost(two);
    EXPECT_EQ(fabric.counters(one).frames_in, 1U);
    EXPECT_EQ(fabric.counters(one).bytes_in, 500U);
    EXPECT_EQ(fabric.counters(one).forwarded, 1U);
    EXPECT_EQ(fabric.counters(two).frames_out, 1U);
    EXPECT_EQ(fabric.counters(two).bytes_out, 500U);
    EXPECT_EQ(fabric.counters(two).lost_out, 1U);
}

TEST_F(Switch, APortLeavesWithItsAddresses) {
    fabric.remove_port(two);
    EXPECT_FALSE(fabric.has_port(two));
    EXPECT_EQ(frame(uplink, station(2), station(50)).kind, Kind::drop);
    EXPECT_EQ(frame(one, MacAddress::broadcast(), station(1)).ports, set({uplink, three}));
    const PortId again = host(2);
    EXPECT_EQ(again, two);  // the number is free, and so is the address
    EXPECT_EQ(fabric.counters(again).frames_in, 0U);
    EXPECT_EQ(frame(three, station(2), station(3)).to, again);  // and no longer isolated
}

TEST_F(Switch, AnAddressIsAnnouncedOnce) {
    const MacAddress both[] = {station(70), station(1)};
    const auto refused = fabric.add_port({.announced = both}, now);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::name_in_use);
    EXPECT_NE(refused.error().text.find("02:00:00:00:00:01"), std::string::npos);
    // It left nothing behind.
    EXPECT_EQ(fabric.table().find(station(70)), nullptr);
    EXPECT_EQ(fabric.ports().count(), 4U);
    EXPECT_EQ(frame(uplink, station(1), station(50)).to, one);
}

TEST_F(Switch, AnnouncingTakesOverWhatWasLearned) {
    (void)frame(uplink, station(1), station(8));
    const PortId port = host(8);
    EXPECT_EQ(frame(one, station(8), station(1)).to, port);
    EXPECT_EQ(frame(uplink, station(1), station(8)).reason, DropReason::taken);
}

TEST_F(Switch, RefusesPortsThatCannotBe) {
    const auto code = [&](const PortOptions& options) {
        const auto port = fabric.add_port(options, now);
        return port.has_value() ? ErrorCode::none : port.error().code;
    };
    EXPECT_EQ(code({}), ErrorCode::invalid_argument);
    const MacAddress zero;
    const MacAddress group({1, 2, 3, 4, 5, 6});
    EXPECT_EQ(code({.announced = {&zero, 1}}), ErrorCode::invalid_argument);
    EXPECT_EQ(code({.announced = {&group, 1}}), ErrorCode::invalid_argument);
    std::vector<MacAddress> many;
    for (std::uint64_t i = 0; i <= kMaxAnnounced; ++i)
        many.push_back(station(300 + i));
    EXPECT_EQ(code({.announced = many}), ErrorCode::invalid_argument);
    many.pop_back();
    EXPECT_EQ(code({.announced = many}), ErrorCode::none);
    while (fabric.ports().count() < kMaxPorts)
        ASSERT_EQ(code({.sources = Sources::any}), ErrorCode::none);
    EXPECT_EQ(code({.sources = Sources::any}), ErrorCode::limit_reached);
}

TEST(SwitchOptions, AreChecked) {
    for (const std::uint32_t mtu : {0U, kMinMtu - 1, kMaxMtu + 1, ~0U}) {
        const auto made = LearningSwitch::make({.mtu = mtu});
        ASSERT_FALSE(made.has_value());
        EXPECT_NE(made.error().text.find(std::to_string(mtu)), std::string::npos);
    }
    EXPECT_TRUE(LearningSwitch::make({.mtu = kMaxMtu}).has_value());
    EXPECT_FALSE(LearningSwitch::make({.table = {.entries = 0}}).has_value());
    EXPECT_FALSE(LearningSwitch::make({.table = {.entries = std::size_t{1} << 40}}).has_value());
    EXPECT_FALSE(LearningSwitch::make({.table = {.entries_per_port = 0}}).has_value());
}

TEST(SwitchOptions, ATableFullOfAnnouncementsSaysSo) {
    auto fabric = LearningSwitch::make({.table = {.entries = 2}}).value();
    const MacAddress macs[] = {station(1), station(2), station(3)};
    const auto refused = fabric.add_port({.announced = macs}, 0);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::limit_reached);
    EXPECT_EQ(fabric.table().size(), 0U);
    EXPECT_TRUE(fabric.add_port({.announced = std::span(macs).first(2)}, 0).has_value());
}

TEST(DropReasons, HaveNames) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < kDropReasons; ++i)
        names.insert(name(static_cast<DropReason>(i)));
    EXPECT_EQ(names.size(), kDropReasons);
    EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace causeway::io::network
