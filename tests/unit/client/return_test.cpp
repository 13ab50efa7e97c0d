// A partition whose adapter dies goes on with the next one: with everything that it had, or not at
// all.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "client_world.hpp"
#include "platform/clock.hpp"

namespace causeway::test {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
using Words = std::vector<std::string>;

class ReturnTest : public ClientTest {
protected:
    ReturnTest() {
        adapter.journal = true;
        renew(kSecond * 60);
    }
    // Anew, with this patience, and with an adapter that keeps a journal.
    void renew(std::uint64_t patience_ns) {
        memory.reset();
        completions.reset();
        partition = attach("survivor", patience_ns);
        cw_completion_queue* queue = nullptr;
        must(cw_completion_queue_create(partition.get(), 64, &queue));
        completions.reset(queue);
        memory = allocate(1 << 16);
    }
    [[nodiscard]] int wait(cw_completion& out, cw_wait how = CW_WAIT_BLOCK,
                           std::uint64_t timeout_ns = 60 * kSecond) {
        return cw_completion_queue_wait(completions.get(), &out, 1, timeout_ns, how);
    }
    // The executor's answer to the send in `slot`.
    static void complete(const Pair& pair, std::uint32_t slot) {
        pair.there->complete_send(FakeEnd::success(abi::Opcode::send, slot, 64));
    }
    void hang_up_on(abi::Request type, int times = 1) {
        adapter.hang_up_on = type;
        adapter.hang_ups = times;
    }
    [[nodiscard]] bool back() {
        return settle(true, [&] {
            (void)poll();
            const Words words = adapter.handed_over();
            return !words.empty() && words.back() == "done";
        });
    }
    [[nodiscard]] static bool readable(int file, int timeout_ms) {
        pollfd look{file, POLLIN, 0};
        return ::poll(&look, 1, timeout_ms) == 1;
    }
};

TEST_F(ReturnTest, HandsEverythingOverOnceAndInOrder) {
    Pair first = connect();
    Pair second = connect();
    auto large = allocate((64 << 20) + 4096);
    adapter.die();
    adapter.start_again();
    ASSERT_TRUE(back());
    // Events, completions, the mover's; regions count on from the fixture's.
    EXPECT_EQ(adapter.handed_over(),
              (Words{"doorbell 0", "doorbell 1", "doorbell 2", "region 2.0", "region 3.0",
                     "region 3.1", "queue pair 0", "queue pair 1", "done"}));
    EXPECT_EQ(cw_queue_pair_state_of(first.here.get()), CW_CONNECTED);
    must(send(first, 1));
    complete(first, 0);
    cw_completion done{};
    ASSERT_EQ(wait(done), 1);
    EXPECT_EQ(done.id, 1U);
    EXPECT_EQ(done.status, static_cast<std::uint32_t>(CW_SUCCESS));
}

TEST_F(ReturnTest, WhatWasClosedIsNotHandedOver) {
    Pair kept = connect();
    Pair closed = connect();
    auto region = allocate(4096);
    adapter.die();
    // None of these waits for anybody.
    closed.here.reset();
    must(cw_region_close(region.release()));
    adapter.start_again();
    ASSERT_TRUE(back());
    EXPECT_EQ(adapter.handed_over(), (Words{"doorbell 0", "doorbell 1", "doorbell 2", "region 2.0",
                                            "queue pair 0", "done"}));
    EXPECT_EQ(adapter.count(abi::Request::disconnect), 0);
}

TEST_F(ReturnTest, EveryWayOfWaitingComesBack) {
    Pair pair = connect(64);
    std::uint32_t slot = 0;
    for (const cw_wait how : {CW_WAIT_BLOCK, CW_WAIT_SPIN, CW_WAIT_ADAPTIVE}) {
        must(send(pair, 7));
        std::thread undertaker([&] {
            adapter.die();
            ::usleep(30'000);
            adapter.start_again();
            while (adapter.handed_over().empty() || adapter.handed_over().back() != "done")
                ::usleep(1000);
            complete(pair, slot);
        });
        cw_completion done{};
        EXPECT_EQ(wait(done, how), 1) << how;
        EXPECT_EQ(done.status, static_cast<std::uint32_t>(CW_SUCCESS));
        undertaker.join();
        ++slot;
    }
    EXPECT_EQ(adapter.count(abi::Request::attach), 5);  // two, and three returns
}

// What the dead adapter completed last, and did not ring for.
TEST_F(ReturnTest, LooksAtEveryRingOnce) {
    Pair pair = connect();
    must(send(pair, 1));
    for (int i = 0; i < 5000; ++i)  // until the pair is cold
        EXPECT_TRUE(poll().empty());
    pair.there->completions = std::make_shared<FakeBell>();  // rings somewhere else
    complete(pair, 0);
    EXPECT_TRUE(poll().empty());
    adapter.die();
    adapter.start_again();
    cw_completion done{};
    EXPECT_EQ(wait(done), 1);
}

TEST_F(ReturnTest, PostsAndTakesWhileAway) {
    Pair pair = connect();
    abi::Descriptor taken{};
    std::uint32_t slot = 0;
    must(send(pair, 1));
    ASSERT_TRUE(pair.there->take_send(taken, slot));
    complete(pair, slot);
    adapter.die();
    cw_completion done{};
    ASSERT_EQ(wait(done), 1) << "it stood in the ring";
    EXPECT_EQ(wait(done, CW_WAIT_BLOCK, 20'000'000), 0) << "no error, and nothing else";
    for (std::uint64_t id = 2; id < 10; ++id)
        must(send(pair, id));
    EXPECT_EQ(send(pair, 10), CW_ERROR_AGAIN) << "no more room";
    EXPECT_EQ(cw_queue_pair_state_of(pair.here.get()), CW_CONNECTED);
    adapter.start_again();
    ASSERT_TRUE(back());
    for (std::uint64_t id = 2; id < 10; ++id) {
        ASSERT_TRUE(pair.there->take_send(taken, slot));
        EXPECT_EQ(taken.control.id, id);
        complete(pair, slot);
        ASSERT_EQ(wait(done), 1);
        EXPECT_EQ(done.id, id);
    }
}

TEST_F(ReturnTest, WhoIsRefusedHasLostEverything) {
    Pair pair = connect();
    must(send(pair, 1));
    adapter.resume_error = abi::Error::denied;
    adapter.die();
    adapter.start_again();
    cw_completion done{};
    ASSERT_EQ(wait(done), 1);
    EXPECT_EQ(done.status, static_cast<std::uint32_t>(CW_FLUSHED));
    EXPECT_EQ(wait(done), -CW_ERROR_ADAPTER_GONE);
    EXPECT_EQ(adapter.count(abi::Request::attach), 3) << "asked once";
    EXPECT_EQ(cw_partition_process_events(partition.get()), CW_ERROR_ADAPTER_GONE);
    EXPECT_NE(std::string(cw_error_text()).find("nobody to come back"), std::string::npos)
        << cw_error_text();
    EXPECT_EQ(cw_queue_pair_state_of(pair.here.get()), CW_CLOSED);
}

TEST_F(ReturnTest, TriesAgainWhereTheOldSessionIsJustEnding) {
    Pair pair = connect();
    must(send(pair, 1));
    adapter.resume_error = abi::Error::again;
    adapter.hang_up();
    cw_completion done{};
    while (adapter.count(abi::Request::attach) < 5)
        EXPECT_EQ(wait(done, CW_WAIT_BLOCK, 1'000'000), 0);
    adapter.resume_error = abi::Error::none;
    ASSERT_TRUE(back());
    complete(pair, 0);
    EXPECT_EQ(wait(done), 1);
}

TEST_F(ReturnTest, PatienceEnds) {
    renew(50'000'000);
    Pair pair = connect();
    must(receive(pair, 1));
    adapter.die();
    cw_completion done{};
    ASSERT_EQ(wait(done), 1);
    EXPECT_EQ(done.status, static_cast<std::uint32_t>(CW_FLUSHED));
    EXPECT_EQ(wait(done), -CW_ERROR_ADAPTER_GONE);
    EXPECT_EQ(cw_partition_process_events(partition.get()), CW_ERROR_ADAPTER_GONE);
    EXPECT_NE(std::string(cw_error_text()).find("50 ms"), std::string::npos) << cw_error_text();
    // For good: another one is not for this partition.
    adapter.start_again();
    EXPECT_EQ(wait(done), -CW_ERROR_ADAPTER_GONE);
    EXPECT_EQ(adapter.count(abi::Request::attach), 3);
}

TEST_F(ReturnTest, WhoHasNoPatienceIsToldAtOnce) {
    renew(CW_NO_PATIENCE);
    adapter.die();
    cw_completion done{};
    EXPECT_EQ(wait(done), -CW_ERROR_ADAPTER_GONE);
    std::uint64_t offset = 0;
    EXPECT_EQ(cw_region_append_offset(memory.get(), &offset), CW_ERROR_ADAPTER_GONE);
}

TEST_F(ReturnTest, TheEnvironmentSaysHowLong) {
    ::setenv("CAUSEWAY_ADAPTER_PATIENCE", "0.05", 1);
    renew(0);
    ::setenv("CAUSEWAY_ADAPTER_PATIENCE", "1,5", 1);
    const std::string path = adapter.socket();
    const cw_attach_options options{sizeof options, path.c_str(), "other", 0};
    cw_partition* none = nullptr;
    EXPECT_EQ(cw_partition_attach(&options, &none), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(std::string(cw_error_text()).find("1,5"), std::string::npos) << cw_error_text();
    auto explicitly = attach("explicit", kSecond);  // then it is not looked at
    ::unsetenv("CAUSEWAY_ADAPTER_PATIENCE");
    adapter.die();
    cw_completion done{};
    EXPECT_EQ(wait(done), -CW_ERROR_ADAPTER_GONE);
    EXPECT_EQ(cw_partition_process_events(partition.get()), CW_ERROR_ADAPTER_GONE);
    EXPECT_NE(std::string(cw_error_text()).find("50 ms"), std::string::npos) << cw_error_text();
}

// A structure from before there was the field.
TEST_F(ReturnTest, AnOldCallersOptionsMeanTheDefault) {
    const std::string path = adapter.socket();
    cw_attach_options options{};
    options.size = offsetof(cw_attach_options, adapter_patience_ns);
    options.socket = path.c_str();
    options.name = "old";
    options.adapter_patience_ns = CW_NO_PATIENCE;  // not the structure's: whatever lies behind it
    cw_partition* out = nullptr;
    must(cw_partition_attach(&options, &out));
    const Owned<cw_partition> old(out);
    adapter.die();
    must(cw_partition_process_events(old.get()));
}

TEST_F(ReturnTest, ACallInFlightIsMadeOnceMore) {
    hang_up_on(abi::Request::register_region);
    auto region = allocate(4096);
    ASSERT_NE(region, nullptr);
    EXPECT_EQ(adapter.registered().size(), 3U) << "the one that was not answered was not counted";
    EXPECT_EQ(adapter.count(abi::Request::register_region), 4);
    EXPECT_EQ(adapter.handed_over(), (Words{"doorbell 0", "doorbell 1", "region 2.0", "done"}));
    hang_up_on(abi::Request::create_queue_pair);
    Pair pair = connect();
    hang_up_on(abi::Request::wakeup_socket);
    cw_completion_queue* queue = nullptr;
    must(cw_completion_queue_create(partition.get(), 8, &queue));
    const Owned<cw_completion_queue> owned(queue);
}

// Parts that the last adapter took do not count for the next one.
TEST_F(ReturnTest, ARegionOfPartsIsRegisteredByOneAdapter) {
    std::thread undertaker([&] {
        while (adapter.count(abi::Request::register_region) < 3)
            ::usleep(100);
        hang_up_on(abi::Request::register_region);
    });
    auto large = allocate(std::size_t{3} * (64 << 20));
    undertaker.join();
    adapter.hang_ups = 0;
    const auto parts = adapter.registered();
    ASSERT_GE(parts.size(), 5U);
    for (std::uint32_t part = 0; part < 3; ++part)
        EXPECT_EQ(parts[parts.size() - 3 + part].part, part);
}

TEST_F(ReturnTest, ARequestThatEndsEveryAdapterFails) {
    hang_up_on(abi::Request::region_status, 100);
    std::uint64_t offset = 0;
    EXPECT_EQ(cw_region_append_offset(memory.get(), &offset), CW_ERROR_ADAPTER_GONE);
    EXPECT_EQ(adapter.count(abi::Request::region_status), 3);
}

TEST_F(ReturnTest, CallsWaitForTheNextAdapter) {
    adapter.die();
    std::thread next([&] {
        ::usleep(50'000);
        adapter.start_again();
    });
    std::uint64_t offset = 0;
    must(cw_region_append_offset(memory.get(), &offset));
    EXPECT_EQ(offset, 4711U);
    next.join();
}

TEST_F(ReturnTest, AcceptAndConnectGoOnWaiting) {
    adapter.connect_outcome = abi::QueuePairState::connecting;
    cw_listener* out = nullptr;
    must(cw_listen(partition.get(), "service", 4, &out));
    const Owned<cw_listener> listener(out);
    Pair accepting = create();
    Pair connecting = create();
    std::thread accepter(
        [&] { must(cw_accept(listener.get(), accepting.here.get(), 60 * kSecond)); });
    std::thread connecter(
        [&] { must(cw_queue_pair_connect(connecting.here.get(), "other/service", 60 * kSecond)); });
    while (adapter.count(abi::Request::connect) == 0 || adapter.count(abi::Request::accept) == 0)
        std::this_thread::yield();
    adapter.die();
    adapter.start_again();
    while (adapter.handed_over().empty() || adapter.handed_over().back() != "done")
        ::usleep(1000);
    connecting.there->set_state(abi::QueuePairState::connected);
    connecter.join();
    adapter.want_connection();
    accepter.join();
}

TEST_F(ReturnTest, AListenerClosedMeanwhileIsTakenBack) {
    cw_listener* out = nullptr;
    must(cw_listen(partition.get(), "service", 4, &out));
    adapter.die();
    cw_listener_close(out);
    adapter.start_again();
    ASSERT_TRUE(back());
    // After "done": whoever polls asks for it.
    const auto closed = [&] {
        (void)poll();
        return adapter.count(abi::Request::close_listener);
    };
    EXPECT_EQ(settle(1, closed), 1);
}

// ---- an application that sleeps in a loop of its own

TEST_F(ReturnTest, TheQueuesDescriptorBringsTheApplicationBackAndDoesNotKeepItBusy) {
    Pair pair = connect();
    must(send(pair, 1));
    const int file = cw_completion_queue_fd(completions.get());
    std::thread undertaker([&] {
        ::usleep(10'000);
        adapter.die();
        ::usleep(300'000);
        adapter.start_again();
        while (adapter.handed_over().empty() || adapter.handed_over().back() != "done")
            ::usleep(1000);
        complete(pair, 0);
    });
    int rounds = 0;
    for (std::vector<cw_completion> taken; taken.empty(); ++rounds) {
        if (cw_completion_queue_arm(completions.get()) == 0) {
            ASSERT_TRUE(readable(file, 60'000));
        }
        taken = poll();
        ASSERT_EQ(last_poll, 0);
    }
    undertaker.join();
    EXPECT_LT(rounds, 60);
}

TEST_F(ReturnTest, TheEventDescriptorBringsTheApplicationBackAndDoesNotKeepItBusy) {
    const int file = cw_partition_event_fd(partition.get());
    std::thread undertaker([&] {
        ::usleep(10'000);
        adapter.die();
        ::usleep(300'000);
        adapter.start_again();
    });
    int rounds = 0;
    for (; adapter.handed_over().empty() || adapter.handed_over().back() != "done"; ++rounds) {
        ASSERT_TRUE(readable(file, 60'000));
        must(cw_partition_process_events(partition.get()));
    }
    undertaker.join();
    EXPECT_LT(rounds, 60);
    must(cw_partition_process_events(partition.get()));
    must(cw_partition_process_events(partition.get()));
    EXPECT_FALSE(readable(file, 0));
    adapter.events()->ring(0);
    EXPECT_TRUE(readable(file, 60'000)) << "the new socket is in the set";
}

TEST_F(ReturnTest, TheDescriptorsSayWhenItIsOverForGood) {
    renew(30'000'000);
    const int queue = cw_completion_queue_fd(completions.get());
    const int events = cw_partition_event_fd(partition.get());
    must(cw_completion_queue_arm(completions.get()));
    adapter.die();
    while (cw_partition_process_events(partition.get()) == CW_OK)
        ASSERT_TRUE(readable(events, 60'000));
    EXPECT_TRUE(readable(events, 0));
    EXPECT_TRUE(readable(queue, 0));
    (void)poll();
    EXPECT_EQ(last_poll, -CW_ERROR_ADAPTER_GONE);
    EXPECT_EQ(cw_completion_queue_arm(completions.get()), -CW_ERROR_ADAPTER_GONE);
}

// ---- fork

TEST_F(ReturnTest, AChildLeavesTheReturnToItsParent) {
    Pair pair = connect();
    must(send(pair, 1));
    adapter.die();
    cw_completion done{};
    EXPECT_EQ(wait(done, CW_WAIT_BLOCK, 20'000'000), 0);  // away, and noticed
    int hold[2];
    ASSERT_EQ(::pipe(hold), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(hold[1]);
        std::uint64_t offset = 0;
        bool well = cw_region_append_offset(memory.get(), &offset) == CW_ERROR_FORKED &&
                    cw_partition_process_events(partition.get()) == CW_ERROR_FORKED;
        pair.here.reset();
        completions.reset();
        well = well && cw_region_close(memory.release()) == CW_ERROR_FORKED;
        partition.reset();
        // Descriptors that it has inherited must not keep the parent's sets busy.
        char byte = 0;
        (void)!::read(hold[0], &byte, 1);
        ::_exit(well ? 0 : 1);
    }
    ::close(hold[0]);
    adapter.start_again();
    ASSERT_TRUE(back());
    complete(pair, 0);
    EXPECT_EQ(wait(done), 1);
    const int file = cw_completion_queue_fd(completions.get());
    EXPECT_EQ(cw_completion_queue_arm(completions.get()), 0);
    (void)poll();
    EXPECT_EQ(cw_completion_queue_arm(completions.get()), 0);
    EXPECT_FALSE(readable(file, 20));
    ::close(hold[1]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace causeway::test
