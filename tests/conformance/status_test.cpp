// Every status that a descriptor can end with, provoked through the public API.
#include <sys/mman.h>

#include <set>

#include <causeway/append_log.hpp>

#include "conformance/fixture.hpp"

namespace causeway::test {
namespace {

class Statuses : public Conformance {};

TEST_P(Statuses, MessageLongerThanTheReceive) {
    Pair pair = connect();
    for (const std::uint32_t size : {17U, 64U, 5000U}) {
        pair.b.post_receive(b.memory.slice(0, size - 1), 1).value();
        pair.a.post_send(a.memory.slice(0, size), 2).value();
        EXPECT_EQ(b.status_of(1), Status::local_length);
        EXPECT_EQ(a.status_of(2), Status::remote_length);
    }
    // The queue pair goes on.
    pair.b.post_receive(b.memory.slice(0, 64), 3).value();
    pair.a.post_send(a.memory.slice(0, 64), 4).value();
    EXPECT_EQ(b.status_of(3), Status::success);
    EXPECT_EQ(a.status_of(4), Status::success);
}

TEST_P(Statuses, SumOfSegmentsOver32Bits) {
    Pair pair = connect();
    Region large = a.partition.allocate(std::size_t{160} << 20, Access::local).value();
    const std::vector<Slice> list(32, large.slice(0, 160 << 20));
    const auto posted = pair.a.post_send(std::span<const Slice>(list), 1);
    if (posted) {
        EXPECT_EQ(a.status_of(1), Status::local_length);
    } else {
        EXPECT_EQ(posted.error().code, ErrorCode::invalid_argument) << posted.error().text;
    }
}

TEST_P(Statuses, LocalRegionThatIsGone) {
    Pair pair = connect();
    Region gone = a.partition.allocate(1 << 16, Access::local).value();
    pair.a.post_send(gone.slice(0, 5000), 1).value();  // waits for a receive
    while (b.quiet() && pair.a.state() != QueuePair::State::connected) {}
    gone.close().value();
    pair.b.post_receive(b.memory.slice(0, 5000), 2).value();
    EXPECT_EQ(a.status_of(1), Status::local_protection);
    EXPECT_TRUE(b.quiet()) << "the receive of a sender at fault stays posted";
    a.fill(0, 5000, 9);
    pair.a.post_send(a.memory.slice(0, 5000), 3).value();
    EXPECT_EQ(b.status_of(2), Status::success);
    EXPECT_TRUE(b.holds(0, 5000, 9));
}

// The sender's memory goes away in the middle of the copy. That one fails, whether it wanted a
// completion or not, and those around it do not.
TEST_P(Statuses, LocalMemoryThatFaults) {
    if (!direct())
        GTEST_SKIP() << "the adapter copies from a mapping of its own";
    constexpr std::size_t kPage = 4096;
    Pair pair = connect();
    a.fill(0, 4 * kPage, 3);
    std::byte* const hole = a.memory.data() + 2 * kPage;
    for (const bool signaled : {true, false}) {
        const PostOptions options{.signaled = signaled};
        for (std::uint64_t id = 1; id <= 3; ++id)
            pair.b.post_receive(b.memory.slice(id * 4 * kPage, 4 * kPage), id).value();
        pair.a.post_send(a.memory.slice(0, 100), 4, options).value();
        ASSERT_EQ(::mprotect(hole, kPage, PROT_NONE), 0);
        pair.a.post_send(a.memory.slice(0, 4 * kPage), 5, options).value();
        ASSERT_EQ(::mprotect(hole, kPage, PROT_READ | PROT_WRITE), 0);
        pair.a.post_send(a.memory.slice(0, 4 * kPage), 6, options).value();
        EXPECT_EQ(b.status_of(1), Status::success);
        EXPECT_EQ(b.status_of(2), Status::success);
        EXPECT_TRUE(b.holds(2 * 4 * kPage, 4 * kPage, 3));
        if (signaled) {
            EXPECT_EQ(a.status_of(4), Status::success);
        }
        EXPECT_EQ(a.status_of(5), Status::local_protection);
        if (signaled) {
            EXPECT_EQ(a.status_of(6), Status::success);
        }
        EXPECT_TRUE(a.quiet());
        pair.a.post_send(a.memory.slice(0, 64), 7).value();
        EXPECT_EQ(b.status_of(3), Status::success);
        EXPECT_EQ(a.status_of(7), Status::success);
    }
}

TEST_P(Statuses, RemoteAccessWithAnythingWrong) {
    Pair pair = connect();
    Region readable = b.partition.allocate(8192, Access::remote_read | Access::exportable).value();
    Region writable = b.partition.allocate(8192, Access::remote_write | Access::exportable).value();
    const Remote good = writable.remote();
    std::vector<Remote> wrong;
    wrong.push_back({good.handle + 1, good.generation, good.address});
    wrong.push_back({good.handle ^ 0x10000, good.generation, good.address});
    wrong.push_back({0, good.generation, good.address});
    wrong.push_back({0xffffffff, good.generation, good.address});
    wrong.push_back({good.handle, good.generation + 1, good.address});
    wrong.push_back({good.handle, 0, good.address});
    wrong.push_back({good.handle, good.generation, good.address - 1});
    wrong.push_back({good.handle, good.generation, good.address + 8192 - 63});
    wrong.push_back({good.handle, good.generation, good.address + 8192});
    wrong.push_back({good.handle, good.generation, 0});
    wrong.push_back({good.handle, good.generation, UINT64_MAX});
    wrong.push_back({good.handle, good.generation, UINT64_MAX - 63});
    wrong.push_back(readable.remote());
    // Own regions are not the peer's.
    wrong.push_back(a.memory.remote());
    for (std::size_t i = 0; i < wrong.size(); ++i) {
        pair.a.post_write(a.memory.slice(0, 64), wrong[i], i).value();
        EXPECT_EQ(a.status_of(i), Status::remote_access) << "write, case " << i;
    }
    pair.a.post_read(a.memory.slice(0, 64), writable.remote(), 1).value();
    EXPECT_EQ(a.status_of(1), Status::remote_access) << "read without the right";
    pair.a.post_append(a.memory.slice(0, 64), writable.remote(), 2).value();
    EXPECT_EQ(a.status_of(2), Status::remote_access) << "append without the right";
    for (std::size_t i = 0; i < 8192; ++i)
        ASSERT_EQ(writable.data()[i], std::byte{0});
    pair.a.post_write(a.memory.slice(0, 64), good, 3).value();
    EXPECT_EQ(a.status_of(3), Status::success);
}

TEST_P(Statuses, RegionThatIsNotExportable) {
    Region kept = b.partition.allocate(8192, Access::remote_write | Access::remote_read).value();
    Region log = b.partition.allocate(8192, Access::append).value();
    Pair pair = connect();
    // The adapter needs no grant.
    const Status expected = direct() ? Status::denied : Status::success;
    pair.a.post_write(a.memory.slice(0, 64), kept.remote(), 1).value();
    EXPECT_EQ(a.status_of(1), expected);
    pair.a.post_read(a.memory.slice(0, 64), kept.remote(), 2).value();
    EXPECT_EQ(a.status_of(2), expected);
    pair.a.post_append(a.memory.slice(0, 64), log.remote(), 3).value();
    EXPECT_EQ(a.status_of(3), expected);
    const auto receive = pair.b.post_receive(kept.slice(0, 64), 4);
    EXPECT_EQ(receive.has_value(), !direct());
    if (direct()) {
        EXPECT_EQ(receive.error().code, ErrorCode::invalid_argument);
    }
}

TEST_P(Statuses, AppendPastTheEndLeavesNoGap) {
    Pair pair = connect();
    Region log = log_of(b, 4096);
    const std::uint32_t header = direct() ? abi::kRecordHeader : 0;
    const std::uint32_t room = 96 - 2 * header;
    pair.a.post_append(a.memory.slice(0, 4000), log.remote(), 1).value();
    EXPECT_EQ(a.status_of(1), Status::success);
    pair.a.post_append(a.memory.slice(0, room + 1), log.remote(), 2).value();
    EXPECT_EQ(a.status_of(2), Status::remote_length);
    pair.a.post_append(a.memory.slice(0, room), log.remote(), 3).value();
    const Completion c = a.next();
    EXPECT_EQ(c.status(), Status::success);
    EXPECT_EQ(c.offset(), 4000U + 2 * header);
    if (!direct()) {
        EXPECT_EQ(log.append_offset().value(), 4096U);
    }
}

TEST_P(Statuses, ReceiverNotReadyAsPatienceSays) {
    Pair fails = connect(a, b, Patience::fail());
    fails.a.post_send(a.memory.slice(0, 64), 1).value();
    EXPECT_EQ(a.status_of(1), Status::receiver_not_ready);

    Pair bounded = connect(a, b, Patience::bounded(std::chrono::milliseconds(30)));
    const auto start = std::chrono::steady_clock::now();
    bounded.a.post_send(a.memory.slice(0, 64), 2).value();
    EXPECT_EQ(a.status_of(2), Status::receiver_not_ready);
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(30));

    Pair blocks = connect(a, b, Patience::block());
    blocks.a.post_send(a.memory.slice(0, 64), 3).value();
    EXPECT_TRUE(a.queue.wait(std::chrono::milliseconds(50)).empty());
    blocks.b.post_receive(b.memory.slice(0, 64), 4).value();
    EXPECT_EQ(a.status_of(3), Status::success);
    EXPECT_EQ(b.status_of(4), Status::success);
}

TEST_P(Statuses, FenceIsFlushedAfterAFailure) {
    Pair pair = connect();
    PostOptions fenced;
    fenced.fence = true;
    const Remote nowhere{1, 1, 1};
    for (int i = 0; i < 4; ++i)
        pair.b.post_receive(b.memory.slice(0, 64), 50).value();
    pair.a.post_send(a.memory.slice(0, 8), 1, fenced).value();
    pair.a.post_write(a.memory.slice(0, 8), nowhere, 2).value();
    pair.a.post_send(a.memory.slice(0, 8), 3).value();          // no fence: goes
    pair.a.post_send(a.memory.slice(0, 8), 4, fenced).value();  // 2 has failed
    pair.a.post_send(a.memory.slice(0, 8), 5, fenced).value();  // nothing since 4's fence... 4
    EXPECT_EQ(a.status_of(1), Status::success);
    EXPECT_EQ(a.status_of(2), Status::remote_access);
    EXPECT_EQ(a.status_of(3), Status::success);
    EXPECT_EQ(a.status_of(4), Status::flushed);
}

TEST_P(Statuses, PeerThatLeaves) {
    Pair pair = connect();
    for (std::uint64_t i = 0; i < 5; ++i)
        pair.a.post_receive(a.memory.slice(0, 64), i).value();
    for (std::uint64_t i = 5; i < 9; ++i)
        pair.a.post_send(a.memory.slice(0, 64), i).value();
    pair.b.close();
    std::set<std::uint64_t> ended;
    for (int i = 0; i < 9; ++i) {
        const Completion c = a.next();
        EXPECT_TRUE(c.status() == Status::peer_gone || c.status() == Status::flushed);
        EXPECT_TRUE(ended.insert(c.id()).second) << "twice: " << c.id();
    }
    EXPECT_EQ(ended.size(), 9U);
    EXPECT_EQ(pair.a.state(), QueuePair::State::closed);
    EXPECT_FALSE(pair.a.post_send(a.memory.slice(0, 64), 1));
    EXPECT_TRUE(a.quiet());
}

TEST_P(Statuses, RefusedConnections) {
    QueuePair pair =
        a.partition.create_queue_pair({.completions = a.queue, .executor = GetParam()}).value();
    EXPECT_EQ(pair.connect("nobody/service").error().code, ErrorCode::not_found);
    EXPECT_EQ(pair.connect("b/nothing").error().code, ErrorCode::not_found);
    EXPECT_EQ(pair.connect("no slash").error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(pair.post_send(a.memory.slice(0, 8), 1).error().code, ErrorCode::wrong_state);
}

CW_FOR_EVERY_EXECUTOR(Statuses);

}  // namespace
}  // namespace causeway::test
