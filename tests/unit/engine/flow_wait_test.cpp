// Waiting: for a receive, for room among completions; and that what waited goes on exactly.
#include <gtest/gtest.h>

#include <vector>

#include "unit/engine/flow_expect.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Opcode;
using engine::Patience;
using engine::Step;

const Post kSmall{.flags = flag::kSignaled | flag::kInline, .payload = {1, 2, 3}};

TEST(FlowPatience, BlockWaitsForEver) {
    TestPair pair({abi::Patience::block, 0});
    pair.a.post(kSmall);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(pair.step(), Step::waits_receive);
        EXPECT_TRUE(pair.ab.busy());
        EXPECT_EQ(pair.ab.deadline_ns(), UINT64_MAX);
        pair.context.now_ns += 1'000'000'000;
    }
    EXPECT_FALSE(pair.a.take_send().has_value());
    pair.b.post_receive({});
    EXPECT_EQ(pair.step(), Step::progress);  // the receive is too short, but it is one
    EXPECT_STATUS(pair.a.take_send(), remote_length);
    EXPECT_EQ(pair.a.endpoint.counters.stalls.load(), 1U);
    EXPECT_EQ(pair.a.endpoint.counters.stall_ns.load(), 100'000'000'000U);
}

TEST(FlowPatience, ErrorWaitsNotAtAll) {
    TestPair pair({abi::Patience::error, 0});
    EXPECT_STATUS(pair.execute(kSmall), receiver_not_ready);
    EXPECT_EQ(pair.a.endpoint.counters.stalls.load(), 0U);
    TestRegion& rb = pair.pb->add(64);
    // Neither does a Write with immediate, and it moves nothing then.
    EXPECT_STATUS(pair.execute({.opcode = Opcode::write,
                                .remote = rb.remote(),
                                .flags = flag::kSignaled | flag::kInline | flag::kImmediate,
                                .payload = {1, 2}}),
                  receiver_not_ready);
    EXPECT_TRUE(all_zero(rb.area.bytes()));
    // What needs no receive needs no patience.
    EXPECT_STATUS(pair.execute({.opcode = Opcode::write,
                                .remote = rb.remote(),
                                .flags = flag::kSignaled | flag::kInline,
                                .payload = {1, 2}}),
                  success);
    pair.b.post_receive({rb.segment(0, 3)});
    EXPECT_STATUS(pair.execute(kSmall), success);
}

TEST(FlowPatience, BoundedEndsAtItsDeadline) {
    TestPair pair({abi::Patience::bounded, 500});
    pair.a.post(kSmall);
    EXPECT_EQ(pair.step(), Step::waits_receive);
    EXPECT_EQ(pair.ab.deadline_ns(), 1500U);
    pair.context.now_ns = 1499;
    EXPECT_EQ(pair.step(), Step::waits_receive);
    EXPECT_EQ(pair.ab.deadline_ns(), 1500U);
    pair.context.now_ns = 1500;
    EXPECT_EQ(pair.step(), Step::progress);
    EXPECT_STATUS(pair.a.take_send(), receiver_not_ready);
    EXPECT_EQ(pair.ab.deadline_ns(), UINT64_MAX);
    EXPECT_EQ(pair.a.endpoint.counters.stall_ns.load(), 500U);
    // The next one has its own time.
    pair.a.post(kSmall);
    EXPECT_EQ(pair.step(), Step::waits_receive);
    EXPECT_EQ(pair.ab.deadline_ns(), 2000U);
    TestRegion& rb = pair.pb->add(64);
    pair.b.post_receive({rb.segment(0, 3)});
    pair.context.now_ns = 5000;  // late, but it is there now
    EXPECT_EQ(pair.step(), Step::progress);
    EXPECT_STATUS(pair.a.take_send(), success);
}

TEST(FlowPatience, BoundsNearTheEndOfTimeDoNotWrap) {
    for (const std::uint64_t limit : {UINT64_MAX, UINT64_MAX - 1000, UINT64_MAX - 999}) {
        TestPair pair({abi::Patience::bounded, limit});
        pair.a.post(kSmall);
        EXPECT_EQ(pair.step(), Step::waits_receive);
        pair.context.now_ns = std::uint64_t{1} << 62;
        EXPECT_EQ(pair.step(), Step::waits_receive) << limit;
    }
    TestPair at_once({abi::Patience::bounded, 0});
    EXPECT_STATUS(at_once.execute(kSmall), receiver_not_ready);
}

TEST(FlowRoom, FullSendCompletionsHoldOnlyTheirOwner) {
    TestPair pair({}, {16, 16, 16, 16});
    TestRegion& rb = pair.pb->add(4096);
    const Post write{.opcode = Opcode::write,
                     .remote = rb.remote(),
                     .flags = flag::kSignaled | flag::kInline,
                     .payload = {7}};
    for (int i = 0; i < 16; ++i)
        pair.a.post(write);
    EXPECT_EQ(pair.run(), Step::idle);
    pair.a.post(write);
    pair.a.post(write);
    pair.context.now_ns = 2000;
    EXPECT_EQ(pair.step(), Step::waits_room);
    // b sends meanwhile.
    EXPECT_FALSE(pair.ab.busy());
    pair.b.post({.opcode = Opcode::nop});
    EXPECT_EQ(pair.ba.step(pair.context), Step::progress);
    EXPECT_EQ(pair.step(), Step::waits_room);
    // Each one that a takes lets one more through, in order, none lost.
    pair.context.now_ns = 2600;
    for (std::uint64_t i = 0; i < 18; ++i) {
        const auto done = pair.a.take_send();
        ASSERT_TRUE(done.has_value()) << i;
        EXPECT_EQ(done->sequence, i);
        EXPECT_EQ(pair.step(), i < 2 ? Step::progress : Step::idle);
    }
    EXPECT_FALSE(pair.a.take_send().has_value());
    EXPECT_EQ(pair.a.endpoint.counters.stalls.load(), 1U);
    EXPECT_EQ(pair.a.endpoint.counters.stall_ns.load(), 600U);
}

TEST(FlowRoom, FullReceiveCompletionsHoldTheMessage) {
    TestPair pair({}, {16, 16, 16, 4});
    TestRegion& rb = pair.pb->add(4096);
    for (std::uint64_t i = 0; i < 8; ++i)
        pair.b.post_receive({rb.segment(i * 8, 8)});
    for (std::uint8_t i = 0; i < 8; ++i) {
        pair.a.post({.flags = flag::kSignaled | flag::kInline, .payload = {i}});
    }
    EXPECT_EQ(pair.run(), Step::waits_room);
    std::uint8_t next = 0;
    while (next < 8) {
        const auto received = pair.b.take_receive();
        ASSERT_TRUE(received.has_value()) << int{next};
        EXPECT_EQ(received->payload[0], next);
        EXPECT_EQ(received->slot, next);
        ++next;
        (void)pair.run();
    }
    EXPECT_FALSE(pair.b.take_receive().has_value());
    for (std::uint64_t i = 0; i < 8; ++i) {
        EXPECT_EQ(pair.a.take_send()->sequence, i);
    }
}

// Who waits for a receiver only so long does so also where the receiver takes no completions.
TEST(FlowRoom, PatienceBoundsTheWaitForTheReceiversRoom) {
    for (const auto kind : {abi::Patience::error, abi::Patience::bounded}) {
        TestPair pair({kind, 100}, {16, 16, 16, 4});
        TestRegion& rb = pair.pb->add(4096);
        for (int i = 0; i < 8; ++i)
            pair.b.post_receive({rb.segment(0, 8)});
        for (int i = 0; i < 5; ++i)
            pair.a.post(kSmall);
        const Step step = pair.run();
        if (kind == abi::Patience::bounded) {
            EXPECT_EQ(step, Step::waits_room);
            EXPECT_EQ(pair.ab.deadline_ns(), 1100U);
            pair.context.now_ns = 1100;
            EXPECT_EQ(pair.step(), Step::progress);
        }
        for (int i = 0; i < 4; ++i)
            EXPECT_STATUS(pair.a.take_send(), success);
        EXPECT_STATUS(pair.a.take_send(), receiver_not_ready);
        EXPECT_EQ(pair.b.endpoint.receives.consumed(), 4U);
    }
}

// A partition's published index is its own word: whatever it says, no completion that it has not
// taken is overwritten beyond what it claimed to have taken, and nothing else changes.
TEST(FlowRoom, LyingAboutTheReadIndexHurtsTheLiarOnly) {
    for (const std::uint64_t lie :
         {std::uint64_t{5}, std::uint64_t{1} << 32, UINT64_MAX - 100, std::uint64_t{1} << 63}) {
        TestPair pair({}, {4, 4, 4, 4});
        for (int i = 0; i < 4; ++i)
            pair.a.post({.opcode = Opcode::nop});
        EXPECT_EQ(pair.run(), Step::idle);
        pair.a.view.layout().send_completions_read = lie;
        pair.a.post({.opcode = Opcode::nop});
        for (int i = 0; i < 10; ++i)
            EXPECT_EQ(pair.step(), Step::waits_room) << lie;
        for (std::uint64_t i = 0; i < 4; ++i) {
            abi::Completion c;
            ASSERT_TRUE(pair.a.send_completions.peek(c, static_cast<std::uint32_t>(i)));
            EXPECT_EQ(c.sequence, i);
        }
        // Telling the truth mends it.
        pair.a.view.layout().send_completions_read = 1;
        EXPECT_EQ(pair.step(), Step::progress);
        // The other direction never noticed.
        pair.b.post({.opcode = Opcode::nop});
        EXPECT_EQ(pair.ba.step(pair.context), Step::progress);
        EXPECT_STATUS(pair.b.take_send(), success);
        EXPECT_TRUE(pair.intact());
    }
}

// Saying "taken" without having taken loses the liar's completions, and only those.
TEST(FlowRoom, ClaimingAllAsTakenOverwritesOnesOwnCompletions) {
    TestPair pair({}, {4, 4, 4, 4});
    for (std::uint64_t i = 0; i < 40; ++i) {
        pair.a.view.layout().send_completions_read = i;
        pair.a.post({.opcode = Opcode::nop});
        EXPECT_EQ(pair.step(), Step::progress);
    }
    EXPECT_TRUE(pair.intact());
}

TEST(FlowRoom, UnsignaledNeedRoomTooSinceTheyMayFail) {
    TestPair pair({}, {8, 4, 8, 4});
    for (int i = 0; i < 8; ++i)
        pair.a.post({.opcode = Opcode::nop});
    EXPECT_EQ(pair.run(), Step::idle);
    pair.a.post({.opcode = Opcode::nop, .flags = 0});
    EXPECT_EQ(pair.step(), Step::waits_room);
    (void)pair.a.take_send();
    EXPECT_EQ(pair.step(), Step::progress);
}

// A descriptor that is taken back while it waits for room: nothing happens, nothing is counted on.
TEST(FlowRoom, DescriptorTakenBackWhileItWaits) {
    TestPair pair({}, {8, 4, 8, 4});
    for (int i = 0; i < 8; ++i)
        pair.a.post({.opcode = Opcode::nop});
    EXPECT_EQ(pair.run(), Step::idle);
    pair.a.post({.opcode = Opcode::nop});
    EXPECT_EQ(pair.step(), Step::waits_room);
    const auto at = abi::queue_pair_offsets(pair.a.view.shape()).send;
    pair.a.memory.data()[at + 3] = std::byte{0};
    EXPECT_EQ(pair.step(), Step::idle);
    EXPECT_FALSE(pair.ab.busy());
}

}  // namespace
}  // namespace causeway::test
