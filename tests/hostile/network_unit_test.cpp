// A host module that sends garbage to a network unit: frames of sizes and with headers that no
// frame has, wrong joins, kinds that do not exist; and one that takes nothing. Two others go on.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <random>

#include "support/io_ends.hpp"
#include "support/live_adapter.hpp"
#include "support/network_guest.hpp"

namespace causeway::test {
namespace {

using network::DropReason;
using network::FrameVerdict;
using network::NetworkUnit;

constexpr std::uint32_t kMtu = 1500;

class NetworkHostile : public testing::TestWithParam<const char*> {
protected:
    NetworkHostile() {
        partition = client::Partition::attach(adapter.socket(), "net", {}).value();
        network::UnitTerms terms;
        terms.mtu = kMtu;
        terms.executor = executor_of(GetParam());
        unit = NetworkUnit::open(partition, terms, nullptr).value();
        for (NetworkGuest* guest : {&one, &two}) {
            until([&] { return guest->join(guest->proper_join()) == ErrorCode::none; });
            until([&] { return guest->joined == 1; });
        }
        until([&] { return villain.channel() != nullptr; });
    }
    ~NetworkHostile() override {
        unit.reset();
        partition->close();
    }

    void step() {
        (void)unit->step();
        for (NetworkGuest* guest : {&one, &two, &villain}) {
            if (guest != asleep)
                (void)guest->step();
        }
    }
    template<typename F>
    void until(F&& f) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!f()) {
            step();
            if (std::chrono::steady_clock::now() > end)
                throw std::runtime_error("did not come about: " + villain.host().trouble());
        }
    }
    void join_villain() {
        until([&] { return villain.join(villain.proper_join()) == ErrorCode::none; });
        until([&] { return villain.joined == 1; });
    }
    void send(NetworkGuest& from, const Frame& frame, NetworkKind kind = NetworkKind::frame) {
        until([&] {
            const ErrorCode code = from.send(kind, frame);
            EXPECT_TRUE(code == ErrorCode::none || code == ErrorCode::again) << error_name(code);
            return code == ErrorCode::none;
        });
    }
    // Both ways between the two, short and long.
    void expect_others_go_on() {
        for (const std::size_t size : {std::size_t{60}, std::size_t{1500}}) {
            const std::array<NetworkGuest*, 2> both{&one, &two};
            for (int i = 0; i < 2; ++i) {
                NetworkGuest& from = *both[i];
                NetworkGuest& to = *both[1 - i];
                to.frames.clear();
                const Frame frame = make_frame(to.mac, from.mac, size);
                send(from, frame);
                until([&] {
                    return std::find(to.frames.begin(), to.frames.end(), frame) != to.frames.end();
                });
            }
        }
    }
    [[nodiscard]] network::PortCounters counters(const NetworkGuest& guest) const {
        for (const auto& figures : unit->figures()) {
            if (figures.partition == guest.name())
                return figures.counters;
        }
        ADD_FAILURE() << guest.name() << " has no port";
        return {};
    }
    // Every buffer has gone back to where it came from.
    [[nodiscard]] bool nothing_held() {
        for (const auto& channel : unit->service().channels()) {
            if (channel->holds() != 0 || channel->unsent() != 0)
                return false;
        }
        return true;
    }

    LiveAdapter adapter{LiveAdapter::Kind::forked};
    std::shared_ptr<client::Partition> partition;
    std::unique_ptr<NetworkUnit> unit;
    NetworkGuest one{adapter.socket(), "one", 1, executor_of(GetParam())};
    NetworkGuest two{adapter.socket(), "two", 2, executor_of(GetParam())};
    NetworkGuest villain{adapter.socket(), "villain", 3, executor_of(GetParam())};
    NetworkGuest* asleep = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Executors, NetworkHostile, testing::Values("adapter", "direct"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(NetworkHostile, FramesOfIllegalSizesAreDroppedAndCounted) {
    join_villain();
    const Frame whole = make_frame(one.mac, villain.mac, 70'000 - 12);
    const auto cut = [&](std::size_t size) { return Frame(whole.begin(), whole.begin() + size); };
    std::uint64_t sent = 0;
    for (std::size_t size = 0; size < network::kMinFrame; ++size, ++sent)
        send(villain, cut(size));
    until([&] { return counters(villain).frames_in == sent; });
    EXPECT_EQ(counters(villain)[FrameVerdict::too_short], network::kMinFrame);
    EXPECT_TRUE(one.frames.empty());

    // From here on there is an Ethernet header, and that is enough.
    for (std::size_t size = network::kMinFrame; size <= 30; ++size, ++sent)
        send(villain, cut(size));
    until([&] { return one.frames.size() == 30 - network::kMinFrame + 1; });
    for (std::size_t size = network::kMinFrame; size <= 30; ++size)
        EXPECT_EQ(one.frames[size - network::kMinFrame], cut(size));

    // The longest that the network has, one byte more, the longest of all, and what is left in a
    // large buffer beyond that.
    const std::size_t longest = sizeof(network::VnetHeader) + 14 + 4 + kMtu;
    one.frames.clear();
    for (const std::size_t size : {longest, longest + 1, std::size_t{20'000}, network::kMaxFrame}) {
        send(villain, cut(size));
        ++sent;
    }
    const std::size_t most = villain.channel()->largest();
    ASSERT_GT(most, network::kMaxFrame);
    for (std::size_t size = network::kMaxFrame + 1; size <= most; ++size, ++sent)
        send(villain, cut(size));
    until([&] { return counters(villain).frames_in == sent && one.frames.size() == 1; });
    EXPECT_EQ(one.frames.front(), cut(longest));
    EXPECT_EQ(counters(villain)[FrameVerdict::over_mtu], 3U);
    EXPECT_EQ(counters(villain)[FrameVerdict::too_long], most - network::kMaxFrame);
    EXPECT_EQ(counters(villain)[DropReason::malformed],
              network::kMinFrame + 3 + most - network::kMaxFrame);
    // Nothing longer than a large buffer can be said at all.
    EXPECT_EQ(villain.send(NetworkKind::frame, cut(most + 1)), ErrorCode::again);
    expect_others_go_on();
    until([&] { return nothing_held(); });
}

TEST_P(NetworkHostile, RandomHeadersPassOnlyWhereLinuxWouldTakeThem) {
    join_villain();
    std::mt19937 random(20);
    const auto any = [&](std::uint32_t below) {
        return static_cast<std::uint32_t>(random() % below);
    };
    const std::array<network::MacAddress, 4> sources{villain.mac, villain.mac, villain.mac,
                                                     one.mac};
    const std::array<network::MacAddress, 3> destinations{one.mac, two.mac, station(9)};
    const std::array<std::uint16_t, 4> types{0x0800, 0x86dd, 0x8100, 0x88b5};
    std::array<std::uint64_t, network::kFrameVerdicts> expected{};
    constexpr std::uint64_t kFrames = 4000;
    std::uint64_t good = 0;
    for (std::uint64_t i = 0; i < kFrames; ++i) {
        const std::size_t size = i % 16 == 0 ? 14 + any(65'000) : 14 + any(1600);
        Frame frame = make_frame(destinations[any(3)], sources[any(4)], size, types[any(4)]);
        // Wholly random, and near what is legal: a good header with one byte that is not.
        if (i % 2 == 0) {
            for (std::size_t at = 0; at < sizeof(network::VnetHeader); ++at)
                frame[at] = static_cast<std::byte>(any(256));
        } else {
            if (any(2) == 0)
                put_header(frame, tcp4_header(1448));
            frame[any(sizeof(network::VnetHeader) + 14)] = static_cast<std::byte>(any(256));
        }
        const auto verdict = network::check_frame(frame, kMtu).verdict;
        ++expected[static_cast<std::size_t>(verdict)];
        good += verdict == FrameVerdict::good ? 1 : 0;
        send(villain, frame);
        for (NetworkGuest* guest : {&one, &two}) {
            for (const Frame& got : std::exchange(guest->frames, {}))
                EXPECT_EQ(network::check_frame(got, kMtu).verdict, FrameVerdict::good);
        }
    }
    until([&] { return counters(villain).frames_in == kFrames; });
    const network::PortCounters counted = counters(villain);
    for (std::size_t verdict = 1; verdict < network::kFrameVerdicts; ++verdict) {
        EXPECT_EQ(counted.malformed[verdict], expected[verdict])
            << network::name(static_cast<FrameVerdict>(verdict));
    }
    EXPECT_EQ(counted[DropReason::malformed], kFrames - good);
    EXPECT_GT(good, kFrames / 50);
    EXPECT_GT(counted[DropReason::spoofed], 0U);
    EXPECT_GT(counted.forwarded, 0U);
    expect_others_go_on();
    until([&] { return nothing_held(); });
}

TEST_P(NetworkHostile, NothingPassesBeforeJoin) {
    for (int i = 0; i < 600; ++i)  // more than there is credit for: it is given back
        send(villain, make_frame(one.mac, villain.mac));
    for (const unsigned kind : {2U, 3U, 5U, 0x8000U, 0xffffU})
        send(villain, make_frame(one.mac, villain.mac), static_cast<NetworkKind>(kind));
    expect_others_go_on();
    EXPECT_EQ(unit->figures().size(), 2U);
    EXPECT_EQ(unit->early_frames(), 600U);
    join_villain();
    for (const Frame& frame : one.frames)
        EXPECT_EQ(network::check_frame(frame, kMtu).facts.source, two.mac);
    send(villain, make_frame(one.mac, villain.mac));
    until([&] { return counters(villain).frames_in == 1; });
    until([&] { return nothing_held(); });
}

TEST_P(NetworkHostile, WrongJoinsAreRefusedWithTheReason) {
    const auto refused = [&](std::span<const std::byte> join) {
        const std::size_t before = villain.refusals.size();
        until([&] { return villain.send(NetworkKind::join, join) == ErrorCode::none; });
        until([&] { return villain.refusals.size() == before + 1; });
        return villain.refusals.back();
    };
    const auto changed = [&](const std::function<void(abi::network::Join&)>& change) {
        abi::network::Join join = villain.proper_join();
        change(join);
        return refused(std::as_bytes(std::span(&join, 1)));
    };
    using abi::network::Join;
    for (const std::size_t size : {0U, 1U, 15U, 17U, 2000U, 60'000U})
        EXPECT_EQ(refused(Frame(size)), "a join of another size");
    const std::string unknown = "a join that asks for what this unit does not know";
    EXPECT_EQ(changed([](Join& join) { join.flags = 1; }), unknown);
    EXPECT_EQ(changed([](Join& join) { join.reserved = 1; }), unknown);
    EXPECT_NE(changed([](Join& join) { join.mtu = kMtu + 1; }).find("MTU is 1500"),
              std::string::npos);
    EXPECT_NE(changed([](Join& join) { join.mac[0] |= 1; }).find("cannot be a station's"),
              std::string::npos);
    EXPECT_NE(changed([](Join& join) { std::memset(join.mac, 0xff, 6); }).find("cannot be"),
              std::string::npos);
    EXPECT_NE(changed([](Join& join) { std::memset(join.mac, 0, 6); }).find("cannot be"),
              std::string::npos);
    EXPECT_NE(changed([&](Join& join) {
                  std::memcpy(join.mac, one.mac.bytes().data(), 6);
              }).find("another port's"),
              std::string::npos);
    EXPECT_EQ(villain.joined, 0U);
    EXPECT_EQ(unit->figures().size(), 2U);

    // The right one is let in all the same; asking again changes nothing.
    join_villain();
    const std::uint32_t port = villain.port;
    until([&] { return villain.join(villain.proper_join()) == ErrorCode::none; });
    until([&] { return villain.joined == 2; });
    EXPECT_EQ(villain.port, port);
    EXPECT_EQ(unit->figures().size(), 3U);
    expect_others_go_on();
}

TEST_P(NetworkHostile, WhoHasJoinedKeepsItsAddress) {
    join_villain();
    abi::network::Join other = villain.proper_join();
    other.mac[5] = 77;
    until([&] { return villain.join(other) == ErrorCode::none; });
    until([&] { return villain.refusals.size() == 1 || villain.joined == 2; });
    ASSERT_EQ(villain.refusals.size(), 1U);  // else it believed that it may send from there
    EXPECT_NE(villain.refusals[0].find("joined as 02:00:00:00:00:03"), std::string::npos)
        << villain.refusals[0];
    send(villain, make_frame(one.mac, station(77)));
    send(villain, make_frame(one.mac, villain.mac));
    until([&] { return one.frames.size() == 1; });
    EXPECT_EQ(counters(villain)[DropReason::spoofed], 1U);
}

// What a port has counted stays, and is gone on with by the same partition's next one.
TEST_P(NetworkHostile, WhoComesAndGoesIsCountedOn) {
    join_villain();
    for (std::uint64_t round = 1; round <= 3; ++round) {
        send(villain, make_frame(one.mac, villain.mac));
        until([&] { return counters(villain).frames_in == round; });
        EXPECT_EQ(unit->figures().size(), 3U);
        EXPECT_TRUE(unit->figures().back().connected);
        villain.host().drop(villain, ErrorCode::peer_gone, "it goes");
        until([&] { return !unit->figures().back().connected; });
        EXPECT_EQ(unit->figures().back().partition, "villain");
        EXPECT_EQ(unit->figures().back().counters.frames_in, round);
        until([&] { return villain.channel() != nullptr; });
        until([&] { return villain.join(villain.proper_join()) == ErrorCode::none; });
        until([&] { return villain.joined == round + 1; });
    }
    expect_others_go_on();
}

TEST_P(NetworkHostile, AForgedSenderIsDroppedAndCounted) {
    join_villain();
    for (const auto& from : {one.mac, station(9)}) {
        send(villain, make_frame(two.mac, from));
        send(villain, make_frame(two.mac, from, 1500));
    }
    until([&] { return counters(villain)[DropReason::spoofed] == 4; });
    EXPECT_TRUE(two.frames.empty());
    expect_others_go_on();
}

TEST_P(NetworkHostile, WhoTakesNothingDoesNotStopOthers) {
    join_villain();
    villain.takes = false;
    // Everything to all: the villain's credit runs out, then it is waited for, then it is not.
    const auto all = network::MacAddress(network::MacAddress::Bytes{255, 255, 255, 255, 255, 255});
    std::size_t got = 0;
    const auto flood = [&](std::size_t frames) {
        for (std::size_t i = 0; i < frames; ++i) {
            send(one, make_frame(all, one.mac, i % 3 == 0 ? 1500 : 60));
            got += std::exchange(two.frames, {}).size();
        }
    };
    flood(2000);
    until([&] {
        got += std::exchange(two.frames, {}).size();
        return got == 2000;
    });
    EXPECT_GT(counters(villain).lost_out, 1000U);
    EXPECT_EQ(counters(two).lost_out, 0U);
    expect_others_go_on();

    // The same when its process stands still, where not even its completions are taken.
    asleep = &villain;
    flood(2000);
    until([&] {
        got += std::exchange(two.frames, {}).size();
        return got >= 4000;
    });
    expect_others_go_on();

    // It takes frames again, and is reached again.
    asleep = nullptr;
    villain.takes = true;
    until([&] {
        villain.release_all();
        villain.frames.clear();
        (void)one.send(NetworkKind::frame, make_frame(villain.mac, one.mac, 200));
        step();
        return !villain.frames.empty() && villain.frames.back().size() == 212;
    });
    until([&] { return nothing_held(); });
}

// The villain writes into the unit's buffers once more, after the frame in one of them was judged.
TEST_P(NetworkHostile, AHeaderThatIsChangedAfterTheCheckIsNotSentOn) {
    join_villain();
    constexpr std::size_t kSize = 20'000;  // it goes by Write, and is sent on from where it lies
    const Frame frame = make_tcp4(two.mac, villain.mac, kSize);
    auto memory = client::Region::allocate(villain.host().partition(), frame.size(),
                                           {.access = CW_ACCESS_EXPORTABLE})
                      .value();
    std::memset(memory.data(), 0xee, frame.size());
    const cw_slice changed{memory.data(), static_cast<std::uint32_t>(frame.size()),
                           memory.handle()};
    const auto put = [&](std::uint32_t buffer) {
        const abi::messaging::Hello& theirs = villain.channel()->peer_terms();
        const cw_remote to{theirs.handle, theirs.generation,
                           theirs.address + std::uint64_t{buffer} * theirs.buffer_size +
                               sizeof(abi::messaging::Header)};
        until([&] { return villain.channel()->put(to, {&changed, 1}) == ErrorCode::none; });
    };
    const auto from_villain = [&](const Frame& each) {
        return network::check_frame(each, kMtu).facts.source == villain.mac;
    };
    Frame got;
    // What waits is dropped after a while: where this machine was too slow for it, once more; and
    // where it lay in another buffer than these.
    constexpr std::uint32_t kWritten = 8;
    while (got.empty() || got.back() != std::byte{0xee}) {
        got.clear();
        two.takes = true;
        until([&] {
            two.release_all();
            (void)one.send(NetworkKind::frame, make_frame(two.mac, one.mac));
            return !std::exchange(two.frames, {}).empty();
        });
        until([&] { return nothing_held(); });
        // It takes nothing any more; its large buffers are all filled.
        two.takes = false;
        for (std::uint32_t i = 0; i < network::kLargeFrames; ++i)
            send(one, make_tcp4(two.mac, one.mac, kSize));
        until([&] { return two.kept() >= network::kLargeFrames; });
        two.frames.clear();

        const std::uint64_t came = counters(villain).frames_in;
        const std::uint64_t lost = counters(two).lost_out;
        send(villain, frame);
        until([&] { return counters(villain).frames_in == came + 1; });
        for (std::uint32_t buffer = 0; buffer < kWritten; ++buffer)
            put(buffer);
        send(villain, make_frame(station(9), villain.mac));  // behind all of that
        until([&] { return counters(villain).frames_in == came + 2; });
        two.takes = true;
        two.release_all();
        until([&] {
            for (const Frame& each : std::exchange(two.frames, {})) {
                if (from_villain(each))
                    got = each;
                // Nobody else sends, so it is one of ours whatever its header says.
                EXPECT_TRUE(from_villain(each) ||
                            network::check_frame(each, kMtu).facts.source == one.mac);
            }
            return !got.empty() || counters(two).lost_out != lost;
        });
    }
    ASSERT_EQ(got.size(), frame.size());
    EXPECT_EQ(Frame(got.begin(), got.begin() + network::kHeadSize),
              Frame(frame.begin(), frame.begin() + network::kHeadSize));
    EXPECT_TRUE(one.frames.empty());
    expect_others_go_on();
    until([&] { return nothing_held(); });
}

}  // namespace
}  // namespace causeway::test
