#include "io/network/mac.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <unordered_set>

namespace causeway::io::network {
namespace {

TEST(MacAddress, ReadsWhatItWrites) {
    const MacAddress mac({0x02, 0x1a, 0x2b, 0x3c, 0x4d, 0xff});
    EXPECT_EQ(mac.to_string(), "02:1a:2b:3c:4d:ff");
    EXPECT_EQ(MacAddress::parse("02:1a:2b:3c:4d:ff").value(), mac);
    EXPECT_EQ(MacAddress::parse("02-1A-2B-3C-4D-FF").value(), mac);
    EXPECT_EQ(mac.number(), 0x021a2b3c4dffU);
}

TEST(MacAddress, RefusesWhatIsNone) {
    for (const char* bad :
         {"", "02:1a:2b:3c:4d", "02:1a:2b:3c:4d:f", "02:1a:2b:3c:4d:fff", "02:1a:2b:3c:4d:fg",
          "02:1a:2b:3c-4d:ff", "02.1a.2b.3c.4d.ff", "021a2b3c4dff00000", " 2:1a:2b:3c:4d:ff",
          "+2:1a:2b:3c:4d:ff", "02:1a:2b:3c:4d:ff ", "02:1a:2b:3c:4d:\xff\xff"}) {
        const auto mac = MacAddress::parse(bad);
        ASSERT_FALSE(mac.has_value()) << bad;
        EXPECT_EQ(mac.error().code, ErrorCode::invalid_argument);
        EXPECT_NE(mac.error().text.find("is no MAC address"), std::string::npos);
        EXPECT_NE(mac.error().text.find("02:00:00:00:00:01"), std::string::npos);
    }
}

TEST(MacAddress, SaysWhatKindItIs) {
    EXPECT_TRUE(MacAddress::broadcast().is_broadcast());
    EXPECT_TRUE(MacAddress::broadcast().is_multicast());
    EXPECT_FALSE(MacAddress::broadcast().is_station());
    EXPECT_TRUE(MacAddress().is_zero());
    EXPECT_FALSE(MacAddress().is_station());
    const MacAddress group = MacAddress::parse("01:00:5e:00:00:01").value();
    EXPECT_TRUE(group.is_multicast());
    EXPECT_FALSE(group.is_broadcast());
    EXPECT_FALSE(group.is_link_local());
    const MacAddress maker = MacAddress::parse("00:1b:21:00:00:01").value();
    EXPECT_TRUE(maker.is_station());
    EXPECT_FALSE(maker.is_local());
}

TEST(MacAddress, LinkLocalIsSixteenAddresses) {
    for (const char* inside : {"01:80:c2:00:00:00", "01:80:c2:00:00:0e", "01:80:c2:00:00:0f"})
        EXPECT_TRUE(MacAddress::parse(inside).value().is_link_local()) << inside;
    for (const char* outside : {"01:80:c2:00:00:10", "01:80:c1:ff:ff:ff", "00:80:c2:00:00:00"})
        EXPECT_FALSE(MacAddress::parse(outside).value().is_link_local()) << outside;
}

// The number is a promise: addresses that neighbours and DHCP servers remember depend on it.
TEST(MacAddress, ANameAlwaysGivesTheSame) {
    EXPECT_EQ(MacAddress::from_name("orders").to_string(), "2a:72:fc:68:0b:7d");
    EXPECT_EQ(MacAddress::from_name("").to_string(), "9a:e8:b5:a9:e9:15");
}

TEST(MacAddress, NamesGiveDifferentLocalAddresses) {
    std::set<MacAddress> seen;
    for (int i = 0; i < 10000; ++i) {
        const MacAddress mac = MacAddress::from_name("partition-" + std::to_string(i));
        EXPECT_TRUE(mac.is_local() && mac.is_station()) << mac.to_string();
        seen.insert(mac);
    }
    EXPECT_EQ(seen.size(), 10000U);
}

TEST(MacAddress, ChanceGivesDifferentLocalAddresses) {
    std::set<MacAddress> seen;
    for (int i = 0; i < 100; ++i) {
        const MacAddress mac = MacAddress::random_local().value();
        EXPECT_TRUE(mac.is_local() && mac.is_station()) << mac.to_string();
        seen.insert(mac);
    }
    EXPECT_EQ(seen.size(), 100U);
}

TEST(MacAddress, TheSeedDecidesWhereAnAddressGoes) {
    std::unordered_set<MacAddress> set;
    std::size_t moved = 0;
    for (std::uint8_t i = 0; i < 200; ++i) {
        const MacAddress mac({2, 0, 0, 0, 0, i});
        set.insert(mac);
        moved += hash(mac, 1) % 4096 != hash(mac, 2) % 4096 ? 1 : 0;
    }
    EXPECT_EQ(set.size(), 200U);
    EXPECT_GT(moved, 190U);
}

}  // namespace
}  // namespace causeway::io::network
