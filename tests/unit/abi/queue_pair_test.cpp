// Golden bytes of a queue pair's memory and of the doorbell page, and where the rings lie.
#include <causeway/abi/doorbell.hpp>
#include <causeway/abi/queue_pair.hpp>

#include <gtest/gtest.h>

#include <new>
#include <vector>

#include "unit/abi/golden.hpp"

namespace causeway::test {
namespace {

TEST(QueuePairLayout, StandsAsSpecified) {
    alignas(64) std::byte memory[sizeof(abi::QueuePairLayout)] = {};
    auto& q = *new (memory) abi::QueuePairLayout{};
    q.magic = abi::kQueuePairMagic;
    q.major = 0x0102;
    q.minor = 0x0304;
    q.features = 0x05060708;
    q.total_size = 0x1112131415161718;
    q.send_entries = 0x21222324;
    q.receive_entries = 0x31323334;
    q.send_completion_entries = 0x41424344;
    q.receive_completion_entries = 0x51525354;
    q.doorbell_bit = 0x61626364;
    q.ready_bit = 0x71727374;
    q.id = 0x81828384;
    q.state = 0x91929394;
    q.reason = 0xa1a2a3a4;
    q.attention = 0xb1b2b3b4;
    q.executor = 0xb5b6b7b8;
    q.send_taken = 0xc1c2c3c4c5c6c7c8;
    q.revocations = 0xc9cacbcc;
    q.send_completions_read = 0xd1d2d3d4d5d6d7d8;
    q.receive_completions_read = 0xe1e2e3e4e5e6e7e8;
    q.polled = 0xf1f2f3f4;
    q.open = 0xf5f6f7f8;
    EXPECT_EQ(hex_lines(memory),
              "0000: 43 55 41 57 59 51 50 31 02 01 04 03 08 07 06 05\n"
              "0010: 18 17 16 15 14 13 12 11 24 23 22 21 34 33 32 31\n"
              "0020: 44 43 42 41 54 53 52 51 64 63 62 61 74 73 72 71\n"
              "0030: 84 83 82 81 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0040: 94 93 92 91 a4 a3 a2 a1 b4 b3 b2 b1 b8 b7 b6 b5\n"
              "0050: c8 c7 c6 c5 c4 c3 c2 c1 cc cb ca c9 00 00 00 00\n"
              "0080: d8 d7 d6 d5 d4 d3 d2 d1 e8 e7 e6 e5 e4 e3 e2 e1\n"
              "0090: f4 f3 f2 f1 f8 f7 f6 f5 00 00 00 00 00 00 00 00\n");
}

TEST(QueuePairLayout, RingsFollowTheHeaderInOrder) {
    const auto at = abi::queue_pair_offsets({4, 8, 16, 32});
    EXPECT_EQ(at.send, 256U);
    EXPECT_EQ(at.receive, 256U + 4 * 64);
    EXPECT_EQ(at.send_completions, 256U + 12 * 64);
    EXPECT_EQ(at.receive_completions, 256U + 28 * 64);
    EXPECT_EQ(at.total, 4096U);  // 192 + 60 * 64 = 4032, rounded up to pages
    const auto one_more = abi::queue_pair_offsets({4, 8, 32, 32});
    EXPECT_EQ(one_more.total, 8192U);
    const auto most = abi::queue_pair_offsets({1U << 16, 1U << 16, 1U << 16, 1U << 16});
    EXPECT_EQ(most.total, (std::uint64_t{4} << 22) + 4096);
}

TEST(QueuePairLayout, RingSizesArePowersOfTwoWithinLimits) {
    EXPECT_FALSE(abi::valid_ring_entries(0));
    EXPECT_FALSE(abi::valid_ring_entries(2));
    EXPECT_TRUE(abi::valid_ring_entries(4));
    EXPECT_FALSE(abi::valid_ring_entries(5));
    EXPECT_FALSE(abi::valid_ring_entries(63));
    EXPECT_TRUE(abi::valid_ring_entries(64));
    EXPECT_TRUE(abi::valid_ring_entries(1U << 16));
    EXPECT_FALSE(abi::valid_ring_entries(1U << 17));
    EXPECT_FALSE(abi::valid_ring_entries(1U << 31));
    EXPECT_FALSE(abi::valid_ring_entries(UINT32_MAX));
}

TEST(QueuePairLayout, NumbersOfStatesAndAttentionStand) {
    EXPECT_EQ(static_cast<int>(abi::QueuePairState::idle), 0);
    EXPECT_EQ(static_cast<int>(abi::QueuePairState::connecting), 1);
    EXPECT_EQ(static_cast<int>(abi::QueuePairState::connected), 2);
    EXPECT_EQ(static_cast<int>(abi::QueuePairState::refused), 3);
    EXPECT_EQ(static_cast<int>(abi::QueuePairState::closed), 4);
    EXPECT_EQ(abi::attention::kPolled, 1U);
    EXPECT_EQ(abi::attention::kWantsReceive, 2U);
}

TEST(DoorbellLayout, StandsAsSpecified) {
    alignas(64) std::byte memory[sizeof(abi::DoorbellLayout)] = {};
    auto& d = *new (memory) abi::DoorbellLayout{};
    d.asleep = 0x01020304;
    d.summary = 0x1112131415161718;
    d.words[0] = 0x2122232425262728;
    d.words[63] = 0x3132333435363738;
    EXPECT_EQ(hex_lines(memory),
              "0000: 04 03 02 01 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0040: 18 17 16 15 14 13 12 11 00 00 00 00 00 00 00 00\n"
              "0080: 28 27 26 25 24 23 22 21 00 00 00 00 00 00 00 00\n"
              "0270: 00 00 00 00 00 00 00 00 38 37 36 35 34 33 32 31\n");
    EXPECT_EQ(abi::kDoorbellBits, 4096U);
    EXPECT_EQ(static_cast<int>(abi::DoorbellEvent::connection_wanted), 0);
    EXPECT_EQ(static_cast<int>(abi::DoorbellEvent::queue_pair_changed), 1);
    EXPECT_EQ(static_cast<int>(abi::DoorbellEvent::segment_changed), 2);
    EXPECT_EQ(static_cast<int>(abi::DoorbellEvent::bus_changed), 3);
}

}  // namespace
}  // namespace causeway::test
