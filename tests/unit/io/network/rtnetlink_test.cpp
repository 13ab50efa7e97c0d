#include "io/network/rtnetlink.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "support/network_world.hpp"

namespace causeway::io::network {
namespace {

TEST(InterfaceAddress, ReadsBothFamilies) {
    const InterfaceAddress four = InterfaceAddress::parse("10.1.0.2/24").value();
    EXPECT_EQ(four.family, AF_INET);
    EXPECT_EQ(four.prefix, 24);
    EXPECT_EQ(four.size(), 4U);
    EXPECT_EQ(four.to_string(), "10.1.0.2/24");
    const InterfaceAddress six = InterfaceAddress::parse("FD00:0::2/64").value();
    EXPECT_EQ(six.family, AF_INET6);
    EXPECT_EQ(six.to_string(), "fd00::2/64");
    EXPECT_EQ(InterfaceAddress::parse("10.1.0.2/32").value().prefix, 32);
    EXPECT_EQ(InterfaceAddress::parse("::1/128").value().prefix, 128);
}

TEST(InterfaceAddress, RefusesWhatIsNone) {
    for (const char* bad : {"", "/", "/24", "10.1.0.2", "10.1.0.2/", "10.1.0.2/0", "10.1.0.2/33",
                            "10.1.0.2/24 ", "10.1.0.2/+4", "10.1.0.2/300", "10.1.0/24",
                            "10.1.0.256/24", "fd00::2/129", "fd00:::2/64", "host/24"}) {
        const auto parsed = InterfaceAddress::parse(bad);
        ASSERT_FALSE(parsed.has_value()) << bad;
        EXPECT_EQ(parsed.error().code, ErrorCode::invalid_argument);
        EXPECT_NE(parsed.error().text.find("10.1.0.2/24"), std::string::npos);
    }
}

TEST(InterfaceName, IsWhatTheKernelTakes) {
    for (const char* good : {"a", "cw0", "eth0.5", "fifteen-bytes-x"})
        EXPECT_TRUE(check_interface_name(good).has_value()) << good;
    for (const char* bad : {"", ".", "..", "a/b", "a b", "a:1", "cw%d", "\x80", "sixteen-bytes-xx"})
        EXPECT_FALSE(check_interface_name(bad).has_value()) << bad;
    const auto text = check_interface_name("sixteen-bytes-xx").error().text;
    EXPECT_NE(text.find("16 bytes"), std::string::npos) << text;
    EXPECT_NE(text.find("15"), std::string::npos) << text;
}

TEST(RouteSocket, SetsUpAnInterface) {
    test::in_network([](const test::Namespace&) {
        test::make_veth("v0", "v1");
        RouteSocket route = RouteSocket::open().value();
        (void)test::ip({"link", "set", "v0", "down"});
        route.change_link("v0", {.mac = MacAddress({2, 3, 4, 5, 6, 7}), .mtu = 4000, .up = true})
            .value();
        route.add_address("v0", InterfaceAddress::parse("10.1.2.3/20").value()).value();
        route.add_address("v0", InterfaceAddress::parse("10.9.2.3/31").value()).value();
        const std::string shown = test::ip({"-json", "addr", "show", "dev", "v0"});
        for (const char* part :
             {"\"UP\"", "\"mtu\":4000", "\"address\":\"02:03:04:05:06:07\"",
              "\"local\":\"10.1.2.3\",\"prefixlen\":20,\"broadcast\":\"10.1.15.255\"",
              "\"local\":\"10.9.2.3\",\"prefixlen\":31,\"scope\""})
            EXPECT_NE(shown.find(part), std::string::npos) << part << " in " << shown;
    });
}

TEST(RouteSocket, SaysWhatTheKernelRefuses) {
    test::in_network([](const test::Namespace&) {
        test::make_veth("v0", "v1");
        RouteSocket route = RouteSocket::open().value();
        const auto twice = InterfaceAddress::parse("10.1.2.3/20").value();
        route.add_address("v0", twice).value();
        const auto again = route.add_address("v0", twice);
        ASSERT_FALSE(again.has_value());
        EXPECT_NE(again.error().text.find("10.1.2.3/20"), std::string::npos);
        const auto mtu = route.change_link("v0", {.mtu = 100000});
        ASSERT_FALSE(mtu.has_value());
        EXPECT_NE(mtu.error().text.find("MTU 100000"), std::string::npos) << mtu.error().text;
        const auto nobody = route.change_link("v7", {});
        ASSERT_FALSE(nobody.has_value());
        EXPECT_EQ(nobody.error().code, ErrorCode::not_found);
        test::drop_capabilities();
        const auto denied = route.change_link("v0", {.mtu = 2000});
        ASSERT_FALSE(denied.has_value());
        EXPECT_EQ(denied.error().code, ErrorCode::denied);
        EXPECT_NE(denied.error().text.find("CAP_NET_ADMIN"), std::string::npos);
    });
}

}  // namespace
}  // namespace causeway::io::network
