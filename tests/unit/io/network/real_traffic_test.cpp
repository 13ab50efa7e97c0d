// Real connections of the kernel's, between two network namespaces, with the switch in the middle:
// whatever Linux gives is found good, and whatever is found good Linux takes.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <vector>

#include "io/network/packet_socket.hpp"
#include "io/network/switch.hpp"
#include "io/network/tap.hpp"
#include "platform/clock.hpp"
#include "support/network_world.hpp"
#include "support/random.hpp"

namespace causeway::io::network {
namespace {

using platform::UniqueFd;
using test::in_network;
using test::ip;
using test::Namespace;

// Two devices and the switch between them.
class Fabric {
public:
    Fabric(Device& one, const MacAddress& mac, Device& other, const MacAddress& other_mac)
        : devices_{&one, &other} {
        ports_[0] = fabric_.add_port({.announced = {&mac, 1}}, 0).value();
        ports_[1] = fabric_.add_port({.announced = {&other_mac, 1}}, 0).value();
    }
    // Carries what is there. Every frame must be good, and taken.
    void carry() {
        for (std::size_t i = 0; i < 2; ++i) {
            while (true) {
                const IoResult result = devices_[i]->read(buffer_);
                if (result.status == IoStatus::again)
                    break;
                ASSERT_EQ(result.status, IoStatus::done) << std::strerror(result.error);
                pass(i, std::span(buffer_).first(result.bytes));
            }
        }
    }
    [[nodiscard]] int fd(std::size_t i) const { return devices_[i]->fd(); }
    [[nodiscard]] std::uint32_t longest(std::uint8_t gso_type) { return longest_[gso_type]; }

private:
    void pass(std::size_t from, std::span<const std::byte> frame) {
        const auto received = fabric_.receive(ports_[from], frame, platform::monotonic_ns());
        ASSERT_STREQ(name(received.frame.verdict), "good");
        if (!received.decision.ports[ports_[1 - from].value()])
            return;  // the kernel's search for routers and the like
        const FrameFacts& facts = received.frame.facts;
        const IoResult result = devices_[1 - from]->write(facts.head(), frame.subspan(kHeadSize));
        ASSERT_NE(result.status, IoStatus::refused) << std::strerror(result.error);
        ASSERT_NE(result.status, IoStatus::gone) << std::strerror(result.error);
        const auto kind = static_cast<std::uint8_t>(facts.header.gso_type & ~kGsoEcn);
        longest_[kind] = std::max(longest_[kind], facts.length);
    }

    Device* devices_[2];
    PortId ports_[2];
    LearningSwitch fabric_ = LearningSwitch::make({}).value();
    std::vector<std::byte> buffer_ = std::vector<std::byte>(kMaxFrame);
    std::map<std::uint8_t, std::uint32_t> longest_;
};

struct Ends {
    UniqueFd client;
    UniqueFd server;
};

sockaddr_in6 address(const char* text, std::uint16_t port) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    EXPECT_EQ(::inet_pton(AF_INET6, text, &address.sin6_addr), 1) << text;
    return address;
}

// Waits for any of them, a second at most, and carries.
void turn(Fabric& fabric, std::initializer_list<pollfd> sockets) {
    std::vector<pollfd> all(sockets);
    all.push_back({fabric.fd(0), POLLIN, 0});
    all.push_back({fabric.fd(1), POLLIN, 0});
    (void)::poll(all.data(), all.size(), 1000);
    fabric.carry();
}

// IPv4 addresses are written ::ffff:10.1.0.1.
Ends connect(Fabric& fabric, const Namespace& here, const Namespace& there, const char* to) {
    there.enter();
    const UniqueFd listener(::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const sockaddr_in6 any = address("::", 4242);
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    here.enter();
    Ends ends;
    ends.client.reset(::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const sockaddr_in6 target = address(to, 4242);
    EXPECT_EQ(
        ::connect(ends.client.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target),
        -1);
    EXPECT_EQ(errno, EINPROGRESS);
    for (int i = 0; i < 60 && !ends.server.valid() && !testing::Test::HasFailure(); ++i) {
        turn(fabric, {{listener.get(), POLLIN, 0}});
        ends.server.reset(
            ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    }
    EXPECT_TRUE(ends.server.valid());
    return ends;
}

// What is sent: bytes that repeat after a prime number of them, so that no piece of a frame looks
// like another one of the same place.
class Pattern {
public:
    Pattern() : bytes_(kPeriod + kMost) {
        test::Random random(1);
        random.fill(std::span(bytes_).first(kPeriod));
        std::copy_n(bytes_.begin(), kMost, bytes_.begin() + kPeriod);
    }
    static constexpr std::size_t kMost = 256 * 1024;
    [[nodiscard]] std::span<const std::byte> at(std::uint64_t position, std::size_t size) const {
        return std::span(bytes_).subspan(position % kPeriod, size);
    }

private:
    static constexpr std::size_t kPeriod = 262147;
    std::vector<std::byte> bytes_;
};

// Sends until `enough` says so, then until all has arrived; every byte is looked at.
void transfer(Fabric& fabric, const Ends& ends, const std::function<bool(std::uint64_t)>& enough) {
    std::uint64_t sent = 0;
    std::uint64_t arrived = 0;
    const Pattern pattern;
    std::vector<std::byte> buffer(Pattern::kMost);
    bool sending = true;
    while ((sending || arrived < sent) && !testing::Test::HasFailure()) {
        turn(fabric, {{ends.server.get(), POLLIN, 0},
                      {ends.client.get(), static_cast<short>(sending ? POLLOUT : 0), 0}});
        while (sending) {
            const auto piece = pattern.at(sent, Pattern::kMost);
            const ssize_t put = ::send(ends.client.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
            if (put <= 0)
                break;
            sent += static_cast<std::uint64_t>(put);
            sending = !enough(sent);
        }
        while (true) {
            const ssize_t got = ::recv(ends.server.get(), buffer.data(), buffer.size(), 0);
            if (got <= 0)
                break;
            const auto expected = pattern.at(arrived, static_cast<std::size_t>(got));
            ASSERT_EQ(std::memcmp(buffer.data(), expected.data(), expected.size()), 0)
                << "behind byte " << arrived;
            arrived += static_cast<std::uint64_t>(got);
        }
    }
    EXPECT_EQ(arrived, sent);
}

// The kernel makes segments as large as it can, and not as it finds the path fast.
void make_large_segments() { std::ofstream("/proc/sys/net/ipv4/tcp_min_tso_segs") << 64; }

// Two namespaces with a TAP each.
struct TwoTaps {
    explicit TwoTaps(Offload offload = Offload::tcp_udp, std::uint32_t mtu = 1500)
        : one(make("10.1.0.1/24", "fd00::1/64", offload, mtu)),
          two((there.enter(), make("10.1.0.2/24", "fd00::2/64", offload, mtu))) {
        here.enter();
    }
    static Tap make(const char* four, const char* six, Offload offload, std::uint32_t mtu) {
        make_large_segments();
        // No search for doubles, which takes seconds; but the kernel still says later that there
        // are none.
        std::ofstream("/proc/sys/net/ipv6/conf/default/accept_dad") << 0;
        Tap tap = Tap::open({.name = "cw0",
                             .addresses = {InterfaceAddress::parse(four).value(),
                                           InterfaceAddress::parse(six).value()},
                             .mtu = mtu,
                             .offload = offload})
                      .value();
        EXPECT_TRUE(test::eventually([] {
            return ip({"-6", "addr", "show", "tentative"}).empty();
        }));
        return tap;
    }
    Namespace here;
    Tap one;
    Namespace there;
    Tap two;
    Fabric fabric{one, one.mac(), two, two.mac()};
};

TEST(RealTraffic, TcpCrossesInSegmentsOf60Kilobytes) {
    in_network([](const Namespace&) {
        struct Case {
            const char* to;
            std::uint8_t gso;
        };
        for (const Case& c : {Case{"::ffff:10.1.0.2", kGsoTcp4}, Case{"fd00::2", kGsoTcp6}}) {
            TwoTaps world;
            const Ends ends = connect(world.fabric, world.here, world.there, c.to);
            // They grow with the window.
            transfer(world.fabric, ends, [&](std::uint64_t sent) {
                return (sent > (1U << 20) && world.fabric.longest(c.gso) > 60000) ||
                       sent > (256U << 20);
            });
            EXPECT_GT(world.fabric.longest(c.gso), 60000U) << c.to;
            EXPECT_LE(world.fabric.longest(kGsoNone), 1514U);
        }
    });
}

TEST(RealTraffic, WithoutOffloadEveryFrameFitsTheMtu) {
    in_network([](const Namespace&) {
        TwoTaps world(Offload::none);
        EXPECT_EQ(world.one.offload(), Offload::none);
        const Ends ends = connect(world.fabric, world.here, world.there, "::ffff:10.1.0.2");
        transfer(world.fabric, ends, [](std::uint64_t sent) { return sent > (2U << 20); });
        EXPECT_EQ(world.fabric.longest(kGsoTcp4), 0U);
        EXPECT_EQ(world.fabric.longest(kGsoNone), 1514U);
    });
}

TEST(RealTraffic, DatagramsCrossUncut) {
    in_network([](const Namespace&) {
        TwoTaps world;
        if (world.one.offload() != Offload::tcp_udp)
            ::_exit(test::kSkipped);
        for (const char* to : {"::ffff:10.1.0.2", "fd00::2"}) {
            const sockaddr_in6 target = address(to, 4343);
            world.there.enter();
            const UniqueFd receiver(
                ::socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            const sockaddr_in6 any = address("::", 4343);
            ASSERT_EQ(::bind(receiver.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any),
                      0);
            world.here.enter();
            const UniqueFd sender(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            constexpr int kDatagram = 1000;
            ASSERT_EQ(
                ::setsockopt(sender.get(), SOL_UDP, UDP_SEGMENT, &kDatagram, sizeof kDatagram), 0);
            std::vector<std::byte> many(20 * kDatagram);
            test::Random(1).fill(many);
            ASSERT_EQ(::sendto(sender.get(), many.data(), many.size(), 0,
                               reinterpret_cast<const sockaddr*>(&target), sizeof target),
                      static_cast<ssize_t>(many.size()))
                << std::strerror(errno);
            std::vector<std::byte> all;
            for (int i = 0; i < 60 && all.size() < many.size(); ++i) {
                turn(world.fabric, {{receiver.get(), POLLIN, 0}});
                std::vector<std::byte> one(65536);
                ssize_t got = 0;
                while ((got = ::recv(receiver.get(), one.data(), one.size(), 0)) > 0) {
                    EXPECT_EQ(got, kDatagram);
                    all.insert(all.end(), one.begin(), one.begin() + got);
                }
            }
            EXPECT_EQ(all, many) << to;
            EXPECT_GT(world.fabric.longest(kGsoUdp), 20000U);
        }
    });
}

TEST(RealTraffic, TcpCrossesBetweenATapAndAVethPair) {
    in_network([](const Namespace& here) {
        make_large_segments();
        Tap tap = Tap::open({.name = "cw0",
                             .addresses = {InterfaceAddress::parse("10.1.0.1/24").value()}})
                      .value();
        const Namespace there;
        make_large_segments();
        test::make_veth("v0", "v1");
        (void)ip({"addr", "add", "10.1.0.2/24", "dev", "v1"});
        PacketSocket uplink = PacketSocket::open({.interface = "v0"}).value();
        RouteSocket route = RouteSocket::open().value();
        route.change_link("v1", {.mac = test::station(0x99)}).value();
        here.enter();
        Fabric fabric(tap, tap.mac(), uplink, test::station(0x99));
        for (const bool outward : {true, false}) {
            const Namespace& from = outward ? here : there;
            const Namespace& to = outward ? there : here;
            const Ends ends =
                connect(fabric, from, to, outward ? "::ffff:10.1.0.2" : "::ffff:10.1.0.1");
            transfer(fabric, ends, [](std::uint64_t sent) { return sent > (3U << 20); });
        }
        here.enter();
        EXPECT_GT(fabric.longest(kGsoTcp4), 20000U);
    });
}

}  // namespace
}  // namespace causeway::io::network
