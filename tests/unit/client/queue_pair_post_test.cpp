// What posting puts into the rings, when it refuses, and whom it rings.
#include <string>

#include "client_world.hpp"

namespace causeway::test {
namespace {

using abi::Opcode;
namespace flag = abi::descriptor_flag;

class QueuePairPost : public ClientTest {};

TEST_F(QueuePairPost, PutsTheSlicesIntoTheDescriptor) {
    Pair pair = connect();
    const cw_slice slices[2] = {slice(0, 100), slice(500, 200)};
    const cw_remote remote{3, 4, 5};
    must(cw_post_write(pair.here.get(), slices, 2, &remote, 77, CW_IMMEDIATE | CW_FENCE, 88));
    abi::Descriptor d;
    std::uint32_t slot = 9;
    ASSERT_TRUE(pair.there->take_send(d, slot));
    EXPECT_EQ(slot, 0U);
    EXPECT_EQ(d.control.opcode, static_cast<std::uint8_t>(Opcode::write));
    EXPECT_EQ(d.control.flags, flag::kImmediate | flag::kFence | flag::kSignaled);
    EXPECT_EQ(d.control.immediate, 88U);
    EXPECT_EQ(d.control.id, 77U);
    EXPECT_EQ(d.control.segments, 2U);
    EXPECT_EQ(d.address.handle, 3U);
    EXPECT_EQ(d.address.generation, 4U);
    EXPECT_EQ(d.address.address, 5U);
    EXPECT_EQ(d.data[0].address, reinterpret_cast<std::uintptr_t>(bytes(0)));
    EXPECT_EQ(d.data[1].length, 200U);
}

TEST_F(QueuePairPost, IgnoresAnImmediateWithoutItsFlag) {
    Pair pair = connect();
    const cw_slice one = slice(0, 8);
    must(cw_post_send(pair.here.get(), &one, 1, 1, 0, 0xdead));
    abi::Descriptor d;
    std::uint32_t slot = 0;
    ASSERT_TRUE(pair.there->take_send(d, slot));
    EXPECT_EQ(d.control.immediate, 0U);  // unused bytes are zero
}

TEST_F(QueuePairPost, SmallSendsAreCopiedAtOnce) {
    Pair pair = connect();
    std::strcpy(bytes(0), "free at once");
    must(send(pair, 1, 13));
    std::strcpy(bytes(0), "overwritten!");
    abi::Descriptor d;
    std::uint32_t slot = 0;
    ASSERT_TRUE(pair.there->take_send(d, slot));
    EXPECT_STREQ(reinterpret_cast<const char*>(d.payload), "free at once");
}

TEST_F(QueuePairPost, SaysAgainWhenFullAndGoesOnAfterACompletion) {
    Pair pair = connect(4);
    for (std::uint64_t i = 0; i < 4; ++i)
        must(send(pair, i));
    EXPECT_EQ(send(pair, 4), CW_ERROR_AGAIN);
    EXPECT_STREQ(cw_error_text(),
                 "queue pair is full: 4 sends outstanding; take completions first");
    pair.there->complete_send(FakeEnd::success(Opcode::send, 0, 64));
    EXPECT_EQ(send(pair, 4), CW_ERROR_AGAIN);  // not taken yet
    ASSERT_EQ(poll().size(), 1U);
    must(send(pair, 4));
    EXPECT_EQ(send(pair, 5), CW_ERROR_AGAIN);

    for (std::uint64_t i = 0; i < 4; ++i)
        must(receive(pair, i));
    EXPECT_EQ(receive(pair, 4), CW_ERROR_AGAIN);
    EXPECT_STREQ(cw_error_text(), "queue pair is full: 4 receives posted; take completions first");
}

TEST_F(QueuePairPost, ChainsTakeTheEntriesThatTheyNeed) {
    Pair pair = connect(16);
    const std::vector<cw_slice> list(32, slice(0, 64));
    must(cw_post_send(pair.here.get(), list.data(), 32, 1, 0, 0));
    EXPECT_EQ(send(pair, 2), CW_ERROR_AGAIN);
    abi::Descriptor d;
    std::uint32_t slot = 0;
    for (std::uint32_t i = 0; i < 16; ++i) {
        ASSERT_TRUE(pair.there->take_send(d, slot));
        EXPECT_EQ((d.control.flags & flag::kMore) != 0, i != 15) << i;
        EXPECT_EQ(d.control.id, i == 0 ? 1U : 0U);
    }
    pair.there->complete_send(FakeEnd::success(Opcode::send, 0, 2048));
    const auto done = poll();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].id, 1U);
    EXPECT_EQ(done[0].length, 2048U);
    must(send(pair, 2));

    Pair small = connect(4);
    EXPECT_EQ(cw_post_send(small.here.get(), list.data(), 9, 1, 0, 0), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(std::string(cw_error_text()).find("takes 5 entries of a queue that has 4"),
              std::string::npos)
        << cw_error_text();
    must(cw_post_send(small.here.get(), list.data(), 8, 1, 0, 0));
}

TEST_F(QueuePairPost, SilentSendsFreeTheirSlotsByTheExecutorsCount) {
    Pair pair = connect(4);
    for (std::uint64_t i = 0; i < 4; ++i)
        must(send(pair, i, 64, CW_UNSIGNALED));
    EXPECT_EQ(send(pair, 4), CW_ERROR_AGAIN);
    abi::Descriptor d;
    std::uint32_t slot = 0;
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(pair.there->take_send(d, slot));
    pair.there->publish_taken();
    for (std::uint64_t i = 4; i < 7; ++i)
        must(send(pair, i));
    EXPECT_EQ(send(pair, 7), CW_ERROR_AGAIN);
    EXPECT_TRUE(poll().empty());  // and none of them completes
}

// The count alone does not say that a silent send succeeded: its failure may wait to be taken.
TEST_F(QueuePairPost, AFailedSilentSendKeepsItsIdUntilItsCompletionIsTaken) {
    Pair pair = connect(4);
    for (std::uint64_t i = 0; i < 4; ++i)
        must(send(pair, 100 + i, 64, CW_UNSIGNALED));
    abi::Descriptor d;
    std::uint32_t slot = 0;
    for (int i = 0; i < 4; ++i)
        ASSERT_TRUE(pair.there->take_send(d, slot));
    abi::Completion failure = FakeEnd::success(Opcode::send, 2, 0);
    failure.status = static_cast<std::uint8_t>(abi::Status::remote_length);
    pair.there->complete_send(failure);
    pair.there->publish_taken();
    EXPECT_EQ(send(pair, 999), CW_ERROR_AGAIN);
    const auto taken = poll();
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].id, 102U);
    EXPECT_EQ(taken[0].status, static_cast<std::uint32_t>(CW_REMOTE_LENGTH));
    for (std::uint64_t i = 0; i < 4; ++i)
        must(send(pair, 200 + i));
}

TEST_F(QueuePairPost, ReportsWhatItTookBeforeTheCompletionRingCouldBeTooSmall) {
    Pair pair = connect(8);
    const auto room = [&] {
        return pair.there->send_completions.room(pair.there->layout().send_completions_read.load());
    };
    std::uint32_t slot = 0;
    abi::Descriptor d;
    for (std::uint64_t lap = 0; lap < 50; ++lap) {
        const std::uint64_t burst = 1 + lap % 8;
        for (std::uint64_t i = 0; i < burst; ++i) {
            must(send(pair, i));
            ASSERT_GE(room(), i + 1) << "lap " << lap;
        }
        for (std::uint64_t i = 0; i < burst; ++i) {
            ASSERT_TRUE(pair.there->take_send(d, slot));
            ASSERT_GT(room(), 0U);
            pair.there->complete_send(FakeEnd::success(Opcode::send, slot, 64));
        }
        ASSERT_EQ(poll().size(), burst);
    }
}

TEST_F(QueuePairPost, RefusesByState) {
    Pair pair = create();
    EXPECT_EQ(send(pair, 1), CW_ERROR_WRONG_STATE);
    must(receive(pair, 1));  // before it is connected
    pair.there->set_state(abi::QueuePairState::connecting);
    must(send(pair, 1));
    pair.there->set_state(abi::QueuePairState::closed, abi::Error::peer_gone);
    EXPECT_EQ(send(pair, 1), CW_ERROR_PEER_GONE);
    EXPECT_EQ(receive(pair, 1), CW_ERROR_PEER_GONE);
    pair.there->set_state(abi::QueuePairState::closed, abi::Error::none);
    EXPECT_EQ(send(pair, 1), CW_ERROR_WRONG_STATE);
    pair.there->set_state(abi::QueuePairState::refused, abi::Error::denied);
    EXPECT_EQ(send(pair, 1), CW_ERROR_WRONG_STATE);
    // A state that this library does not know is not one to post in.
    pair.there->set_state(static_cast<abi::QueuePairState>(4000000000U));
    EXPECT_EQ(send(pair, 1), CW_ERROR_WRONG_STATE);
    EXPECT_EQ(cw_queue_pair_state_of(pair.here.get()), CW_CLOSED);
}

TEST_F(QueuePairPost, RefusesFlagsThatMeanNothing) {
    Pair pair = connect();
    const cw_slice one = slice(0, 8);
    const cw_remote remote{1, 1, 1};
    EXPECT_EQ(send(pair, 1, 8, 8), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_post_read(pair.here.get(), &one, 1, &remote, 1, CW_IMMEDIATE),
              CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_post_append(pair.here.get(), &one, 1, &remote, 1, CW_IMMEDIATE),
              CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_post_write(pair.here.get(), &one, 1, nullptr, 1, 0, 0), CW_ERROR_INVALID_ARGUMENT);
}

TEST_F(QueuePairPost, RingsOnlyWhereTheExecutorWantsIt) {
    Pair pair = connect();
    const auto rung = [&] {
        bool any = false;
        shm::DoorbellWaiter(adapter.mover_bell()->layout()).take([&](std::uint32_t bit) {
            EXPECT_EQ(bit, 0U);
            any = true;
        });
        return any;
    };
    auto& attention = pair.there->layout().attention;
    must(send(pair, 1));
    EXPECT_TRUE(rung());
    must(receive(pair, 1));
    EXPECT_FALSE(rung());
    attention = abi::attention::kWantsReceive;
    must(receive(pair, 1));
    EXPECT_TRUE(rung());
    attention = abi::attention::kPolled | abi::attention::kWantsReceive;
    must(send(pair, 1));
    must(receive(pair, 1));
    EXPECT_FALSE(rung());
}

TEST_F(QueuePairPost, WakesAMoverThatSleeps) {
    Pair pair = connect();
    using platform::WakeupSocket;
    must(send(pair, 1));
    EXPECT_EQ(adapter.mover_bell()->socket().drain(), WakeupSocket::Drained::nothing);
    shm::DoorbellWaiter(adapter.mover_bell()->layout()).announce_sleep();
    must(send(pair, 2));
    EXPECT_EQ(adapter.mover_bell()->socket().drain(), WakeupSocket::Drained::some);
}

}  // namespace
}  // namespace causeway::test
