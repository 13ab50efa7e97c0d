// Connections that come and go between the same two partitions, and a process that forks.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "conformance/fixture.hpp"
#include "support/own_holdings.hpp"

namespace causeway::test {
namespace {

class Connections : public Conformance {
protected:
    // A message each way.
    void exchange(Pair& pair, std::uint32_t seed) {
        for (const bool there : {true, false}) {
            Party& from = there ? a : b;
            Party& to = there ? b : a;
            from.fill(0, 5000, seed);
            (there ? pair.b : pair.a).post_receive(to.memory.slice(8192, 5000), 1).value();
            (there ? pair.a : pair.b).post_send(from.memory.slice(0, 5000), 2).value();
            ASSERT_EQ(to.status_of(1), Status::success);
            ASSERT_EQ(from.status_of(2), Status::success);
            ASSERT_TRUE(to.holds(8192, 5000, seed));
        }
    }
    [[nodiscard]] QueuePair idle(Party& party) const {
        QueuePairOptions options{.completions = party.queue};
        options.executor = GetParam();
        return party.partition.create_queue_pair(options).value();
    }
};
CW_FOR_EVERY_EXECUTOR(Connections);

TEST_P(Connections, ComeAndGo) {
    for (std::uint32_t round = 0; round < 50; ++round) {
        Pair pair = connect();
        ASSERT_NO_FATAL_FAILURE(exchange(pair, round));
    }
}

// The last connection of two partitions ends while the next one of theirs is being made: what both
// share for all their connections is not taken from under it.
TEST_P(Connections, OneEndsWhileTheNextIsMade) {
    Listener door = b.partition.listen("door").value();
    Pair old = connect();
    ASSERT_NO_FATAL_FAILURE(exchange(old, 1));
    for (std::uint32_t round = 0; round < 40; ++round) {
        Pair next{idle(a), idle(b)};
        next.a.connect("b/door", std::chrono::seconds(0)).value();
        if (round % 4 == 0)
            old.a = {};
        if (round % 4 == 1)
            old.b = {};
        door.accept(next.b, kWatchdog).value();
        // The connector has not looked yet: it takes its side of the connection only now.
        if (round % 4 >= 2)
            (round % 4 == 2 ? old.a : old.b) = {};
        old = {};
        for (int i = 0; i < 10'000 && next.a.state() != QueuePair::State::connected; ++i)
            ::usleep(100);
        ASSERT_EQ(next.a.state(), QueuePair::State::connected);
        ASSERT_NO_FATAL_FAILURE(exchange(next, round));
        old = std::move(next);
    }
}

TEST_P(Connections, LeaveNothingBehind) {
    {
        // What two partitions keep for their next connection is opened by each side at first use.
        Pair first = connect();
        ASSERT_NO_FATAL_FAILURE(exchange(first, 99));
    }
    const std::size_t files = open_files();
    const std::size_t mappings = shared_mappings();
    for (std::uint32_t round = 0; round < 10; ++round) {
        Pair pair = connect();
        ASSERT_NO_FATAL_FAILURE(exchange(pair, round));
    }
    EXPECT_EQ(open_files(), files);
    EXPECT_EQ(shared_mappings(), mappings);
    // Completion queues that come and go take theirs along.
    for (std::uint32_t round = 0; round < 10; ++round) {
        auto other = a.partition.create_completion_queue(64).value();
        Listener door = b.partition.listen("door").value();
        QueuePairOptions options{.completions = other};
        options.executor = GetParam();
        QueuePair from = a.partition.create_queue_pair(options).value();
        QueuePair to = idle(b);
        from.connect("b/door", std::chrono::seconds(0)).value();
        door.accept(to, kWatchdog).value();
        to.post_receive(b.memory.slice(0, 64), 1).value();
        while (from.state() == QueuePair::State::connecting) {}
        from.post_send(a.memory.slice(0, 64), 2).value();
        EXPECT_EQ(b.status_of(1), Status::success);
    }
    Pair last = connect();  // whoever opens the next one clears up
    last = {};
    EXPECT_EQ(open_files(), files);
    EXPECT_EQ(shared_mappings(), mappings);
}

// The child closes everything that it has inherited; the parent does not notice.
TEST_P(Connections, AForkedChildDisturbsNobody) {
    auto pair = std::make_unique<Pair>(connect());
    ASSERT_NO_FATAL_FAILURE(exchange(*pair, 1));
    const pid_t child = ::fork();
    if (child == 0) {
        const std::size_t files = open_files();
        const bool refused = !pair->a.post_send(a.memory.slice(0, 64), 1).has_value() &&
                             !pair->b.post_receive(b.memory.slice(0, 64), 1).has_value();
        pair.reset();
        // Numbers of descriptors may stand for others by now: none is closed.
        ::_exit(!refused ? 1 : open_files() != files ? 2 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    for (std::uint32_t i = 0; i < 5; ++i)
        ASSERT_NO_FATAL_FAILURE(exchange(*pair, i));
    EXPECT_TRUE(a.memory.append_offset().has_value()) << "its control connection is in step";
    Pair another = connect();
    ASSERT_NO_FATAL_FAILURE(exchange(another, 9));
}

}  // namespace
}  // namespace causeway::test
