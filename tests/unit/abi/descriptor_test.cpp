// Golden bytes: what stands in memory for a filled descriptor and completion, to the byte. A change
// here is a change of the ABI.
#include <causeway/abi/completion.hpp>
#include <causeway/abi/descriptor.hpp>
#include <causeway/abi/queue_pair.hpp>
#include <causeway/abi/status.hpp>

#include <gtest/gtest.h>

#include "unit/abi/golden.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;

TEST(Descriptor, SendReceiveIsFigure9A) {
    abi::Descriptor d{};
    d.control = {.opcode = static_cast<std::uint8_t>(abi::Opcode::send),
                 .flags = flag::kSignaled | flag::kImmediate,
                 .segments = 2,
                 .phase = 0x7f,
                 .immediate = 0x01020304,
                 .id = 0x1112131415161718};
    d.data[0] = {.length = 0x21222324, .handle = 0x31323334, .address = 0x4142434445464748};
    d.data[1] = {.length = 0x51525354, .handle = 0x61626364, .address = 0x7172737475767778};
    EXPECT_EQ(hex_of(d),
              "01 05 02 7f 04 03 02 01 18 17 16 15 14 13 12 11\n"
              "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "24 23 22 21 34 33 32 31 48 47 46 45 44 43 42 41\n"
              "54 53 52 51 64 63 62 61 78 77 76 75 74 73 72 71");
}

TEST(Descriptor, RdmaIsFigure9B) {
    abi::Descriptor d{};
    d.control = {.opcode = static_cast<std::uint8_t>(abi::Opcode::write),
                 .flags = flag::kSignaled,
                 .segments = 1,
                 .phase = 1,
                 .immediate = 0,
                 .id = 3};
    d.address = {.handle = 0xa1a2a3a4, .generation = 0xb1b2b3b4, .address = 0xc1c2c3c4c5c6c7c8};
    d.data[0] = {.length = 0x21222324, .handle = 0x31323334, .address = 0x4142434445464748};
    EXPECT_EQ(hex_of(d),
              "03 04 01 01 00 00 00 00 03 00 00 00 00 00 00 00\n"
              "a4 a3 a2 a1 b4 b3 b2 b1 c8 c7 c6 c5 c4 c3 c2 c1\n"
              "24 23 22 21 34 33 32 31 48 47 46 45 44 43 42 41\n"
              "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
}

TEST(Descriptor, InlinePayloadLiesWhereTheDataSegmentsLay) {
    abi::Descriptor d{};
    d.control.opcode = static_cast<std::uint8_t>(abi::Opcode::append);
    d.control.flags = flag::kInline | flag::kFence;
    d.control.segments = abi::kMaxInline;
    for (std::uint8_t i = 0; i < abi::kMaxInline; ++i)
        d.payload[i] = i;
    EXPECT_EQ(hex_of(d),
              "05 0a 20 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n"
              "10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f");
}

TEST(Descriptor, NumbersOfOpcodesAndFlagsStand) {
    EXPECT_EQ(static_cast<int>(abi::Opcode::send), 1);
    EXPECT_EQ(static_cast<int>(abi::Opcode::receive), 2);
    EXPECT_EQ(static_cast<int>(abi::Opcode::write), 3);
    EXPECT_EQ(static_cast<int>(abi::Opcode::read), 4);
    EXPECT_EQ(static_cast<int>(abi::Opcode::append), 5);
    EXPECT_EQ(static_cast<int>(abi::Opcode::nop), 6);
    EXPECT_EQ(flag::kImmediate, 1);
    EXPECT_EQ(flag::kInline, 2);
    EXPECT_EQ(flag::kSignaled, 4);
    EXPECT_EQ(flag::kFence, 8);
    EXPECT_EQ(flag::kMore, 16);
    EXPECT_EQ(flag::kAll, 31);
}

TEST(Descriptor, PhaseCountsLapsFromOneAndWrapsAfter256) {
    EXPECT_EQ(abi::phase_of_lap(0, 64), 1);
    EXPECT_EQ(abi::phase_of_lap(63, 64), 1);
    EXPECT_EQ(abi::phase_of_lap(64, 64), 2);
    EXPECT_EQ(abi::phase_of_lap(254 * 64 + 63, 64), 255);
    EXPECT_EQ(abi::phase_of_lap(255 * 64, 64), 0);
    EXPECT_EQ(abi::phase_of_lap(256 * 64, 64), 1);
    EXPECT_EQ(abi::phase_of_lap(UINT64_MAX, 4), 0);
    // Two laps in a row never look alike, whatever the ring.
    for (std::uint32_t entries = abi::kMinRingEntries; entries <= abi::kMaxRingEntries;
         entries *= 2) {
        for (std::uint64_t lap = 0; lap < 600; ++lap) {
            ASSERT_NE(abi::phase_of_lap(lap * entries, entries),
                      abi::phase_of_lap((lap + 1) * entries, entries));
        }
    }
}

TEST(Completion, StandsAsSpecified) {
    abi::Completion c{};
    c.status = static_cast<std::uint8_t>(abi::Status::remote_access);
    c.opcode = static_cast<std::uint8_t>(abi::Opcode::receive);
    c.flags = abi::completion_flag::kImmediate | abi::completion_flag::kPayload;
    c.phase = 0x7f;
    c.slot = 0x01020304;
    c.length = 0x11121314;
    c.immediate = 0x21222324;
    c.offset = 0x3132333435363738;
    c.sequence = 0x4142434445464748;
    for (std::uint8_t i = 0; i < abi::kMaxInline; ++i) {
        c.payload[i] = static_cast<std::uint8_t>(0xe0 + i);
    }
    EXPECT_EQ(hex_of(c),
              "03 02 03 7f 04 03 02 01 14 13 12 11 24 23 22 21\n"
              "38 37 36 35 34 33 32 31 48 47 46 45 44 43 42 41\n"
              "e0 e1 e2 e3 e4 e5 e6 e7 e8 e9 ea eb ec ed ee ef\n"
              "f0 f1 f2 f3 f4 f5 f6 f7 f8 f9 fa fb fc fd fe ff");
}

TEST(Status, NumbersStand) {
    EXPECT_EQ(static_cast<int>(abi::Status::success), 0);
    EXPECT_EQ(static_cast<int>(abi::Status::local_length), 1);
    EXPECT_EQ(static_cast<int>(abi::Status::local_protection), 2);
    EXPECT_EQ(static_cast<int>(abi::Status::remote_access), 3);
    EXPECT_EQ(static_cast<int>(abi::Status::remote_length), 4);
    EXPECT_EQ(static_cast<int>(abi::Status::receiver_not_ready), 5);
    EXPECT_EQ(static_cast<int>(abi::Status::bad_descriptor), 6);
    EXPECT_EQ(static_cast<int>(abi::Status::flushed), 7);
    EXPECT_EQ(static_cast<int>(abi::Status::peer_gone), 8);
    EXPECT_EQ(static_cast<int>(abi::Status::denied), 9);
    EXPECT_EQ(abi::kStatusCount, 10);
}

TEST(Error, NumbersStand) {
    constexpr abi::Error kInOrder[] = {
        abi::Error::none,        abi::Error::invalid_argument, abi::Error::no_adapter,
        abi::Error::denied,      abi::Error::name_in_use,      abi::Error::not_found,
        abi::Error::no_memory,   abi::Error::limit_reached,    abi::Error::timed_out,
        abi::Error::again,       abi::Error::peer_gone,        abi::Error::protocol,
        abi::Error::version,     abi::Error::forked,           abi::Error::system,
        abi::Error::wrong_state, abi::Error::adapter_gone,     abi::Error::unsupported,
    };
    static_assert(std::size(kInOrder) == abi::kErrorCount);
    for (int i = 0; i < abi::kErrorCount; ++i)
        EXPECT_EQ(static_cast<int>(kInOrder[i]), i);
}

}  // namespace
}  // namespace causeway::test
