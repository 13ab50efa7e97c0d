// What moves, moves exactly: every operation, every kind of size and list.
#include <numeric>
#include <random>

#include <causeway/append_log.hpp>

#include "conformance/fixture.hpp"

namespace causeway::test {
namespace {

class Transfer : public Conformance {
protected:
    [[nodiscard]] Completion next_of_either() {
        const auto end = std::chrono::steady_clock::now() + kWatchdog;
        while (std::chrono::steady_clock::now() < end) {
            for (Party* party : {&a, &b}) {
                if (auto c = party->try_next())
                    return *c;
            }
        }
        throw std::runtime_error("no completion within the watchdog's time");
    }
};

constexpr std::uint32_t kSizes[] = {0, 1, 8, 31, 32, 33, 64, 4095, 4096, 65539, 1 << 20, 3 << 20};

TEST_P(Transfer, SendArrivesInThePostedBuffer) {
    Pair pair = connect();
    for (const std::uint32_t size : kSizes) {
        a.fill(64, size, size);
        b.fill(0, size + 64, ~size);
        pair.b.post_receive(b.memory.slice(32, size), 7).value();
        pair.a.post_send(a.memory.slice(64, size), 8).value();
        EXPECT_EQ(a.status_of(8), Status::success);
        const Completion c = b.next();
        ASSERT_EQ(c.status(), Status::success);
        EXPECT_EQ(c.id(), 7U);
        EXPECT_EQ(c.opcode(), Opcode::receive);
        EXPECT_EQ(c.length(), size);
        EXPECT_FALSE(c.immediate().has_value());
        EXPECT_TRUE(b.holds(32, size, size)) << size;
        EXPECT_TRUE(b.memory.data()[31] == Party::pattern(~size, 31)) << "a byte before it changed";
        EXPECT_TRUE(b.memory.data()[32 + size] == Party::pattern(~size, 32 + size)) << size;
    }
}

TEST_P(Transfer, WriteAndReadReachTheRemoteAddress) {
    Pair pair = connect();
    for (const std::uint32_t size : kSizes) {
        a.fill(0, size, size + 1);
        pair.a.post_write(a.memory.slice(0, size), b.memory.remote(4096), 1).value();
        EXPECT_EQ(a.status_of(1), Status::success) << size;
        EXPECT_TRUE(b.holds(4096, size, size + 1)) << size;
        b.fill(128, size, size + 2);
        pair.a.post_read(a.memory.slice(77, size), b.memory.remote(128), 2).value();
        EXPECT_EQ(a.status_of(2), Status::success) << size;
        EXPECT_TRUE(a.holds(77, size, size + 2)) << size;
    }
    EXPECT_TRUE(b.quiet()) << "one-sided operations are not seen by the peer";
}

TEST_P(Transfer, ImmediateTellsThePeer) {
    Pair pair = connect();
    for (const std::uint32_t size : {0U, 16U, 100'000U}) {
        a.fill(0, size, 5);
        pair.b.post_receive(b.memory.slice(0, 64), 1).value();
        pair.a
            .post_write(a.memory.slice(0, size), b.memory.remote(1 << 20), 2, Immediate{0xdeadbeef})
            .value();
        const Completion c = b.next();
        ASSERT_EQ(c.status(), Status::success);
        EXPECT_EQ(c.opcode(), Opcode::write);
        EXPECT_EQ(c.length(), size);
        EXPECT_EQ(c.immediate(), 0xdeadbeefU);
        EXPECT_TRUE(b.holds(1 << 20, size, 5)) << "the data was not there before the news of it";
        EXPECT_EQ(a.status_of(2), Status::success);
    }
    pair.b.post_receive(b.memory.slice(0, 64), 3).value();
    pair.a.post_send(a.memory.slice(0, 4), 4, Immediate{42}).value();
    EXPECT_EQ(b.next().immediate(), 42U);
}

TEST_P(Transfer, GatherAndScatterListsOfUpTo32Slices) {
    Pair pair = connect();
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
        std::vector<Slice> gather;
        std::vector<Slice> scatter;
        std::vector<std::byte> want;
        const auto count = 1 + random() % 32;
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto length = static_cast<std::uint32_t>(random() % 5000);
            const std::size_t at = i * 8192 + random() % 1000;
            a.fill(at, length, static_cast<std::uint32_t>(random()));
            gather.push_back(a.memory.slice(at, length));
            want.insert(want.end(), a.memory.data() + at, a.memory.data() + at + length);
        }
        std::uint32_t left = static_cast<std::uint32_t>(want.size());
        for (std::uint32_t i = 0; i < 31 && left != 0; ++i) {
            const std::uint32_t length =
                std::min(left, static_cast<std::uint32_t>(random() % 9000));
            scatter.push_back(b.memory.slice(i * 16384, length));
            left -= length;
        }
        scatter.push_back(b.memory.slice(31 * 16384, left));
        pair.b.post_receive(std::span<const Slice>(scatter), 1).value();
        pair.a.post_send(std::span<const Slice>(gather), 2).value();
        ASSERT_EQ(a.status_of(2), Status::success);
        ASSERT_EQ(b.next().length(), want.size());
        std::vector<std::byte> got;
        for (const Slice& s : scatter)
            got.insert(got.end(), s.data(), s.data() + s.size());
        ASSERT_EQ(got, want) << "round " << round;
    }
    const std::vector<Slice> many(33, a.memory.slice(0, 1));
    EXPECT_EQ(pair.a.post_send(std::span<const Slice>(many), 1).error().code,
              ErrorCode::invalid_argument);
}

TEST_P(Transfer, AppendsOfSeveralWritersAreContiguousAndWhole) {
    Party c("c", adapter.socket(), Access::local);
    Pair first = connect(a, b);
    Pair second = connect(c, b);
    Region log = log_of(b, 1 << 20);
    constexpr int kEach = 300;
    struct Writer {
        Party& party;
        QueuePair& pair;
        std::byte mark;
    } writers[] = {{a, first.a, std::byte{1}}, {c, second.a, std::byte{2}}};
    std::vector<std::uint32_t> lengths;
    for (int i = 0; i < kEach; ++i)
        lengths.push_back(8 + static_cast<std::uint32_t>(i * 37 % 1500));
    for (auto& w : writers)
        std::memset(w.party.memory.data(), static_cast<int>(w.mark), 4096);
    std::vector<int> marks(1 << 20, 0);
    int posted = 0;
    for (int i = 0; i < kEach; i += 50) {
        for (int k = i; k < i + 50; ++k) {
            for (auto& w : writers) {
                const auto length = lengths[static_cast<std::size_t>(k)];
                w.pair
                    .post_append(w.party.memory.slice(0, length), log.remote(),
                                 static_cast<std::uint64_t>(k))
                    .value();
            }
        }
        for (auto& w : writers) {
            for (int k = 0; k < 50; ++k) {
                const Completion done = w.party.next();
                ASSERT_EQ(done.status(), Status::success);
                ASSERT_EQ(done.length(), lengths[done.id()]);
                for (std::uint64_t at = done.offset(); at < done.offset() + done.length(); ++at) {
                    ASSERT_EQ(marks[at], 0) << "two appends at " << at;
                    marks[at] = static_cast<int>(w.mark);
                }
                ++posted;
            }
        }
    }
    EXPECT_EQ(posted, 2 * kEach);
    if (direct()) {
        LogReader reader({log.data(), log.size()});
        int records = 0;
        while (const auto data = reader.next()) {
            for (const std::byte byte : *data)
                ASSERT_EQ(byte, (*data)[0]);
            ++records;
        }
        EXPECT_EQ(records, 2 * kEach);
        return;
    }
    const auto total = 2 * std::accumulate(lengths.begin(), lengths.end(), 0U);
    EXPECT_EQ(log.append_offset().value(), total);
    for (std::size_t i = 0; i < marks.size(); ++i) {
        ASSERT_EQ(static_cast<int>(log.data()[i]), i < total ? marks[i] : 0) << i;
    }
}

TEST_P(Transfer, LargeMovesDoNotHoldUpSmallOnes) {
    if (direct())
        GTEST_SKIP()
            << "the posting thread moves by itself: its own posts come one after the other";
    constexpr std::size_t kLarge = 96 << 20;
    Region source = a.partition.allocate(kLarge, Access::local).value();
    Region target = b.partition.allocate(kLarge, Access::remote_write | Access::exportable).value();
    for (std::size_t i = 0; i < kLarge; i += 64)
        source.data()[i] = Party::pattern(3, i);
    Pair large = connect();
    Pair small = connect();
    // Eight times over the same memory: long enough also where the machine is busy with other
    // things.
    const std::vector<Slice> gather(8, source.slice(0, kLarge));
    const std::vector<Slice> scatter(8, target.slice(0, kLarge));
    large.b.post_receive(std::span<const Slice>(scatter), 1001).value();
    large.a.post_send(std::span<const Slice>(gather), 1000).value();
    // The large one is a single descriptor: the small ones must get through before it ends.
    int before = 0;
    bool ended = false;
    while (!ended) {
        small.b.post_receive(b.memory.slice(0, 64), 1).value();
        small.a.post_send(a.memory.slice(0, 64), 2).value();
        for (int waiting = 2; waiting > 0;) {
            // Completions of both queue pairs arrive in the same queues.
            const Completion c = next_of_either();
            if (c.id() >= 1000) {
                EXPECT_EQ(c.status(), Status::success);
                ended = true;
            } else {
                ASSERT_EQ(c.status(), Status::success);
                --waiting;
            }
        }
        before += ended ? 0 : 1;
    }
    EXPECT_GT(before, 1);
    for (std::size_t i = 0; i < kLarge; i += 64) {
        ASSERT_EQ(target.data()[i], Party::pattern(3, i)) << i;
    }
}

CW_FOR_EVERY_EXECUTOR(Transfer);

}  // namespace
}  // namespace causeway::test
