// Where transfers meet the edges of queues, connections and each other.
#include <algorithm>
#include <atomic>
#include <causeway/abi/descriptor.hpp>
#include <causeway/append_log.hpp>
#include <memory>
#include <span>
#include <thread>

#include "conformance/fixture.hpp"

namespace causeway::test {
namespace {

class Edges : public Conformance {
protected:
    // Posts when there is room; what else goes wrong fails the test.
    template<typename F>
    void until_room(F&& post) {
        const auto end = std::chrono::steady_clock::now() + kWatchdog;
        for (;;) {
            const Result<void> posted = post();
            if (posted)
                return;
            ASSERT_EQ(posted.error().code, ErrorCode::again) << posted.error().text;
            ASSERT_LT(std::chrono::steady_clock::now(), end) << "there is never any room";
            ASSERT_FALSE(a.try_next().has_value());
        }
    }
};

TEST_P(Edges, SmallSendsFreeTheirMemoryAtOnce) {
    Pair pair = connect();
    for (std::uint32_t i = 0; i < 40; ++i) {
        std::memset(a.memory.data(), static_cast<int>(i), 32);
        pair.a.post_send(a.memory.slice(0, 32), i).value();
        std::memset(a.memory.data(), 0xff, 32);
    }
    for (std::uint32_t i = 0; i < 40; ++i) {
        pair.b.post_receive(b.memory.slice(0, 32), i).value();
        EXPECT_EQ(b.status_of(i), Status::success);
        EXPECT_EQ(b.memory.data()[0], std::byte(i));
        EXPECT_EQ(b.memory.data()[31], std::byte(i));
    }
}

// A list that takes the whole send queue can be posted again and again, also where nothing but the
// adapter's count says that the queue is empty.
TEST_P(Edges, AListAsLongAsTheQueue) {
    for (const std::uint32_t entries : {4U, 8U, 16U, 32U}) {
        Pair pair = connect(a, b, Patience::block(), entries);
        const std::uint32_t most = std::min(entries, abi::kMaxChain) * abi::kMaxDataSegments;
        a.fill(0, 100, entries);
        for (std::uint32_t i = 0; i < 40; ++i) {
            const std::vector<Slice> list(most - i % 3, a.memory.slice(0, 100));
            pair.b.post_receive(b.memory.slice(0, 4096), 1).value();
            PostOptions options;
            options.signaled = i % 4 == 0;
            ASSERT_NO_FATAL_FAILURE(until_room([&] { return pair.a.post_send(list, 2, options); }));
            ASSERT_EQ(b.status_of(1), Status::success);
            if (options.signaled) {
                ASSERT_EQ(a.status_of(2), Status::success);
            }
            ASSERT_TRUE(b.holds(100, 100, entries));
        }
        const std::vector<Slice> too_long(most + 1, a.memory.slice(0, 100));
        const auto refused = pair.a.post_send(too_long, 3);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument) << refused.error().text;
    }
}

TEST_P(Edges, WhatIsPostedBeforeTheConnectionGoesOut) {
    Listener door = b.partition.listen("door").value();
    const auto create = [&](Party& party) {
        return party.partition
            .create_queue_pair({.completions = party.queue, .executor = GetParam()})
            .value();
    };
    QueuePair out = create(a);
    QueuePair in = create(b);
    in.post_receive(b.memory.slice(0, 5000), 1).value();  // idle: receives may be posted
    EXPECT_EQ(out.post_send(a.memory.slice(0, 5000), 2).error().code, ErrorCode::wrong_state);
    a.fill(0, 5000, 6);
    out.connect("b/door", std::chrono::seconds(0)).value();
    out.post_send(a.memory.slice(0, 5000), 2).value();  // connecting: waits
    EXPECT_FALSE(a.try_next().has_value());
    door.accept(in, kWatchdog).value();
    EXPECT_EQ(a.status_of(2), Status::success);
    EXPECT_EQ(b.status_of(1), Status::success);
    EXPECT_TRUE(b.holds(0, 5000, 6));
    EXPECT_EQ(out.peer(), "b");
    EXPECT_EQ(in.peer(), "a");
}

// Each operation sees what the one before it did, whichever way through the engine they took.
TEST_P(Edges, OperationsTakeEffectInOrder) {
    Pair pair = connect();
    auto* numbers = reinterpret_cast<std::uint64_t*>(a.memory.data());
    for (std::uint64_t i = 0; i < 500; ++i) {
        numbers[0] = i;
        pair.a.post_write(a.memory.slice(0, 8), b.memory.remote(), 1).value();
        numbers[100] = i * 3;
        pair.a.post_write(a.memory.slice(800, 100), b.memory.remote(), 2).value();
        pair.a.post_read(a.memory.slice(4096, 8), b.memory.remote(), 3).value();
        for (const std::uint64_t id : {1U, 2U, 3U})
            ASSERT_EQ(a.status_of(id), Status::success);
        ASSERT_EQ(numbers[512], i * 3);
    }
}

// A fence guards what was posted since the fence before it; a failure does not close the way for
// ever.
TEST_P(Edges, WorkGoesOnBehindAFlushedFence) {
    Pair pair = connect();
    PostOptions fenced;
    fenced.fence = true;
    const Remote good = b.memory.remote();
    for (int round = 0; round < 3; ++round) {
        pair.a.post_write(a.memory.slice(0, 64), {1, 1, 1}, 1).value();
        pair.a.post_write(a.memory.slice(0, 64), good, 2, fenced).value();
        pair.a.post_write(a.memory.slice(0, 64), good, 3, fenced).value();
        pair.a.post_write(a.memory.slice(0, 8), good, 4, fenced).value();
        EXPECT_EQ(a.status_of(1), Status::remote_access);
        EXPECT_EQ(a.status_of(2), Status::flushed);
        EXPECT_EQ(a.status_of(3), Status::success);
        EXPECT_EQ(a.status_of(4), Status::success);
    }
}

// A sender without patience fails when no receive is posted, and never where one is: a receiver
// that is late with taking completions still has room for what it has posted.
TEST_P(Edges, APostedReceiveIsNeverMissed) {
    Pair pair = connect(a, b, Patience::fail(), 8);
    for (std::uint64_t i = 0; i < 8; ++i)
        pair.b.post_receive(b.memory.slice(0, 64), i).value();
    for (std::uint64_t i = 0; i < 9; ++i) {
        ASSERT_NO_FATAL_FAILURE(
            until_room([&] { return pair.a.post_send(a.memory.slice(0, 8), i); }));
        EXPECT_EQ(a.status_of(i), i < 8 ? Status::success : Status::receiver_not_ready);
    }
    for (std::uint64_t i = 0; i < 8; ++i)
        EXPECT_EQ(b.status_of(i), Status::success);
    for (std::uint64_t i = 0; i < 200; ++i) {
        pair.b.post_receive(b.memory.slice(0, 64), i).value();
        pair.a.post_send(a.memory.slice(0, 8), i).value();
        ASSERT_EQ(a.status_of(i), Status::success) << "a receive was posted";
        ASSERT_EQ(b.status_of(i), Status::success);
    }
}

// A large Append holds its log while it moves; a small one to another log does not wait for it.
TEST_P(Edges, AnAppendHoldsItsOwnLogOnly) {
    if (direct())
        GTEST_SKIP()
            << "the posting thread moves by itself: its own posts come one after the other";
    constexpr std::uint32_t kPart = 32 << 20;
    constexpr std::uint32_t kLarge = 10 * kPart;
    Region source = a.partition.allocate(kPart, Access::local).value();
    Region large = log_of(b, kLarge);
    Region small = log_of(b, 1 << 20);
    Pair one = connect();
    Pair two = connect();
    for (std::size_t i = 0; i < kPart; i += 64)
        source.data()[i] = Party::pattern(8, i);
    const std::vector<Slice> gather(10, source.slice(0, kPart));
    one.a.post_append(std::span<const Slice>(gather), large.remote(), 1).value();
    int between = 0;
    for (bool moving = true; moving;) {
        two.a.post_append(a.memory.slice(0, 100), small.remote(), 2).value();
        for (bool waiting = true; waiting;) {
            const Completion c = a.next();
            ASSERT_EQ(c.status(), Status::success);
            (c.id() == 1 ? moving : waiting) = false;
        }
        between += moving ? 1 : 0;
    }
    EXPECT_GT(between, 1);
    for (std::size_t i = 0; i < kLarge; i += 64)
        ASSERT_EQ(large.data()[i], Party::pattern(8, i % kPart)) << i;
}

// Four writers, each with its own thread and queue pair: records whole, in each writer's order, no
// gap, each where its completion said.
TEST_P(Edges, FourThreadsAppendToOneLog) {
    apart();
    constexpr std::uint32_t kWriters = 4;
    constexpr std::uint32_t kRecords = 300;
    struct Record {
        std::uint32_t writer, number, length;
    };
    Region log = log_of(b, 8 << 20);
    const Remote where = log.remote();
    std::vector<std::unique_ptr<Party>> parties;
    std::vector<Pair> pairs;
    for (std::uint32_t w = 0; w < kWriters; ++w) {
        parties.push_back(
            std::make_unique<Party>("writer" + std::to_string(w), adapter.socket(), Access::local));
        pairs.push_back(connect(*parties[w], b));
    }
    std::vector<std::vector<std::uint64_t>> offsets(kWriters);
    std::atomic<std::uint32_t> failed{0};
    std::vector<std::thread> threads;
    for (std::uint32_t w = 0; w < kWriters; ++w) {
        threads.emplace_back([&, w] {
            Party& party = *parties[w];
            for (std::uint32_t i = 0; i < kRecords; ++i) {
                const Record record{w, i, 12 + (i * 131 + w * 977) % 4000};
                party.fill(0, record.length, w * kRecords + i);
                std::memcpy(party.memory.data(), &record, sizeof record);
                pairs[w].a.post_append(party.memory.slice(0, record.length), where, i).value();
                const Completion done = party.next();
                failed += done.ok() ? 0 : 1;
                offsets[w].push_back(done.offset());
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    ASSERT_EQ(failed, 0U);
    std::vector<std::uint32_t> next(kWriters);
    LogReader reader({log.data(), log.size()});
    const std::uint64_t end = direct() ? 0 : log.append_offset().value();
    for (std::uint64_t at = 0;;) {
        if (direct()) {
            const auto data = reader.next();
            if (!data)
                break;
            at = static_cast<std::uint64_t>(data->data() - log.data());
        } else if (at == end) {
            break;
        }
        Record record{};
        std::memcpy(&record, log.data() + at, sizeof record);
        ASSERT_LT(record.writer, kWriters) << at;
        ASSERT_EQ(record.number, next[record.writer]) << at;
        ASSERT_EQ(offsets[record.writer][record.number], at);
        const std::uint32_t seed = record.writer * kRecords + record.number;
        for (std::size_t i = sizeof record; i < record.length; ++i)
            ASSERT_EQ(log.data()[at + i], Party::pattern(seed, i)) << at << "+" << i;
        ++next[record.writer];
        at += record.length;
    }
    EXPECT_EQ(next, std::vector<std::uint32_t>(kWriters, kRecords));
}

// Whatever is under way when a queue pair is closed by its own side ends; nothing is left behind
// that holds up the others.
TEST_P(Edges, ClosingInTheMiddleOfAnAppendFreesTheLog) {
    if (direct())
        GTEST_SKIP() << "the posting thread moves by itself: nothing is under way when it closes";
    constexpr std::uint32_t kLarge = 64 << 20;
    Region source = a.partition.allocate(kLarge, Access::local).value();
    Region log = log_of(b, kLarge);
    for (int round = 0; round < 5; ++round) {
        Pair doomed = connect();
        source.data()[0] = std::byte{1};
        log.data()[0] = std::byte{0};
        doomed.a.post_append(source.slice(0, kLarge), log.remote(), 1).value();
        while (reinterpret_cast<std::atomic<std::uint8_t>*>(log.data())->load() == 0) {}
        doomed.a.close();
        Pair next = connect();
        next.a.post_append(a.memory.slice(0, 0), log.remote(), 2).value();
        EXPECT_EQ(a.status_of(2), Status::success);
        if (log.append_offset().value() != 0)
            break;  // it was faster than the closing
    }
}

CW_FOR_EVERY_EXECUTOR(Edges);

}  // namespace
}  // namespace causeway::test
