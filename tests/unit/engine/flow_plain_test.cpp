// Sends of one segment into receives of one segment: executed in one stretch, by the poster's own
// thread or out of the queue, and left to the long way whenever something has to be waited for or
// is wrong.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "unit/engine/flow_expect.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Opcode;
using engine::AtOnce;
using engine::Step;

constexpr std::uint64_t kSize = 64 << 10;

class FlowPlain : public testing::Test {
protected:
    FlowPlain() {
        pair.context.piece = 32 << 10;
        Random(5).fill(ra.area.bytes());
    }
    ~FlowPlain() override {
        ra.area.allow();
        rb.area.allow();
        EXPECT_TRUE(pair.intact());
    }
    // Sends `from` as the direct library does: at once, or through the queue if that is not to be.
    AtOnce send(const abi::DataSegment& from, std::uint8_t flags = flag::kSignaled,
                std::uint32_t immediate = 0) {
        const auto done = pair.ab.send_plain({flags, immediate, from}, pair.context);
        if (done == AtOnce::no) {
            pair.a.post({.segments = {from}, .flags = flags, .immediate = immediate});
        } else {
            pair.a.sends.skip();
        }
        return done;
    }
    // Refused, without a trace; what the long way then makes of it is for the test to say.
    void expect_long_way(const abi::DataSegment& from) {
        EXPECT_EQ(pair.ab.send_plain({flag::kSignaled, 0, from}, pair.context), AtOnce::no);
        EXPECT_FALSE(pair.a.take_send().has_value());
        EXPECT_FALSE(pair.b.take_receive().has_value());
        EXPECT_EQ(pair.a.endpoint.sends.consumed(), pair.a.sends.produced());
        EXPECT_FALSE(pair.ab.busy());
        EXPECT_EQ(pair.a.endpoint.counters.errors.load(), 0U);
        pair.a.post({.segments = {from}});
        (void)pair.run();
    }
    void expect_goes_on() {
        ra.area.allow();
        rb.area.allow();
        pair.b.post_receive({rb.segment(0, 200)});
        EXPECT_EQ(send(ra.segment(0, 200)), AtOnce::succeeded);
        EXPECT_STATUS(pair.a.take_send(), success);
        EXPECT_STATUS(pair.b.take_receive(), success);
        EXPECT_TRUE(same(rb.bytes(0, 200), ra.bytes(0, 200)));
    }

    TestPair pair;
    TestRegion& ra = pair.pa->add(kSize, kEveryRight, 0x7f0000000000, GuardedArea::Place::at_start);
    TestRegion& rb = pair.pb->add(kSize, kEveryRight, 0x10000, GuardedArea::Place::at_start);
};

TEST_F(FlowPlain, ArrivesWithBothCompletions) {
    std::uint64_t sequence = 0;
    for (const std::uint32_t size : {33U, 64U, 1000U, 4096U, 32U << 10}) {
        std::memset(rb.area.data(), 0, kSize);
        pair.b.post_receive({rb.segment(100, 33 << 10)});
        EXPECT_EQ(send(ra.segment(7, size), flag::kSignaled | flag::kImmediate, 0xabcd),
                  AtOnce::succeeded);
        const auto received = pair.b.take_receive();
        ASSERT_TRUE(received.has_value());
        EXPECT_STATUS(received, success);
        EXPECT_EQ(opcode_of(received), Opcode::receive);
        EXPECT_EQ(received->flags, abi::completion_flag::kImmediate);
        EXPECT_EQ(received->immediate, 0xabcdU);
        EXPECT_EQ(received->length, size);
        EXPECT_EQ(received->slot, sequence);
        EXPECT_EQ(received->sequence, sequence);
        const auto sent = pair.a.take_send();
        EXPECT_STATUS(sent, success);
        EXPECT_EQ(sent->length, size);
        EXPECT_EQ(sent->slot, sequence);
        EXPECT_TRUE(same(rb.bytes(100, size), ra.bytes(7, size)));
        EXPECT_TRUE(all_zero(rb.bytes(0, 100)));
        EXPECT_TRUE(all_zero(rb.bytes(100 + size, 1000)));
        ++sequence;
    }
    EXPECT_EQ(pair.a.endpoint.counters.operations.load(), sequence);
}

TEST_F(FlowPlain, UnsignaledOnesEndInSilence) {
    pair.b.post_receive({rb.segment(0, 64)});
    EXPECT_EQ(send(ra.segment(0, 64), 0), AtOnce::succeeded);
    EXPECT_STATUS(pair.b.take_receive(), success);
    EXPECT_FALSE(pair.a.take_send().has_value());
}

// In one step, from the queue as well.
TEST_F(FlowPlain, OutOfTheQueueItIsOneStep) {
    pair.b.post_receive({rb.segment(0, 5000)});
    pair.a.post({.segments = {ra.segment(0, 5000)}});
    EXPECT_EQ(pair.step(), Step::progress);
    EXPECT_STATUS(pair.a.take_send(), success);
    EXPECT_STATUS(pair.b.take_receive(), success);
    EXPECT_EQ(pair.step(), Step::idle);
}

// ---- what has to go the long way

TEST_F(FlowPlain, NotWithoutAReceive) {
    expect_long_way(ra.segment(0, 64));
    EXPECT_EQ(pair.step(), Step::waits_receive);
    pair.b.post_receive({rb.segment(0, 64)});
    EXPECT_EQ(pair.run(), Step::idle);
    EXPECT_STATUS(pair.a.take_send(), success);
}

TEST_F(FlowPlain, NotOverAPiece) {
    pair.b.post_receive({rb.segment(0, 33 << 10)});
    expect_long_way(ra.segment(0, (32 << 10) + 1));
    EXPECT_STATUS(pair.a.take_send(), success);
    EXPECT_STATUS(pair.b.take_receive(), success);
    EXPECT_TRUE(same(rb.bytes(0, (32 << 10) + 1), ra.bytes(0, (32 << 10) + 1)));
}

TEST_F(FlowPlain, NotWhatTravelsInTheCompletion) {
    pair.b.post_receive({rb.segment(0, 32)});
    expect_long_way(ra.segment(0, 32));
    EXPECT_STATUS(pair.a.take_send(), success);
    EXPECT_EQ(pair.b.take_receive()->flags, abi::completion_flag::kPayload);
}

TEST_F(FlowPlain, NotIntoSeveralSegments) {
    pair.b.post_receive({rb.segment(0, 40), rb.segment(1000, 40)});
    expect_long_way(ra.segment(0, 64));
    EXPECT_STATUS(pair.a.take_send(), success);
    EXPECT_STATUS(pair.b.take_receive(), success);
    EXPECT_TRUE(same(rb.bytes(1000, 24), ra.bytes(40, 24)));
}

TEST_F(FlowPlain, NotIntoAReceiveThatIsTooSmall) {
    pair.b.post_receive({rb.segment(0, 63)});
    expect_long_way(ra.segment(0, 64));
    EXPECT_STATUS(pair.a.take_send(), remote_length);
    EXPECT_STATUS(pair.b.take_receive(), local_length);
    expect_goes_on();
}

TEST_F(FlowPlain, NotFromOutsideOfARegion) {
    pair.b.post_receive({rb.segment(0, 5000)});
    abi::DataSegment handle = ra.segment(0, 64);
    handle.handle += 1;
    const abi::DataSegment wrong[] = {handle,
                                      {64, 0, handle.address},
                                      ra.segment(kSize - 63, 64),
                                      {64, ra.region.handle, ra.region.address - 1}};
    for (const abi::DataSegment& segment : wrong) {
        EXPECT_EQ(pair.ab.send_plain({flag::kSignaled, 0, segment}, pair.context), AtOnce::no);
        pair.a.post({.segments = {segment}});
        (void)pair.run();
        EXPECT_STATUS(pair.a.take_send(), local_protection);
        EXPECT_FALSE(pair.b.take_receive().has_value());
    }
}

// All of the receive has to lie in its region, though the message would.
TEST_F(FlowPlain, NotIntoWhatTheReceiverDoesNotHave) {
    abi::DataSegment handle = rb.segment(0, 64);
    handle.handle += 1;
    const abi::DataSegment wrong[] = {handle,
                                      {64, 0, handle.address},
                                      rb.segment(kSize - 64, 65),
                                      {65, rb.region.handle, rb.region.address - 1}};
    for (const abi::DataSegment& segment : wrong) {
        pair.b.post_receive({segment});
        EXPECT_EQ(pair.ab.send_plain({flag::kSignaled, 0, ra.segment(0, 64)}, pair.context),
                  AtOnce::no);
        pair.a.post({.segments = {ra.segment(0, 64)}});
        (void)pair.run();
        EXPECT_STATUS(pair.a.take_send(), remote_access);
        EXPECT_STATUS(pair.b.take_receive(), local_protection);
    }
    EXPECT_TRUE(all_zero(rb.area.bytes()));
    expect_goes_on();
}

TEST_F(FlowPlain, NotForAReceiveThatBreaksTheFormat) {
    pair.b.post({.opcode = Opcode::receive, .segments = {rb.segment(0, 64)}, .immediate = 1});
    expect_long_way(ra.segment(0, 64));
    EXPECT_EQ(pair.ab.blame(), &pair.b.endpoint);
}

TEST_F(FlowPlain, NotWithoutRoomForACompletion) {
    for (int i = 0; i < 16; ++i)
        pair.b.post_receive({rb.segment(0, 64)});
    for (int i = 0; i < 16; ++i)
        EXPECT_EQ(send(ra.segment(0, 64)), AtOnce::succeeded);
    pair.b.post_receive({rb.segment(0, 64)});
    EXPECT_EQ(send(ra.segment(0, 64)), AtOnce::no);
    EXPECT_EQ(pair.run(), Step::waits_room);
    EXPECT_STATUS(pair.a.take_send(), success);
    EXPECT_EQ(pair.run(), Step::waits_room) << "the receiver has taken none";
    for (std::uint64_t i = 0; i < 16; ++i)
        EXPECT_EQ(pair.b.take_receive()->sequence, i);
    EXPECT_EQ(pair.run(), Step::idle);
    EXPECT_EQ(pair.b.take_receive()->sequence, 16U);
}

// A failure is seen by the next fence, wherever it happened.
TEST_F(FlowPlain, AFenceSeesItsFailure) {
    pair.b.post_receive({rb.segment(0, 5000)});
    ra.area.forbid(4096);
    EXPECT_EQ(send(ra.segment(0, 5000), 0), AtOnce::failed);
    EXPECT_STATUS(pair.a.take_send(), local_protection);
    ra.area.allow();
    EXPECT_STATUS(
        pair.execute({.segments = {ra.segment(0, 64)}, .flags = flag::kSignaled | flag::kFence}),
        flushed);
    EXPECT_EQ(send(ra.segment(0, 64)), AtOnce::succeeded);
}

// ---- memory that goes away in the middle of the copy

struct PlainFault {
    const char* name;
    engine::CopyPlan copies;
};
class FlowPlainFault : public FlowPlain, public testing::WithParamInterface<PlainFault> {
protected:
    FlowPlainFault() { pair.context.copies = GetParam().copies; }
};
INSTANTIATE_TEST_SUITE_P(
    Kernels, FlowPlainFault,
    testing::Values(PlainFault{"Cached", copies_by_size(engine::kNever, engine::kNever)},
                    PlainFault{"RepMovsb", copies_by_size(0, engine::kNever)},
                    PlainFault{"NonTemporal", copies_by_size(0, 0)}),
    [](const testing::TestParamInfo<PlainFault>& c) { return std::string(c.param.name); });

// With or without a completion wanted: a failure has one.
TEST_P(FlowPlainFault, OfTheSourceLeavesTheReceivePosted) {
    pair.b.post_receive({rb.segment(0, 20'000)});
    for (const std::uint8_t flags : {flag::kSignaled, std::uint8_t{0}}) {
        ra.area.forbid(8192);
        EXPECT_EQ(send(ra.segment(100, 20'000), flags), AtOnce::failed);
        EXPECT_STATUS(pair.a.take_send(), local_protection);
        EXPECT_FALSE(pair.b.take_receive().has_value());
    }
    EXPECT_EQ(pair.a.endpoint.counters.errors.load(), 2U);
    ra.area.allow();
    EXPECT_EQ(send(ra.segment(100, 20'000)), AtOnce::succeeded);
    EXPECT_STATUS(pair.b.take_receive(), success);
    EXPECT_TRUE(same(rb.bytes(0, 20'000), ra.bytes(100, 20'000)));
}

TEST_P(FlowPlainFault, OfTheTargetTellsBoth) {
    for (const std::uint8_t flags : {flag::kSignaled, std::uint8_t{0}}) {
        pair.b.post_receive({rb.segment(0, 20'000)});
        rb.area.forbid(8192);
        EXPECT_EQ(send(ra.segment(100, 20'000), flags), AtOnce::failed);
        EXPECT_STATUS(pair.a.take_send(), remote_access);
        EXPECT_STATUS(pair.b.take_receive(), local_protection);
    }
    expect_goes_on();
}

}  // namespace
}  // namespace causeway::test
