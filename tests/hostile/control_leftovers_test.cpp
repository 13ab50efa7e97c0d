// What a client leaves behind when it goes, or makes the adapter hold for it: files whose closing
// hangs, names that it waited for, memory of half a region, connections that its children keep.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/direct_sessions.hpp"
#include "support/held_thread.hpp"
#include "support/in_child.hpp"
#include "support/in_process_adapter.hpp"
#include "support/lingering.hpp"
#include "support/neighbour.hpp"
#include "support/old_kernel.hpp"
#include "support/raw_client.hpp"

namespace causeway {
namespace {

using test::HeldThread;
using test::InProcessAdapter;
using test::Lingering;
using test::Neighbours;
using test::RawClient;
using test::RawSession;

std::size_t threads() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task"))
        ++count;
    return count;
}

// Doorbells of `session`, a file that lingers left in each one's wake-up socket.
void leave_lingering(RawSession& session, int count, std::vector<std::unique_ptr<Lingering>>& all) {
    for (int i = 0; i < count; ++i) {
        auto request = control::make<abi::DoorbellRequest>(abi::Request::wakeup_socket);
        request.doorbell = session.open_completions();
        const auto reply = session.client.call(request).value();
        all.push_back(std::make_unique<Lingering>(3600));
        const std::byte wake{1};
        ASSERT_TRUE(test::send_raw(reply.descriptor.get(), std::span(&wake, 1),
                                   std::array{all.back()->fd()}));
        all.back()->give_up();
    }
}

// Before Linux 6.16 wake-up sockets take descriptors.
TEST(ControlLeftovers, LingeringFilesInDoorbellsCostTheirEntranceAFewThreads) {
    test::in_child([] {
        if (!test::without_socket_option(test::kPassRights))
            ::_exit(test::kSkipped);
        InProcessAdapter adapter;
        Neighbours neighbours(adapter.socket());
        std::vector<std::unique_ptr<Lingering>> lingering;
        const std::size_t files = test::open_files();
        const std::size_t before = threads();
        const std::size_t mappings = test::shared_mappings();
        for (int round = 0; round < 2; ++round) {
            RawSession session(adapter.socket("a"), "a");
            leave_lingering(session, 40, lingering);
        }
        // Their end is noticed once the doorbells are gone, and what they left is being closed once
        // the adapter has served somebody else.
        ASSERT_TRUE(test::eventually([&] { return test::shared_mappings() <= mappings; }));
        EXPECT_NO_THROW(RawSession(adapter.socket("b"), "b"));
        // Its entrance has more to close than it may, and admits nobody: so there is no third
        // round.
        RawClient waiting(adapter.socket("a"));
        waiting.send(control::bytes_of(test::attach_request("a")));
        for (int i = 0; i < 20; ++i)
            neighbours.exchange();
        EXPECT_LE(threads(), before + 4) << "two for each entrance, while they have something";
        EXPECT_FALSE(waiting.taken());
        for (auto& each : lingering)
            each->release();
        EXPECT_TRUE(waiting.receive().value().ok()) << "as soon as nothing hangs any more";
        waiting.close();
        lingering.clear();
        EXPECT_TRUE(test::eventually([&] { return test::open_files() <= files; }))
            << test::open_files() << " descriptors, " << files << " before";
        neighbours.exchange();
    });
}

TEST(ControlLeftovers, LingeringFilesDoNotKeepTheAdapterFromStopping) {
    test::in_child([] {
        if (!test::without_socket_option(test::kPassRights))
            ::_exit(test::kSkipped);
        InProcessAdapter adapter;
        RawSession session(adapter.socket("a"), "a");
        std::vector<std::unique_ptr<Lingering>> lingering;
        leave_lingering(session, 10, lingering);
        EXPECT_TRUE(adapter.stop().has_value());
    });
}

// Between direct peers a wake-up socket has both its ends in the adapter, until they are fetched.
TEST(ControlLeftovers, LingeringFilesInABellHoldUpNobody) {
    test::in_child([] {
        if (!test::without_socket_option(test::kPassRights))
            ::_exit(test::kSkipped);
        InProcessAdapter adapter;
        Neighbours neighbours(adapter.socket());
        const std::size_t files = test::open_files();
        Lingering lingering(3600);
        {
            test::DirectSessions direct(adapter.socket());
            const auto reply = direct.open_bell(abi::DoorbellKind::bell_in);
            auto request = control::make<abi::DoorbellRequest>(abi::Request::wakeup_socket);
            request.doorbell = reply.as<abi::OpenDoorbellReply>().doorbell;
            const auto socket = direct.from.client.call(request).value();
            const std::byte wake{1};
            ASSERT_TRUE(test::send_raw(socket.descriptor.get(), std::span(&wake, 1),
                                       std::array{lingering.fd()}));
            lingering.give_up();
        }
        for (int i = 0; i < 20; ++i)
            neighbours.exchange();
        lingering.release();
        EXPECT_TRUE(test::eventually([&] { return test::open_files() <= files; }))
            << test::open_files() << " descriptors, " << files << " before";
    });
}

// A name is free when the movers have let go of what its last holder had. Who waits for that and
// goes away does not keep the next one from waiting.
TEST(ControlLeftovers, WhoWaitedForANameAndWentHoldsUpNobody) {
    const InProcessAdapter adapter;
    auto first = std::make_unique<RawSession>(adapter.socket("a"), "a");
    first->create_queue_pair(first->open_completions());
    auto mover = std::make_unique<HeldThread>("cw-mover-0");
    first.reset();
    for (int i = 0; i < 3; ++i) {
        RawClient gone(adapter.socket("a"));
        gone.send(control::bytes_of(test::attach_request("a")));
        ASSERT_TRUE(test::eventually([&] { return gone.taken(); }));
    }
    RawClient next(adapter.socket("a"));
    next.send(control::bytes_of(test::attach_request("a")));
    ASSERT_TRUE(test::eventually([&] { return next.taken(); }));
    // Only one can wait at a time, though.
    RawClient second(adapter.socket("a"));
    EXPECT_EQ(second.call(test::attach_request("a"))->code(), ErrorCode::name_in_use);
    mover.reset();
    const auto reply = next.receive();
    ASSERT_TRUE(reply.has_value());
    EXPECT_TRUE(reply->ok()) << reply->text();
}

std::size_t files_called(const std::string& name) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        const auto target = std::filesystem::read_symlink(entry.path(), gone);
        count += target.string().find(name) != std::string::npos ? 1 : 0;
    }
    return count;
}

// Their memory goes with the adapter's descriptor, once the client has let go: milliseconds for
// each part, in which the control thread would serve nobody.
TEST(ControlLeftovers, HalfRegisteredMemoryIsFreedBesideTheControlThread) {
    const InProcessAdapter adapter;
    RawSession session(adapter.socket("a"), "a");
    const auto request = test::register_request(std::uint64_t{2} * abi::kRegionPart);
    const auto send_part = [&] {
        const auto file = test::region_file(abi::kRegionPart);
        EXPECT_TRUE(session.client.call(request, file.get())->ok());
    };
    send_part();
    ASSERT_EQ(files_called("test-region"), 1u) << "the adapter's";
    auto worker = std::make_unique<HeldThread>("cw-worker");
    send_part();  // begins anew: the first part is dropped
    EXPECT_EQ(files_called("test-region"), 2u) << "the dropped one still waits for the worker";
    session.client.close();
    // Its end has been noticed once the name is free.
    auto next = std::make_unique<RawSession>(adapter.socket("a"), "a");
    EXPECT_EQ(files_called("test-region"), 2u);
    worker.reset();
    EXPECT_TRUE(test::eventually([] { return files_called("test-region") == 0; }));
    // What was counted for it has been given back.
    session = std::move(*next);
    send_part();
    const auto stats = session.client.call(test::stats_request(abi::StatsKind::partitions)).value();
    EXPECT_TRUE(stats.ok());
}

// A process connects, asks to attach and dies before the adapter looks; a child of its keeps the
// connection. Once with the kernel's own handle of the peer, once by its number.
TEST(ControlLeftovers, AProcessThatDiedBeforeItWasAttachedLeavesNoPartition) {
    for (const bool by_number : {false, true}) {
        test::in_child([by_number] {
            if (by_number && !test::without_socket_option(test::kPeerPidfd))
                ::_exit(test::kSkipped);
            InProcessAdapter adapter(nullptr, true);
            int alive[2];
            ASSERT_EQ(::pipe(alive), 0);
            const pid_t parent = ::fork();
            if (parent == 0) {
                RawClient client(adapter.socket());
                client.send(control::bytes_of(test::attach_request("orders")));
                if (::fork() == 0) {
                    ::close(alive[1]);
                    char byte = 0;
                    (void)!::read(alive[0], &byte, 1);
                    ::_exit(0);
                }
                ::kill(::getpid(), SIGKILL);
            }
            ::close(alive[0]);
            ASSERT_EQ(::waitpid(parent, nullptr, 0), parent);
            adapter.run();
            EXPECT_TRUE(test::eventually(
                [&] {
                    RawClient client(adapter.socket());
                    const auto reply = client.call(test::attach_request("orders"));
                    return reply && reply->ok();
                },
                std::chrono::seconds(20)));
            ::close(alive[1]);
        });
    }
}

// The number of a process that has gone may come to be another's, with other rights: so its
// connection goes with it, attached or not.
TEST(ControlLeftovers, AConnectionEndsWithTheProcessThatMadeIt) {
    const InProcessAdapter adapter(
        [](adapter::ServerOptions& options) { options.attach_patience_ns = 600'000'000'000; });
    int outcome[2];
    ASSERT_EQ(::pipe(outcome), 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
        RawClient client(adapter.socket());
        client.call(test::disconnect_request(77));  // answered: so it was accepted
        if (::fork() == 0) {
            const char ended =
                test::eventually([&] { return client.closed(); }, std::chrono::seconds(20)) ? 'y'
                                                                                            : 'n';
            (void)!::write(outcome[1], &ended, 1);
            ::_exit(0);
        }
        ::kill(::getpid(), SIGKILL);
    }
    ::close(outcome[1]);
    ASSERT_EQ(::waitpid(parent, nullptr, 0), parent);
    char ended = '?';
    ASSERT_EQ(::read(outcome[0], &ended, 1), 1);
    EXPECT_EQ(ended, 'y');
    ::close(outcome[0]);
}

}  // namespace
}  // namespace causeway
