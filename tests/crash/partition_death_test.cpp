// How a partition's death is noticed, by both executors: also while somebody else holds its
// sockets, and by being woken rather than by looking again; and what a partition that only stands
// still costs others.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <causeway/causeway.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "platform/fd.hpp"
#include "support/live_adapter.hpp"
#include "support/mortal.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kMessage = 64;

class PartitionDeath : public testing::TestWithParam<const char*> {
protected:
    PartitionDeath()
        : adapter(LiveAdapter::Kind::program),
          partition(Partition::attach("survivor", {adapter.socket()}).value()),
          memory(partition.allocate(1 << 16, Access::exportable).value()),
          queue(partition.create_completion_queue(64).value()),
          listener(partition.listen("door").value()) {}

    [[nodiscard]] QueuePairOptions options(CompletionQueue& completions) const {
        QueuePairOptions it{.completions = completions};
        it.executor = GetParam();
        return it;
    }
    // The life of a peer that connects, and then does what `then` says for ever.
    [[nodiscard]] std::function<void()> life(
        const std::string& name,
        const std::function<void(QueuePair&, CompletionQueue&, Region&)>& then) const {
        return [this, name, then] {
            auto other = Partition::attach(name, {adapter.socket()}).value();
            auto own = other.allocate(1 << 16, Access::exportable).value();
            auto completions = other.create_completion_queue(64).value();
            auto pair = other.create_queue_pair(options(completions)).value();
            pair.connect("survivor/door", 30s).value();
            for (;;)
                then(pair, completions, own);
        };
    }
    static void nothing(QueuePair&, CompletionQueue&, Region&) { ::pause(); }

    [[nodiscard]] QueuePair accept() {
        QueuePair pair = partition.create_queue_pair(options(queue)).value();
        pair.post_receive(memory.slice(0, kMessage), 1).value();
        listener.accept(pair, 30s).value();
        EXPECT_EQ(pair.executor(), GetParam());
        return pair;
    }
    // The one receive of a dead peer's queue pair.
    void expect_gone() {
        const CompletionBatch batch = queue.wait(60s, Wait::block);
        ASSERT_EQ(batch.size(), 1u) << "its death was not noticed";
        EXPECT_EQ(batch.front().status(), Status::peer_gone) << name(batch.front().status());
    }

    LiveAdapter adapter;
    Partition partition;
    Region memory;
    CompletionQueue queue;
    Listener listener;
};

TEST_P(PartitionDeath, IsNoticedThoughAForkedChildHoldsItsSockets) {
    int line[2];
    ASSERT_EQ(::pipe(line), 0);
    Mortal victim(life("victim", [&](QueuePair&, CompletionQueue&, Region&) {
        const pid_t child = ::fork();
        if (child == 0)
            for (;;)
                ::pause();
        (void)!::write(line[1], &child, sizeof child);
        for (;;)
            ::pause();
    }));
    QueuePair pair = accept();
    pid_t child = -1;
    ASSERT_EQ(::read(line[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
    ASSERT_TRUE(victim.kill());
    expect_gone();
    EXPECT_EQ(::kill(child, 0), 0) << "nobody held its sockets any more";
    EXPECT_TRUE(Partition::attach("victim", {adapter.socket()}).has_value());
    ::kill(child, SIGKILL);
    ::close(line[0]);
    ::close(line[1]);
}

// As a debugger does, or a tool that looks at other processes' descriptors.
TEST_P(PartitionDeath, IsNoticedThoughAnotherProcessHasCopiesOfItsSockets) {
    Mortal victim(life("victim", nothing));
    QueuePair pair = accept();
    const platform::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, victim.pid(), 0)));
    ASSERT_TRUE(process);
    std::vector<platform::UniqueFd> held;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(victim.pid()) + "/fd")) {
        platform::UniqueFd copy(static_cast<int>(::syscall(
            SYS_pidfd_getfd, process.get(), std::stoi(entry.path().filename().string()), 0)));
        if (copy)
            held.push_back(std::move(copy));
    }
    if (held.empty())
        GTEST_SKIP() << "descriptors of other processes are not to be had here (pidfd_getfd)";
    EXPECT_GT(held.size(), 4u);
    ASSERT_TRUE(victim.kill());
    expect_gone();
    EXPECT_TRUE(Partition::attach("victim", {adapter.socket()}).has_value());
}

// Whoever sleeps without any time-out is woken: nothing here depends on looking again.
TEST_P(PartitionDeath, WakesWhoeverSleepsOnTheQueuesDescriptor) {
    std::chrono::nanoseconds longest{0};
    for (int round = 0; round < 10; ++round) {
        Mortal victim(life("victim", nothing));
        QueuePair pair = accept();
        const platform::UniqueFd process(
            static_cast<int>(::syscall(SYS_pidfd_open, victim.pid(), 0)));
        while (queue.arm())  // what connecting has rung for
            EXPECT_TRUE(queue.poll().empty());
        ::kill(victim.pid(), SIGKILL);
        pollfd dead{process.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&dead, 1, 60'000), 1);
        const auto reported = Clock::now();
        CompletionBatch batch;
        for (;;) {
            pollfd news{queue.fd(), POLLIN, 0};
            ASSERT_EQ(::poll(&news, 1, 60'000), 1) << "nobody woke it";
            batch = queue.poll();
            if (!batch.empty())
                break;
            while (queue.arm() && batch.empty())
                batch = queue.poll();
            if (!batch.empty())
                break;
        }
        longest = std::max<std::chrono::nanoseconds>(longest, Clock::now() - reported);
        ASSERT_EQ(batch.size(), 1u);
        EXPECT_EQ(batch.front().status(), Status::peer_gone);
        EXPECT_EQ(pair.state(), QueuePair::State::closed);
    }
    std::printf("%s: at most %.2f ms from the kernel's report to the completion\n", GetParam(),
                std::chrono::duration<double, std::milli>(longest).count());
}

// A stopped peer is not dead: what goes to it waits, what goes to others does not.
TEST_P(PartitionDeath, OfAStoppedPartitionIsNotAssumed) {
    const auto answer = [](QueuePair& pair, CompletionQueue& completions, Region& own) {
        pair.post_receive(own.slice(0, kMessage), 1).value();
        for (bool received = false; !received;) {
            for (const Completion& done : completions.wait(1s))
                received |= done.ok() && done.opcode() == Opcode::receive;
        }
        pair.post_send(own.slice(0, kMessage), 2, {.signaled = false}).value();
    };
    Mortal sleeper(life("sleeper", answer));
    QueuePair quiet = accept();
    Mortal worker(life("worker", answer));
    QueuePair busy = accept();
    std::uint64_t answers = 0;
    const auto ask = [&](QueuePair& pair) {
        return pair.post_send(memory.slice(4096, kMessage), 5).has_value();
    };
    // Answers of `pair`, until `count` are there; any other completion is of the other pair.
    const auto collect = [&](QueuePair& pair, std::uint64_t count) {
        std::uint64_t of_others = 0;
        for (answers = 0; answers < count;) {
            const CompletionBatch batch = queue.wait(60s);
            if (batch.empty()) {
                ADD_FAILURE() << "no answer";
                break;
            }
            for (const Completion& done : batch) {
                EXPECT_TRUE(done.ok()) << name(done.status());
                if (done.opcode() != Opcode::receive)
                    continue;
                if (done.queue_pair() != pair.raw()) {
                    ++of_others;
                    continue;
                }
                ++answers;
                pair.post_receive(memory.slice(0, kMessage), 1).value();
            }
        }
        return of_others;
    };
    ASSERT_TRUE(ask(quiet));
    EXPECT_EQ(collect(quiet, 1), 0u);

    ::kill(sleeper.pid(), SIGSTOP);
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(sleeper.pid()), &info, WSTOPPED | WNOWAIT), 0);
    // Two are taken by what it had posted, at most; the rest waits.
    for (int i = 0; i < 8; ++i)
        ASSERT_TRUE(ask(quiet));
    for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(ask(busy));
        EXPECT_EQ(collect(busy, 1), 0u) << "an answer of a stopped process";
    }
    EXPECT_EQ(quiet.state(), QueuePair::State::connected);

    ::kill(sleeper.pid(), SIGCONT);
    EXPECT_EQ(collect(quiet, 8), 0u);
    // And it may die while it is stopped.
    ::kill(sleeper.pid(), SIGSTOP);
    ASSERT_TRUE(sleeper.kill());
    bool gone = false;
    while (!gone) {
        const CompletionBatch batch = queue.wait(60s, Wait::block);
        ASSERT_FALSE(batch.empty());
        for (const Completion& done : batch)
            gone |= done.status() == Status::peer_gone && done.queue_pair() == quiet.raw();
    }
    ASSERT_TRUE(ask(busy));
    EXPECT_EQ(collect(busy, 1), 0u);
}

INSTANTIATE_TEST_SUITE_P(Executors, PartitionDeath, testing::Values("adapter", "direct"),
                         [](const testing::TestParamInfo<const char*>& instance) {
                             return std::string(instance.param);
                         });

}  // namespace
}  // namespace causeway::test
