// Every operation of a flow on plain memory: what moves, and what both sides hear of it.
#include "engine/flow.hpp"

#include <gtest/gtest.h>
#include <algorithm>

#include <cstring>
#include <string>
#include <vector>

#include "unit/engine/flow_expect.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Opcode;
using engine::Step;

constexpr std::uint64_t kSize = 256 << 10;

// A pair with one region on each side; a's is full of noise.
class FlowTest : public testing::Test {
protected:
    FlowTest() { Random(5).fill(ra.area.bytes()); }
    ~FlowTest() override { EXPECT_TRUE(pair.intact()); }

    TestPair pair;
    TestRegion& ra = pair.pa->add(kSize, kEveryRight, 0x7f0000000000);
    TestRegion& rb = pair.pb->add(kSize, kEveryRight, 0x10000);
};

class FlowSize : public FlowTest, public testing::WithParamInterface<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, FlowSize,
                         testing::Values(0, 1, 31, 32, 33, 64, 4095, 4096, (64 << 10) + 3));

TEST_P(FlowSize, SendFillsThePostedReceive) {
    const std::uint32_t n = GetParam();
    pair.b.post_receive({rb.segment(100, n)});
    const auto sent = pair.execute({.segments = {ra.segment(17, n)}});
    EXPECT_STATUS(sent, success);
    EXPECT_EQ(opcode_of(sent), Opcode::send);
    EXPECT_EQ(sent->length, n);
    EXPECT_EQ(sent->sequence, 0U);
    EXPECT_EQ(sent->slot, 0U);
    const auto received = pair.b.take_receive();
    EXPECT_STATUS(received, success);
    EXPECT_EQ(opcode_of(received), Opcode::receive);
    EXPECT_EQ(received->length, n);
    EXPECT_EQ(received->slot, 0U);
    if (n <= abi::kMaxInline) {
        // The receiving library places it; the engine leaves the buffer alone.
        EXPECT_EQ(received->flags, abi::completion_flag::kPayload);
        EXPECT_EQ(std::memcmp(received->payload, ra.bytes(17, n).data(), n), 0);
        EXPECT_TRUE(all_zero(rb.area.bytes()));
    } else {
        EXPECT_EQ(received->flags, 0);
        EXPECT_TRUE(same(rb.bytes(100, n), ra.bytes(17, n)));
        EXPECT_TRUE(all_zero(rb.bytes(0, 100)));
        EXPECT_TRUE(all_zero(rb.bytes(100 + n, 64)));
    }
}

TEST_P(FlowSize, WriteGoesToTheRemoteAddress) {
    const std::uint32_t n = GetParam();
    const auto done = pair.execute(
        {.opcode = Opcode::write, .segments = {ra.segment(17, n)}, .remote = rb.remote(kSize - n)});
    EXPECT_STATUS(done, success);
    EXPECT_EQ(opcode_of(done), Opcode::write);
    EXPECT_EQ(done->length, n);
    EXPECT_TRUE(same(rb.bytes(kSize - n, n), ra.bytes(17, n)));
    EXPECT_TRUE(all_zero(rb.bytes(0, kSize - n)));
    EXPECT_FALSE(pair.b.take_receive().has_value());
}

TEST_P(FlowSize, WriteWithImmediateTellsTheReceiver) {
    const std::uint32_t n = GetParam();
    pair.b.post_receive({});
    const auto done = pair.execute({.opcode = Opcode::write,
                                    .segments = {ra.segment(17, n)},
                                    .remote = rb.remote(5),
                                    .flags = flag::kSignaled | flag::kImmediate,
                                    .immediate = 0xabcdef01});
    EXPECT_STATUS(done, success);
    EXPECT_TRUE(same(rb.bytes(5, n), ra.bytes(17, n)));
    const auto told = pair.b.take_receive();
    EXPECT_STATUS(told, success);
    EXPECT_EQ(opcode_of(told), Opcode::write);
    EXPECT_EQ(told->flags, abi::completion_flag::kImmediate);
    EXPECT_EQ(told->immediate, 0xabcdef01U);
    EXPECT_EQ(told->length, n);
}

TEST_P(FlowSize, ReadFetches) {
    const std::uint32_t n = GetParam();
    Random(6).fill(rb.area.bytes());
    std::memset(ra.area.data(), 0, kSize);
    const auto done = pair.execute(
        {.opcode = Opcode::read, .segments = {ra.segment(17, n)}, .remote = rb.remote(99)});
    EXPECT_STATUS(done, success);
    EXPECT_EQ(opcode_of(done), Opcode::read);
    EXPECT_EQ(done->length, n);
    EXPECT_TRUE(same(ra.bytes(17, n), rb.bytes(99, n)));
    EXPECT_TRUE(all_zero(ra.bytes(0, 17)));
    EXPECT_TRUE(all_zero(ra.bytes(17 + n, 64)));
}

TEST_P(FlowSize, AppendGoesToTheCurrentOffset) {
    const std::uint32_t n = GetParam();
    for (std::uint64_t i = 0; i < 3; ++i) {
        // The address is not looked at.
        auto log = rb.remote();
        log.address = 0xdeadbeef;
        const auto done = pair.execute(
            {.opcode = Opcode::append, .segments = {ra.segment(i * n, n)}, .remote = log});
        EXPECT_STATUS(done, success);
        EXPECT_EQ(opcode_of(done), Opcode::append);
        EXPECT_EQ(done->length, n);
        EXPECT_EQ(done->offset, i * n);
        EXPECT_EQ(rb.region.append_offset, (i + 1) * n);
        EXPECT_EQ(rb.region.append_lock, 0U);
    }
    EXPECT_TRUE(same(rb.bytes(0, 3 * n), ra.bytes(0, 3 * n)));
    EXPECT_TRUE(all_zero(rb.bytes(3 * n, 64)));
}

TEST_F(FlowTest, InlinePayloadNeedsNoRegion) {
    for (std::uint32_t n = 0; n <= abi::kMaxInline; ++n) {
        std::vector<std::uint8_t> payload(n);
        payload.reserve(1);  // data() is not null
        for (std::uint32_t i = 0; i < n; ++i)
            payload[i] = static_cast<std::uint8_t>(n * 5 + i);
        const std::uint8_t flags = flag::kSignaled | flag::kInline;
        pair.b.post_receive({rb.segment(0, n)});
        const auto sent = pair.execute({.flags = flags, .payload = payload});
        EXPECT_STATUS(sent, success);
        const auto received = pair.b.take_receive();
        ASSERT_TRUE(received.has_value());
        EXPECT_EQ(received->length, n);
        EXPECT_TRUE(std::equal(payload.begin(), payload.end(), received->payload));
        const auto written = pair.execute({.opcode = Opcode::write,
                                           .remote = rb.remote(1000),
                                           .flags = flags,
                                           .payload = payload});
        EXPECT_STATUS(written, success);
        EXPECT_EQ(std::memcmp(rb.bytes(1000, n).data(), payload.data(), n), 0);
        const std::uint64_t before = rb.region.append_offset;
        const auto appended = pair.execute(
            {.opcode = Opcode::append, .remote = rb.remote(), .flags = flags, .payload = payload});
        EXPECT_STATUS(appended, success);
        EXPECT_EQ(appended->offset, before);
        EXPECT_EQ(std::memcmp(rb.bytes(before, n).data(), payload.data(), n), 0);
    }
}

// The receiver's completion carries the message and nothing of what the flow held before.
TEST_F(FlowTest, PayloadBehindTheMessageIsZero) {
    std::memset(ra.area.data(), 0x5a, kSize);
    for (const std::uint32_t n : {32U, 31U, 7U, 1U, 0U}) {
        pair.b.post_receive({rb.segment(0, 32)});
        EXPECT_STATUS(pair.execute({.segments = {ra.segment(0, n)}}), success);
        const auto received = pair.b.take_receive();
        ASSERT_TRUE(received.has_value());
        for (std::uint32_t i = 0; i < abi::kMaxInline; ++i) {
            EXPECT_EQ(received->payload[i], i < n ? 0x5a : 0) << n << " " << i;
        }
    }
    // Nor of a message that the receiver was never to see.
    EXPECT_STATUS(
        pair.execute(
            {.opcode = Opcode::write, .segments = {ra.segment(0, 32)}, .remote = {1, 2, 3}}),
        remote_access);
    pair.b.post_receive({rb.segment(0, 32)});
    EXPECT_STATUS(pair.execute({.segments = {ra.segment(0, 3)}}), success);
    EXPECT_EQ(pair.b.take_receive()->payload[3], 0);
}

TEST_F(FlowTest, ImmediateTravelsWithSendsOfAnySize) {
    for (const std::uint32_t n : {0U, 32U, 33U, 5000U}) {
        pair.b.post_receive({rb.segment(0, 5000)});
        EXPECT_STATUS(pair.execute({.segments = {ra.segment(0, n)},
                                    .flags = flag::kSignaled | flag::kImmediate,
                                    .immediate = 0}),
                      success);
        const auto received = pair.b.take_receive();
        ASSERT_TRUE(received.has_value());
        EXPECT_EQ(received->flags & abi::completion_flag::kImmediate,
                  abi::completion_flag::kImmediate);
        EXPECT_EQ(received->immediate, 0U);
        EXPECT_EQ(received->length, n);
    }
}

TEST_F(FlowTest, UnsignaledCompletesOnFailureOnly) {
    pair.a.post({.opcode = Opcode::nop, .flags = 0});
    pair.a.post({.opcode = Opcode::write,
                 .segments = {ra.segment(0, 8)},
                 .remote = rb.remote(),
                 .flags = 0});
    pair.a.post(
        {.opcode = Opcode::write, .segments = {ra.segment(0, 8)}, .remote = {9, 9, 9}, .flags = 0});
    pair.a.post({.opcode = Opcode::nop, .flags = 0});
    EXPECT_EQ(pair.run(), Step::idle);
    const auto failed = pair.a.take_send();
    EXPECT_STATUS(failed, remote_access);
    EXPECT_EQ(failed->slot, 2U);
    EXPECT_EQ(failed->sequence, 2U);
    EXPECT_FALSE(pair.a.take_send().has_value());
    EXPECT_EQ(pair.a.endpoint.sends.consumed(), 4U);
    EXPECT_EQ(pair.a.endpoint.counters.operations.load(), 4U);
    EXPECT_EQ(pair.a.endpoint.counters.errors.load(), 1U);
    EXPECT_EQ(pair.a.endpoint.counters.bytes.load(), 8U);
}

TEST_F(FlowTest, NopCompletesInOrder) {
    pair.b.post_receive({rb.segment(0, 100)});
    pair.a.post({.segments = {ra.segment(0, 100)}});
    pair.a.post({.opcode = Opcode::nop});
    pair.a.post({.segments = {ra.segment(0, 100)}});
    EXPECT_EQ(pair.run(), Step::waits_receive);
    EXPECT_EQ(opcode_of(pair.a.take_send()), Opcode::send);
    const auto nop = pair.a.take_send();
    EXPECT_EQ(opcode_of(nop), Opcode::nop);
    EXPECT_EQ(nop->sequence, 1U);
    EXPECT_FALSE(pair.a.take_send().has_value());
}

TEST_F(FlowTest, MessagesArriveInOrderOverManyLaps) {
    for (std::uint32_t i = 0; i < 5000; ++i) {
        const std::uint32_t n = i % 70;
        pair.b.post_receive({rb.segment(0, 70)});
        std::memcpy(ra.area.data(), &i, sizeof i);
        const auto sent = pair.execute({.segments = {ra.segment(0, n)}});
        ASSERT_EQ(status_of(sent), abi::Status::success);
        ASSERT_EQ(sent->sequence, i);
        ASSERT_EQ(sent->slot, i % kEngineShape.send_entries);
        const auto received = pair.b.take_receive();
        ASSERT_TRUE(received.has_value());
        ASSERT_EQ(received->sequence, i);
        ASSERT_EQ(received->slot, i % kEngineShape.receive_entries);
        ASSERT_EQ(received->length, n);
        ASSERT_TRUE(n <= abi::kMaxInline || same(rb.bytes(0, n), ra.bytes(0, n)));
    }
}

TEST_F(FlowTest, BothDirectionsAreIndependent) {
    pair.a.post({.segments = {ra.segment(0, 40)}});
    EXPECT_EQ(pair.ab.step(pair.context), Step::waits_receive);
    pair.a.post_receive({ra.segment(1000, 40)});
    pair.b.post({.segments = {rb.segment(0, 40)}});
    EXPECT_EQ(pair.ba.step(pair.context), Step::progress);
    EXPECT_STATUS(pair.b.take_send(), success);
    EXPECT_STATUS(pair.a.take_receive(), success);
    EXPECT_EQ(pair.ab.step(pair.context), Step::waits_receive);
}

// Chains of segments on both sides, also through slots around the end of the ring.
TEST_F(FlowTest, GathersAndScatters32Segments) {
    for (int lap = 0; lap < 9; ++lap) {
        Post send{.segments = {}};
        Post receive{.opcode = Opcode::receive, .segments = {}, .flags = 0};
        std::vector<std::byte> message;
        for (std::uint32_t i = 0; i < 32; ++i) {
            const std::uint32_t n = i % 7 == 3 ? 0 : i * 11;
            send.segments.push_back(ra.segment(i * 1000, n));
            const auto bytes = ra.bytes(i * 1000, n);
            message.insert(message.end(), bytes.begin(), bytes.end());
            receive.segments.push_back(rb.segment(40'000 - i * 1000, 200));
        }
        pair.b.post(receive);
        const auto sent = pair.execute(send);
        EXPECT_STATUS(sent, success);
        EXPECT_EQ(sent->length, message.size());
        const auto received = pair.b.take_receive();
        EXPECT_STATUS(received, success);
        std::size_t at = 0;
        for (std::uint32_t i = 0; at < message.size(); ++i) {
            const std::size_t n = std::min<std::size_t>(200, message.size() - at);
            EXPECT_TRUE(same(rb.bytes(40'000 - i * 1000, n), std::span(message).subspan(at, n)));
            at += n;
        }
        pair.a.post({.opcode = Opcode::nop, .flags = 0});  // shifts where chains begin
        (void)pair.run();
    }
}

TEST_F(FlowTest, ARingOfChainsIsFreeAgainAtOnce) {
    // A chain that takes the whole ring can be posted again when it has ended.
    for (int i = 0; i < 40; ++i) {
        Post post{.opcode = Opcode::write, .segments = {}, .remote = rb.remote(), .flags = 0};
        for (int s = 0; s < 29 + i % 4; ++s)
            post.segments.push_back(ra.segment(0, 10));
        const auto taken = pair.a.view.layout().send_taken.load();
        const auto needed = post.build().size();
        ASSERT_GE(pair.a.sends.room(taken), needed) << i;
        pair.a.post(post);
        EXPECT_EQ(pair.run(), Step::idle);
        pair.a.endpoint.publish_taken_lazily();
    }
}

TEST(Endpoint, TellsOfTakenSlotsAQuarterLateAtMost) {
    for (const std::uint32_t entries : {4U, 8U, 16U, 32U, 64U, 1024U}) {
        TestPair pair({}, {entries, 4, entries, 4});
        const std::uint32_t late = entries <= abi::kMaxChain ? 1 : entries / 4;
        for (std::uint32_t i = 1; i <= 3 * entries; ++i) {
            pair.a.post({.opcode = Opcode::nop, .flags = 0});
            (void)pair.run();
            pair.a.endpoint.publish_taken_lazily();
            const auto taken = pair.a.view.layout().send_taken.load();
            ASSERT_LE(taken, i);
            ASSERT_LT(i - taken, late);
            // A chain of any length finds room in an idle ring.
            ASSERT_GE(pair.a.sends.room(taken), std::min(entries, abi::kMaxChain));
        }
        pair.a.endpoint.publish_taken();
        EXPECT_EQ(pair.a.view.layout().send_taken.load(), 3 * entries);
    }
}

}  // namespace
}  // namespace causeway::test
