// What becomes of completions: honest ones, those that break the rules, and those that never come.
#include <functional>
#include <map>
#include <string>

#include "client_world.hpp"

namespace causeway::test {
namespace {

using abi::Opcode;
using abi::Status;
namespace cflag = abi::completion_flag;

class QueuePairTake : public ClientTest {
protected:
    // Ids of completions by how often they came.
    [[nodiscard]] static std::map<std::uint64_t, int> ids(const std::vector<cw_completion>& all) {
        std::map<std::uint64_t, int> count;
        for (const cw_completion& c : all)
            ++count[c.id];
        return count;
    }
};

TEST_F(QueuePairTake, ReportsWhatWasPosted) {
    Pair pair = connect();
    must(send(pair, 5, 1000));
    must(receive(pair, 6, 2000));
    const cw_remote remote{1, 1, 0};
    const cw_slice one = slice(0, 16);
    must(cw_post_append(pair.here.get(), &one, 1, &remote, 7, 0));
    pair.there->complete_send(FakeEnd::success(Opcode::send, 0, 1000));
    abi::Completion append = FakeEnd::success(Opcode::append, 1, 16);
    append.offset = 4096;
    pair.there->complete_send(append);
    abi::Completion message = FakeEnd::success(Opcode::receive, 0, 1500);
    message.flags = cflag::kImmediate;
    message.immediate = 99;
    pair.there->complete_receive(message);

    std::map<std::uint64_t, cw_completion> got;
    for (const cw_completion& c : poll())
        got[c.id] = c;
    ASSERT_EQ(got.size(), 3U);
    for (const auto& [id, c] : got) {
        EXPECT_EQ(c.queue_pair, pair.here.get());
        EXPECT_EQ(c.user, this);
        EXPECT_EQ(c.status, 0U);
    }
    EXPECT_EQ(got[5].length, 1000U);
    EXPECT_EQ(got[5].opcode, static_cast<std::uint32_t>(CW_SEND));
    EXPECT_EQ(got[5].has_immediate, 0U);
    EXPECT_EQ(got[7].offset, 4096U);
    EXPECT_EQ(got[6].length, 1500U);
    EXPECT_EQ(got[6].has_immediate, 1U);
    EXPECT_EQ(got[6].immediate, 99U);
}

TEST_F(QueuePairTake, PlacesASmallMessageIntoThePostedSlices) {
    Pair pair = connect();
    // Five slices: three descriptors.
    const cw_slice list[5] = {slice(0, 3), slice(100, 1), slice(200, 5), slice(300, 0),
                              slice(400, 9)};
    must(cw_post_receive(pair.here.get(), list, 5, 1));
    abi::Completion c = FakeEnd::success(Opcode::receive, 0, 12);
    c.flags = cflag::kPayload;
    std::memcpy(c.payload, "abcdefghijklmnop", 16);
    pair.there->complete_receive(c);
    ASSERT_EQ(poll().size(), 1U);
    EXPECT_EQ(std::string(bytes(0), 4), std::string("abc\0", 4));
    EXPECT_EQ(std::string(bytes(100), 2), std::string("d\0", 2));
    EXPECT_EQ(std::string(bytes(200), 6), std::string("efghi\0", 6));
    EXPECT_EQ(std::string(bytes(400), 4), std::string("jkl\0", 4));
}

TEST_F(QueuePairTake, DoesNotTouchARegionThatWasClosedMeanwhile) {
    Pair pair = connect();
    auto doomed = allocate(4096);
    const cw_slice list[2] = {slice(0, 4),
                              {cw_region_data(doomed.get()), 4, cw_region_handle(doomed.get())}};
    must(cw_post_receive(pair.here.get(), list, 2, 1));
    doomed.reset();
    abi::Completion c = FakeEnd::success(Opcode::receive, 0, 8);
    c.flags = cflag::kPayload;
    pair.there->complete_receive(c);
    const auto taken = poll();
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].status, static_cast<std::uint32_t>(CW_LOCAL_PROTECTION));
    EXPECT_EQ(cw_queue_pair_state_of(pair.here.get()), CW_CONNECTED);
}

TEST_F(QueuePairTake, AWriteMayBeLongerThanTheReceiveThatItConsumes) {
    Pair pair = connect();
    must(receive(pair, 1, 8));
    abi::Completion c = FakeEnd::success(Opcode::write, 0, 1U << 30);
    c.flags = cflag::kImmediate;
    pair.there->complete_receive(c);
    const auto taken = poll();
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].opcode, static_cast<std::uint32_t>(CW_WRITE));
    EXPECT_EQ(taken[0].length, 1U << 30);
}

TEST_F(QueuePairTake, FailuresMoveNothing) {
    Pair pair = connect();
    must(send(pair, 1, 1000));
    abi::Completion c = FakeEnd::success(Opcode::send, 0, 77);
    c.status = static_cast<std::uint8_t>(Status::remote_access);
    pair.there->complete_send(c);
    const auto taken = poll();
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].status, static_cast<std::uint32_t>(CW_REMOTE_ACCESS));
    EXPECT_EQ(taken[0].length, 0U);
}

// ---- completions that break the rules

struct Breach {
    const char* name;
    bool on_send;
    std::function<void(abi::Completion&)> spoil;
};

class QueuePairBreach : public ClientTest, public testing::WithParamInterface<Breach> {};

TEST_P(QueuePairBreach, EndsTheQueuePairAndEveryDescriptorOnce) {
    Pair pair = connect();
    Pair other = connect();
    must(send(pair, 1, 64));
    must(send(pair, 2, 64, CW_UNSIGNALED));
    must(send(pair, 3, 64));
    must(receive(pair, 11, 16));
    must(receive(pair, 12, 16));
    must(send(other, 20, 64));
    abi::Completion c = GetParam().on_send ? FakeEnd::success(Opcode::send, 0, 64)
                                           : FakeEnd::success(Opcode::receive, 0, 16);
    GetParam().spoil(c);
    if (GetParam().on_send)
        pair.there->complete_send(c);
    else
        pair.there->complete_receive(c);

    std::map<std::uint64_t, int> count;
    for (const cw_completion& taken : poll()) {
        ++count[taken.id];
        EXPECT_EQ(taken.status, static_cast<std::uint32_t>(CW_FLUSHED)) << taken.id;
    }
    EXPECT_EQ(count, (std::map<std::uint64_t, int>{{1, 1}, {2, 1}, {3, 1}, {11, 1}, {12, 1}}));
    EXPECT_EQ(cw_queue_pair_state_of(pair.here.get()), CW_CLOSED);
    EXPECT_EQ(send(pair, 4), CW_ERROR_WRONG_STATE);
    // Nothing that comes later is believed, and nobody else is harmed.
    pair.there->complete_send(FakeEnd::success(Opcode::send, 2, 64));
    pair.there->complete_receive(FakeEnd::success(Opcode::receive, 1, 16));
    other.there->complete_send(FakeEnd::success(Opcode::send, 0, 64));
    const auto later = poll();
    ASSERT_EQ(later.size(), 1U);
    EXPECT_EQ(later[0].id, 20U);
    EXPECT_EQ(later[0].status, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    All, QueuePairBreach,
    testing::Values(Breach{"SlotPastTheRing", true, [](auto& c) { c.slot = 8; }},
                    Breach{"SlotFarAway", true, [](auto& c) { c.slot = 0xffffffff; }},
                    Breach{"SlotNotPosted", true, [](auto& c) { c.slot = 3; }},
                    Breach{"UnknownStatus", true, [](auto& c) { c.status = abi::kStatusCount; }},
                    Breach{"StatusAllOnes", true, [](auto& c) { c.status = 0xff; }},
                    Breach{"OtherOpcode", true, [](auto& c) { c.opcode = 3; }},
                    Breach{"OpcodeOfNothing", true, [](auto& c) { c.opcode = 0; }},
                    Breach{"LongerThanPosted", true, [](auto& c) { c.length = 65; }},
                    Breach{"PayloadForASend", true, [](auto& c) { c.flags = cflag::kPayload; }},
                    Breach{"ImmediateForASend", true, [](auto& c) { c.flags = cflag::kImmediate; }},
                    Breach{"SuccessOfASilentOne", true, [](auto& c) { c.slot = 1; }},
                    Breach{"ReceiveSlotPastTheRing", false, [](auto& c) { c.slot = 8; }},
                    Breach{"ReceiveSlotNotPosted", false, [](auto& c) { c.slot = 2; }},
                    Breach{"ReceiveLongerThanPosted", false, [](auto& c) { c.length = 17; }},
                    Breach{"ReceiveOfASend", false, [](auto& c) { c.opcode = 1; }},
                    Breach{"ReceiveUnknownStatus", false, [](auto& c) { c.status = 200; }},
                    Breach{"UnknownFlag", false, [](auto& c) { c.flags = 0x80; }},
                    Breach{"PayloadOfAWrite", false,
                           [](auto& c) {
                               c.opcode = 3;
                               c.flags = cflag::kPayload;
                               c.length = 8;
                           }},
                    Breach{"PayloadOfAFailure", false,
                           [](auto& c) {
                               c.status = 1;
                               c.flags = cflag::kPayload;
                           }},
                    Breach{"PayloadLongerThanItsRoom", false,
                           [](auto& c) {
                               c.flags = cflag::kPayload;
                               c.length = 33;
                           }}),
    [](const auto& breach) { return breach.param.name; });

// The executor says twice that the same descriptor has ended.
TEST_F(QueuePairTake, ADoubledCompletionEndsTheQueuePair) {
    Pair pair = connect();
    must(send(pair, 1));
    must(send(pair, 2));
    pair.there->complete_send(FakeEnd::success(Opcode::send, 0, 64));
    pair.there->complete_send(FakeEnd::success(Opcode::send, 0, 64));
    EXPECT_EQ(ids(poll()), (std::map<std::uint64_t, int>{{1, 1}, {2, 1}}));
    EXPECT_EQ(cw_queue_pair_state_of(pair.here.get()), CW_CLOSED);
}

// ---- ends

TEST_F(QueuePairTake, FlushesWhatWillNeverComplete) {
    Pair pair = connect();
    must(send(pair, 1));
    must(send(pair, 2));
    must(receive(pair, 3));
    pair.there->complete_send(FakeEnd::success(Opcode::send, 0, 64));
    pair.there->set_state(abi::QueuePairState::closed, abi::Error::peer_gone);
    std::map<std::uint64_t, std::uint32_t> status;
    for (const cw_completion& c : poll())
        EXPECT_TRUE(status.emplace(c.id, c.status).second) << c.id << " came twice";
    EXPECT_EQ(status, (std::map<std::uint64_t, std::uint32_t>{
                          {1, CW_SUCCESS}, {2, CW_PEER_GONE}, {3, CW_PEER_GONE}}));
}

TEST_F(QueuePairTake, FlushesAsFlushedWhereThePeerIsNotTheReason) {
    Pair pair = create();
    must(receive(pair, 3));
    pair.there->set_state(abi::QueuePairState::connecting);
    must(send(pair, 1));
    pair.there->set_state(abi::QueuePairState::refused, abi::Error::denied);
    const auto taken = poll();
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(taken[0].status, static_cast<std::uint32_t>(CW_FLUSHED));
    EXPECT_EQ(taken[1].status, static_cast<std::uint32_t>(CW_FLUSHED));
    EXPECT_EQ(cw_queue_pair_state_of(pair.here.get()), CW_REFUSED);
}

// Silent sends that the executor has counted as done are not flushed.
TEST_F(QueuePairTake, FlushesOnlySilentSendsThatWereNotExecuted) {
    Pair pair = connect();
    abi::Descriptor d;
    std::uint32_t slot = 0;
    for (std::uint64_t i = 0; i < 4; ++i)
        must(send(pair, i, 64, CW_UNSIGNALED));
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(pair.there->take_send(d, slot));
    pair.there->publish_taken();
    pair.there->set_state(abi::QueuePairState::closed, abi::Error::peer_gone);
    EXPECT_EQ(ids(poll()), (std::map<std::uint64_t, int>{{3, 1}}));
}

// A descriptor that slips in while the adapter closes the queue pair.
TEST_F(QueuePairTake, FlushesWhatWasPostedAfterTheEnd) {
    Pair pair = connect();
    must(send(pair, 1));
    auto& state = pair.there->layout().state;
    pair.there->set_state(abi::QueuePairState::closed, abi::Error::peer_gone);
    state = static_cast<std::uint32_t>(abi::QueuePairState::connected);  // as the poster saw it
    must(send(pair, 2));
    state = static_cast<std::uint32_t>(abi::QueuePairState::closed);
    EXPECT_EQ(ids(poll()), (std::map<std::uint64_t, int>{{1, 1}, {2, 1}}));
}

TEST_F(QueuePairTake, TakesOneAtATimeWithoutLosingAny) {
    Pair pair = connect();
    for (std::uint64_t i = 0; i < 8; ++i) {
        must(send(pair, i));
        must(receive(pair, 100 + i));
    }
    for (std::uint32_t i = 0; i < 4; ++i) {
        pair.there->complete_send(FakeEnd::success(Opcode::send, i, 64));
        pair.there->complete_receive(FakeEnd::success(Opcode::receive, i, 64));
    }
    pair.there->set_state(abi::QueuePairState::closed, abi::Error::peer_gone);
    std::map<std::uint64_t, int> count;
    cw_completion one;
    while (cw_completion_queue_poll(completions.get(), &one, 1) == 1)
        ++count[one.id];
    EXPECT_EQ(count.size(), 16U);
    for (const auto& [id, times] : count)
        EXPECT_EQ(times, 1) << id;
}

TEST_F(QueuePairTake, TheAdaptersDeathFlushesAfterWhatStandsInTheRings) {
    Pair pair = connect();
    must(send(pair, 1));
    must(send(pair, 2));
    must(receive(pair, 3));
    pair.there->complete_send(FakeEnd::success(Opcode::send, 0, 64));
    adapter.die();
    std::map<std::uint64_t, std::uint32_t> status;
    cw_completion batch[8];
    for (;;) {
        const int n =
            cw_completion_queue_wait(completions.get(), batch, 8, UINT64_MAX, CW_WAIT_ADAPTIVE);
        if (n < 0) {
            EXPECT_EQ(n, -CW_ERROR_ADAPTER_GONE);
            break;
        }
        for (int i = 0; i < n; ++i)
            EXPECT_TRUE(status.emplace(batch[i].id, batch[i].status).second);
    }
    EXPECT_EQ(status, (std::map<std::uint64_t, std::uint32_t>{
                          {1, CW_SUCCESS}, {2, CW_FLUSHED}, {3, CW_FLUSHED}}));
    EXPECT_EQ(send(pair, 9), CW_ERROR_ADAPTER_GONE);
    EXPECT_EQ(cw_queue_pair_state_of(pair.here.get()), CW_CLOSED);
    EXPECT_EQ(cw_completion_queue_arm(completions.get()), -CW_ERROR_ADAPTER_GONE);
    cw_region* none = nullptr;
    EXPECT_EQ(cw_region_allocate(partition.get(), 4096, 0, 0, &none), CW_ERROR_ADAPTER_GONE);
}

// Who only polls learns of it too, without ever waiting.
TEST_F(QueuePairTake, PurePollingNoticesTheAdaptersDeath) {
    Pair pair = connect();
    must(receive(pair, 3));
    adapter.die();
    cw_completion one;
    int n = 0;
    while (n == 0)
        n = cw_completion_queue_poll(completions.get(), &one, 1);
    ASSERT_EQ(n, 1);
    EXPECT_EQ(one.id, 3U);
    EXPECT_EQ(one.status, static_cast<std::uint32_t>(CW_FLUSHED));
}

}  // namespace
}  // namespace causeway::test
