#include "io/network/packet_socket.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/network_world.hpp"

namespace causeway::io::network {
namespace {

using test::in_network;
using test::ip;
using test::make_frame;
using test::Namespace;
using test::station;

Error refusal(const PacketSocketOptions& options) {
    const auto packets = PacketSocket::open(options);
    return packets.has_value() ? Error{} : packets.error();
}

// What is sent through an interface without these is not looked at by the kernel's own stack.
void no_ipv6() { std::ofstream("/proc/sys/net/ipv6/conf/default/disable_ipv6") << 1; }

TEST(PacketSocket, CarriesFramesBothWays) {
    in_network([](const Namespace&) {
        test::make_veth("v0", "v1");
        PacketSocket packets = PacketSocket::open({.interface = "v0"}).value();
        EXPECT_EQ(packets.interface(), "v0");
        EXPECT_EQ(packets.mtu(), 1500U);
        EXPECT_TRUE(packets.mac().is_station());
        EXPECT_NE(ip({"-json", "link", "show", "dev", "v0"})
                      .find("\"address\":\"" + packets.mac().to_string() + "\""),
                  std::string::npos);
        const test::RawSocket peer("v1");
        const test::Frame in = make_frame(station(1), station(2), 1514);
        peer.send(test::ethernet_of(in));
        EXPECT_EQ(test::next_frame(packets), in);  // for a station that is not here: promiscuous

        const test::Frame out = make_frame(station(2), station(1), 300);
        const IoResult written = packets.write(out);
        EXPECT_EQ(written.status, IoStatus::done);
        EXPECT_EQ(written.bytes, out.size());
        EXPECT_EQ(peer.next(), test::ethernet_of(out));
    });
}

TEST(PacketSocket, IsPromiscuousWhileItLives) {
    in_network([](const Namespace&) {
        test::make_veth("v0", "v1");
        const auto promiscuous = [] {
            return ip({"-details", "-json", "link", "show", "dev", "v0"})
                       .find("\"promiscuity\":1") != std::string::npos;
        };
        {
            const PacketSocket packets = PacketSocket::open({.interface = "v0"}).value();
            EXPECT_TRUE(promiscuous());
        }
        EXPECT_FALSE(promiscuous());
    });
}

TEST(PacketSocket, DoesNotHearItselfNorItsHost) {
    in_network([](const Namespace&) {
        test::make_veth("v0", "v1");
        PacketSocket packets = PacketSocket::open({.interface = "v0"}).value();
        const test::RawSocket host("v0");
        const test::RawSocket peer("v1");
        host.send(test::ethernet_of(make_frame(station(2), station(3), 100)));
        EXPECT_EQ(packets.write(make_frame(station(2), station(1), 200)).status, IoStatus::done);
        (void)peer.next();
        (void)peer.next();
        const test::Frame in = make_frame(station(1), station(2), 300);
        peer.send(test::ethernet_of(in));
        EXPECT_EQ(test::next_frame(packets), in);
    });
}

TEST(PacketSocket, AVlanTagStays) {
    in_network([](const Namespace&) {
        no_ipv6();
        test::make_veth("v0", "v1");
        PacketSocket one = PacketSocket::open({.interface = "v0"}).value();
        PacketSocket other = PacketSocket::open({.interface = "v1"}).value();
        for (const std::uint16_t protocol : {std::uint16_t{0x8100}, std::uint16_t{0x88a8}}) {
            test::Frame tagged = make_frame(station(1), station(2), 200, protocol);
            test::put_number(tagged, 26, 0x6005);  // priority 3, VLAN 5
            test::put_number(tagged, 28, test::kTestType);
            EXPECT_EQ(one.write(tagged).status, IoStatus::done);
            EXPECT_EQ(test::next_frame(other), tagged);
            // An open checksum is where it was, four bytes further than the kernel says.
            VnetHeader header{.flags = kNeedsChecksum, .csum_start = 42, .csum_offset = 6};
            test::put_header(tagged, header);
            EXPECT_EQ(one.write(tagged).status, IoStatus::done);
            EXPECT_EQ(test::next_frame(other), tagged);
        }
        // Where it finds no room.
        test::Frame tagged = make_frame(station(1), station(2), 200, 0x8100);
        test::put_number(tagged, 28, test::kTestType);
        EXPECT_EQ(one.write(tagged).status, IoStatus::done);
        ASSERT_TRUE(test::readable(other.fd()));
        test::Frame buffer(tagged.size() - 1);
        const IoResult result = other.read(buffer);
        EXPECT_EQ(name(result.status), std::string("refused"));
        EXPECT_EQ(result.error, EMSGSIZE);
    });
}

TEST(PacketSocket, AFrameThatDoesNotFitIsLostAndSaid) {
    in_network([](const Namespace&) {
        no_ipv6();
        test::make_veth("v0", "v1");
        PacketSocket packets = PacketSocket::open({.interface = "v0"}).value();
        const test::RawSocket peer("v1");
        const test::Frame large = make_frame(station(1), station(2), 1000);
        const test::Frame small = make_frame(station(1), station(2), 100);
        for (int i = 0; i < 2; ++i)
            peer.send(test::ethernet_of(large));
        peer.send(test::ethernet_of(small));
        ASSERT_TRUE(test::readable(packets.fd()));
        test::Frame buffer(large.size());
        EXPECT_EQ(packets.read(buffer).status, IoStatus::done);
        EXPECT_EQ(buffer, large);
        buffer.pop_back();
        const IoResult result = packets.read(buffer);
        EXPECT_EQ(name(result.status), std::string("refused"));
        EXPECT_EQ(result.error, EMSGSIZE);
        EXPECT_EQ(test::next_frame(packets), small);
        EXPECT_EQ(packets.read(buffer).status, IoStatus::again);
    });
}

// What has to be cut passes whole to who can cut it.
TEST(PacketSocket, ASegmentOf60KilobytesPasses) {
    in_network([](const Namespace&) {
        no_ipv6();
        test::make_veth("v0", "v1");
        PacketSocket one = PacketSocket::open({.interface = "v0"}).value();
        PacketSocket other = PacketSocket::open({.interface = "v1"}).value();
        test::Frame large = test::make_tcp4(station(1), station(2), 60000);
        large[26] = std::byte{0x45};  // IPv4, 20 bytes of header, TCP
        test::put_number(large, 28, 60000 - 14);
        large[35] = std::byte{6};
        large[46 + 12] = std::byte{0x50};  // 20 bytes of header
        EXPECT_EQ(one.write(large).status, IoStatus::done);
        ASSERT_TRUE(test::readable(other.fd()));
        test::Frame buffer(kMaxFrame);
        const IoResult result = other.read(buffer);
        ASSERT_EQ(result.status, IoStatus::done);
        ASSERT_EQ(result.bytes, large.size());
        const CheckedFrame checked = check_frame(std::span(buffer).first(result.bytes), 1500);
        EXPECT_STREQ(name(checked.verdict), "good");
        EXPECT_EQ(checked.facts.header.gso_type, kGsoTcp4);
        EXPECT_EQ(checked.facts.header.gso_size, 1448);
        EXPECT_EQ(checked.facts.header.csum_start, 34);
        EXPECT_EQ(std::memcmp(buffer.data() + kHeadSize, large.data() + kHeadSize, 60000 - 14), 0);
        // Without the header it is a frame over the MTU.
        test::put_header(large, {});
        const IoResult refused = one.write(large);
        EXPECT_EQ(name(refused.status), std::string("refused"));
        EXPECT_EQ(refused.error, EMSGSIZE);
    });
}

TEST(PacketSocket, AnInterfaceMayGoDownAndComeBack) {
    in_network([](const Namespace&) {
        no_ipv6();
        test::make_veth("v0", "v1");
        PacketSocket packets = PacketSocket::open({.interface = "v0"}).value();
        const test::RawSocket peer("v1");
        const test::Frame frame = make_frame(station(1), station(2));
        test::Frame buffer(kMaxFrame);
        (void)ip({"link", "set", "v0", "down"});
        const IoResult down = packets.read(buffer);
        EXPECT_EQ(name(down.status), std::string("again"));
        EXPECT_EQ(down.error, ENETDOWN);
        EXPECT_EQ(packets.read(buffer).error, EAGAIN);
        const IoResult written = packets.write(frame);
        EXPECT_EQ(name(written.status), std::string("refused"));
        EXPECT_EQ(written.error, ENETDOWN);
        (void)ip({"link", "set", "v0", "up"});
        test::wait_until_up("v0");
        test::wait_until_up("v1");
        peer.send(test::ethernet_of(frame));
        EXPECT_EQ(test::next_frame(packets), frame);
        EXPECT_EQ(packets.write(frame).status, IoStatus::done);
        (void)ip({"link", "delete", "v0"});
        EXPECT_EQ(name(packets.read(buffer).status), std::string("gone"));
        EXPECT_EQ(name(packets.write(frame).status), std::string("gone"));
    });
}

TEST(PacketSocket, CountsWhatTheKernelHadNoRoomFor) {
    in_network([](const Namespace&) {
        no_ipv6();
        test::make_veth("v0", "v1");
        PacketSocket packets =
            PacketSocket::open({.interface = "v0", .receive_buffer = 8192}).value();
        const test::RawSocket peer("v1");
        EXPECT_EQ(packets.take_lost(), 0U);
        constexpr std::uint64_t kSent = 200;
        for (std::uint64_t i = 0; i < kSent; ++i)
            peer.send(test::ethernet_of(make_frame(station(1), station(2), 1000)));
        std::uint64_t read = 0;
        std::uint64_t lost = 0;
        // veth hands over on its own time: until all are accounted for.
        EXPECT_TRUE(test::eventually([&] {
            test::Frame buffer(kMaxFrame);
            while (packets.read(buffer).status == IoStatus::done)
                ++read;
            lost += packets.take_lost();
            return read + lost == kSent;
        })) << read
            << " read and " << lost << " lost";
        EXPECT_GT(lost, 0U);
    });
}

TEST(PacketSocket, LivesInAnotherNamespace) {
    in_network([](const Namespace& here) {
        const Namespace there;
        test::make_veth("v0", "v1");
        here.enter();
        PacketSocket packets =
            PacketSocket::open({.interface = "v0", .netns = there.path()}).value();
        there.enter();
        const test::RawSocket peer("v1");
        here.enter();
        const test::Frame frame = make_frame(station(1), station(2));
        peer.send(test::ethernet_of(frame));
        EXPECT_EQ(test::next_frame(packets), frame);
        EXPECT_EQ(refusal({.interface = "v0"}).code, ErrorCode::not_found);
    });
}

TEST(PacketSocket, SaysWhatCannotBe) {
    in_network([](const Namespace&) {
        test::make_veth("v0", "v1");
        Error error = refusal({.interface = "v9"});
        EXPECT_EQ(error.code, ErrorCode::not_found);
        EXPECT_NE(error.text.find("no interface v9"), std::string::npos) << error.text;
        error = refusal({.interface = "lo"});
        EXPECT_EQ(error.code, ErrorCode::invalid_argument);
        EXPECT_NE(error.text.find("not Ethernet"), std::string::npos) << error.text;
        EXPECT_EQ(refusal({.interface = "a/b"}).code, ErrorCode::invalid_argument);
        test::drop_capabilities();
        error = refusal({.interface = "v0"});
        EXPECT_EQ(error.code, ErrorCode::denied);
        EXPECT_NE(error.text.find("CAP_NET_RAW"), std::string::npos) << error.text;
    });
}

}  // namespace
}  // namespace causeway::io::network
