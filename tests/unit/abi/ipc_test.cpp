// Golden bytes of what queues, pipes and servers say to each other.
#include <causeway/abi/ipc.hpp>

#include <gtest/gtest.h>

#include "unit/abi/golden.hpp"

namespace causeway::test {
namespace {

TEST(IpcAbi, GreetingStandsAsSpecified) {
    abi::Greeting greeting{};
    greeting.magic = abi::kGreetingMagic;
    greeting.version = abi::kIpcVersion;
    greeting.kind = static_cast<std::uint16_t>(abi::IpcKind::requests);
    greeting.largest = 0x01020304;
    greeting.window = 0x05060708;
    greeting.largest_answer = 0x090a0b0c;
    EXPECT_EQ(hex_lines_of(greeting),
              "0000: 49 57 50 43 01 00 03 00 04 03 02 01 08 07 06 05\n"
              "0010: 0c 0b 0a 09 00 00 00 00 00 00 00 00 00 00 00 00\n");
}

TEST(IpcAbi, NumbersOfKindsStand) {
    EXPECT_EQ(static_cast<int>(abi::IpcKind::message_queue), 1);
    EXPECT_EQ(static_cast<int>(abi::IpcKind::pipe), 2);
    EXPECT_EQ(static_cast<int>(abi::IpcKind::requests), 3);
}

TEST(IpcAbi, TagsKeepSlotAndLapApart) {
    EXPECT_EQ(abi::make_tag(0x1234, 0x5678), 0x56781234U);
    EXPECT_EQ(abi::tag_slot(0x56781234), 0x1234U);
    EXPECT_EQ(abi::tag_lap(0x56781234), 0x5678U);
    EXPECT_EQ(abi::tag_lap(0x56781234 | abi::tag::kUnanswered), 0x5678U);
    EXPECT_EQ(abi::make_tag(0xffff, UINT32_MAX) & abi::tag::kUnanswered, 0U);
}

}  // namespace
}  // namespace causeway::test
