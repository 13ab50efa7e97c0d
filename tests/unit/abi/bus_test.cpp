// The golden bytes of abi/bus.hpp.
#include <gtest/gtest.h>

#include <causeway/abi/bus.hpp>
#include <cstring>

#include "golden.hpp"

namespace causeway {
namespace {

using test::hex_lines_of;

template<typename T>
T message(abi::Request type, std::uint16_t bit = 0) {
    T m{};
    m.header.size = sizeof(T);
    m.header.type = static_cast<std::uint16_t>(static_cast<std::uint16_t>(type) | bit);
    m.header.sequence = 0x0a0b0c0d;
    return m;
}

TEST(BusAbi, RequestAndReplyStandAsSpecified) {
    auto request = message<abi::BusRequest>(abi::Request::bus);
    request.kind = static_cast<std::uint32_t>(abi::BusKind::users);
    request.flags = abi::bus_flag::kTell;
    request.controller = 0x1112131415161718;
    request.cursor = 0x2122232425262728;
    request.known = 0x3132333435363738;
    EXPECT_EQ(hex_lines_of(request),
              "0000: 30 00 00 00 1d 00 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 01 00 00 00 01 00 00 00 18 17 16 15 14 13 12 11\n"
              "0020: 28 27 26 25 24 23 22 21 38 37 36 35 34 33 32 31\n");
    EXPECT_EQ(abi::bus_flag::kAll, 1U);
    auto reply = message<abi::BusReply>(abi::Request::bus, abi::kReplyBit);
    reply.rows = 0x01020304;
    reply.row_size = sizeof(abi::ControllerRow);
    reply.next = 0x1112131415161718;
    reply.generation = 0x2122232425262728;
    EXPECT_EQ(hex_lines_of(reply),
              "0000: 28 00 00 00 1d 80 00 00 0d 0c 0b 0a 00 00 00 00\n"
              "0010: 04 03 02 01 98 00 00 00 18 17 16 15 14 13 12 11\n"
              "0020: 28 27 26 25 24 23 22 21\n");
}

TEST(BusAbi, RowsStandAsSpecified) {
    abi::ControllerRow row{};
    row.controller = 0x1112131415161718;
    std::strcpy(row.partition, "p");
    std::strcpy(row.service, "s");
    row.type = static_cast<std::uint32_t>(abi::ControllerType::other);
    row.state = static_cast<std::uint32_t>(abi::ControllerState::away);
    row.connections = 0x01020304;
    row.users = 0x05060708;
    EXPECT_EQ(hex_lines_of(row),
              "0000: 18 17 16 15 14 13 12 11 70 00 00 00 00 00 00 00\n"
              "0040: 00 00 00 00 00 00 00 00 73 00 00 00 00 00 00 00\n"
              "0080: 00 00 00 00 00 00 00 00 04 00 00 00 02 00 00 00\n"
              "0090: 04 03 02 01 08 07 06 05\n");
    abi::BusUserRow user{};
    std::strcpy(user.partition, "u");
    user.connections = 0x01020304;
    EXPECT_EQ(hex_lines_of(user),
              "0000: 75 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0040: 04 03 02 01 00 00 00 00\n");
}

TEST(BusAbi, NumbersStand) {
    EXPECT_EQ(static_cast<int>(abi::ControllerType::none), 0);
    EXPECT_EQ(static_cast<int>(abi::ControllerType::network), 1);
    EXPECT_EQ(static_cast<int>(abi::ControllerType::block), 2);
    EXPECT_EQ(static_cast<int>(abi::ControllerType::security), 3);
    EXPECT_EQ(static_cast<int>(abi::ControllerState::up), 1);
    EXPECT_EQ(static_cast<int>(abi::BusKind::controllers), 0);
}

}  // namespace
}  // namespace causeway
