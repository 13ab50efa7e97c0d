// Writing to a log of records: one writer, many, and memory in which anything may stand.
#include "engine/record_log.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <causeway/append_log.hpp>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include "support/guarded_area.hpp"
#include "support/random.hpp"

namespace causeway::test {
namespace {

using abi::RecordState;
using engine::RecordLog;
using Reserved = RecordLog::Reserved;

// One writer's view of `area`.
struct Writer {
    Writer(const GuardedArea& area, std::uint32_t writer)
        : number(writer), log(area.data(), area.size(), hint) {}

    Reserved reserve(std::uint32_t bytes) { return log.reserve(bytes, number, at); }
    bool commit(std::uint32_t bytes) { return log.end(at, bytes, number, RecordState::committed); }

    std::uint32_t number;
    std::atomic<std::uint64_t> hint{0};
    RecordLog log;
    std::uint64_t at = 0;  // of the last reserved
};

std::uint64_t word(const GuardedArea& area, std::uint64_t offset) {
    return __atomic_load_n(reinterpret_cast<std::uint64_t*>(area.data() + offset),
                           __ATOMIC_ACQUIRE);
}
void put(const GuardedArea& area, std::uint64_t offset, std::uint64_t value) {
    __atomic_store_n(reinterpret_cast<std::uint64_t*>(area.data() + offset), value,
                     __ATOMIC_RELEASE);
}

TEST(RecordLog, ReservesOneBehindTheOther) {
    const GuardedArea area(4096);
    Writer writer(area, 7);
    ASSERT_EQ(writer.reserve(5), Reserved::done);
    EXPECT_EQ(writer.at, 0U);
    EXPECT_EQ(word(area, 0), abi::record_header(5, 7, RecordState::reserved));
    ASSERT_EQ(writer.reserve(0), Reserved::done);
    EXPECT_EQ(writer.at, 16U);
    ASSERT_EQ(writer.reserve(8), Reserved::done);
    EXPECT_EQ(writer.at, 24U);
    EXPECT_EQ(writer.hint.load(), 40U);
}

TEST(RecordLog, EndsARecordOnce) {
    const GuardedArea area(4096);
    Writer writer(area, 7);
    ASSERT_EQ(writer.reserve(5), Reserved::done);
    EXPECT_TRUE(writer.commit(5));
    EXPECT_EQ(word(area, 0), abi::record_header(5, 7, RecordState::committed));
    EXPECT_TRUE(writer.commit(5)) << "again, in the place of a writer that died after that";
    EXPECT_FALSE(writer.log.end(0, 5, 7, RecordState::closed));
    // Nor somebody else's, or one of another length.
    ASSERT_EQ(writer.reserve(5), Reserved::done);
    EXPECT_FALSE(writer.log.end(writer.at, 5, 8, RecordState::committed));
    EXPECT_FALSE(writer.log.end(writer.at, 6, 7, RecordState::committed));
    EXPECT_TRUE(writer.log.end(writer.at, 5, 7, RecordState::closed));
    EXPECT_EQ(word(area, writer.at), abi::record_header(5, 7, RecordState::closed));
}

TEST(RecordLog, AStaleHintLeadsToTheEnd) {
    const GuardedArea area(4096);
    Writer one(area, 1);
    Writer two(area, 2);
    for (std::uint32_t i = 0; i < 10; ++i)
        ASSERT_EQ(one.reserve(i), Reserved::done);
    ASSERT_EQ(two.reserve(3), Reserved::done);
    EXPECT_EQ(two.at, one.hint.load());
    ASSERT_EQ(one.reserve(3), Reserved::done);
    EXPECT_EQ(one.at, two.at + 16);
}

TEST(RecordLog, FillsTheRegionAndNothingElse) {
    for (const std::size_t size : {0U, 7U, 8U, 15U, 16U, 20U, 4096U}) {
        const GuardedArea area(size + 16, GuardedArea::Place::at_start);
        std::atomic<std::uint64_t> hint{0};
        RecordLog log(area.data(), size, hint);
        std::uint64_t at = 0;
        std::uint64_t reserved = 0;
        while (log.reserve(0, 1, at) == Reserved::done)
            ++reserved;
        EXPECT_EQ(reserved, size / 8);
        EXPECT_EQ(log.reserve(0, 1, at), Reserved::full);
        EXPECT_EQ(log.reserve(1, 1, at), Reserved::full);
        EXPECT_EQ(log.reserve(UINT32_MAX, 1, at), Reserved::full);
        EXPECT_EQ(word(area, size / 8 * 8), 0U);
        EXPECT_TRUE(area.intact());
    }
}

TEST(RecordLog, TheLastRecordMayEndWhereTheRegionDoes) {
    const GuardedArea area(64);
    Writer writer(area, 1);
    EXPECT_EQ(writer.reserve(57), Reserved::full);
    EXPECT_EQ(word(area, 0), 0U) << "what does not fit is not begun";
    ASSERT_EQ(writer.reserve(56), Reserved::done);
    EXPECT_EQ(writer.hint.load(), 64U);
    EXPECT_EQ(writer.reserve(0), Reserved::full);
}

// A smaller one may still fit where a larger did not.
TEST(RecordLog, FullIsForThisLengthOnly) {
    const GuardedArea area(64);
    Writer writer(area, 1);
    ASSERT_EQ(writer.reserve(24), Reserved::done);
    EXPECT_EQ(writer.reserve(32), Reserved::full);
    EXPECT_EQ(writer.reserve(24), Reserved::done);
}

TEST(RecordLog, ALongLogIsPassedInSteps) {
    constexpr std::uint64_t kRecords = 2 * RecordLog::kMostSteps + 100;
    const GuardedArea area((kRecords + 2) * 8);
    for (std::uint64_t i = 0; i < kRecords; ++i)
        put(area, i * 8, abi::record_header(0, 3, RecordState::committed));
    Writer writer(area, 1);
    EXPECT_EQ(writer.reserve(8), Reserved::more);
    EXPECT_EQ(writer.hint.load(), RecordLog::kMostSteps * 8);
    EXPECT_EQ(writer.reserve(8), Reserved::more);
    EXPECT_EQ(writer.hint.load(), 2 * RecordLog::kMostSteps * 8);
    EXPECT_EQ(writer.reserve(8), Reserved::done);
    EXPECT_EQ(writer.at, kRecords * 8);
    EXPECT_EQ(writer.reserve(8), Reserved::full);
}

// Whatever a header says, the search ends, and inside the region.
TEST(RecordLog, HostileHeadersLeadNowhere) {
    constexpr std::size_t kSize = 4096;
    const std::uint32_t lengths[] = {0,
                                     1,
                                     kSize - 16,
                                     kSize - 9,
                                     kSize - 8,
                                     kSize - 7,
                                     kSize,
                                     kSize + 8,
                                     INT32_MAX,
                                     std::uint32_t{INT32_MAX} + 1,
                                     UINT32_MAX,
                                     UINT32_MAX - 1,
                                     UINT32_MAX - 7,
                                     UINT32_MAX - 8};
    for (const std::uint32_t length : lengths) {
        for (int state = 0; state < 256; ++state) {
            const std::uint64_t header =
                abi::record_header(length, 0xffffff, static_cast<RecordState>(state));
            const GuardedArea area(kSize);
            put(area, 0, header);
            Writer writer(area, 1);
            const bool leaves_room = abi::record_size(length) + 16 <= kSize;
            EXPECT_EQ(writer.reserve(8), leaves_room ? Reserved::done : Reserved::full);
            EXPECT_EQ(word(area, 0), header) << "a header that is not free is left alone";
            EXPECT_LE(writer.hint.load(), kSize);
            if (leaves_room) {
                EXPECT_EQ(writer.at, abi::record_size(length));
            }
            EXPECT_TRUE(area.intact());
        }
    }
}

TEST(RecordLog, GarbageIsWalkedInside) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Random random(seed);
        const GuardedArea area(8 * (1 + random.below(2000)));
        random.fill(area.bytes());
        for (std::uint64_t i = 0; i < area.size() / 8; ++i) {
            if (!random.one_in(3))  // lengths that lead on
                put(area, i * 8, word(area, i * 8) & 0xff00'0000'0000'003f);
        }
        Writer writer(area, 1);
        std::uint64_t before = 0;
        for (int i = 0; i < 50; ++i) {
            const auto bytes = static_cast<std::uint32_t>(random.below(200));
            const Reserved reserved = writer.reserve(bytes);
            ASSERT_GE(writer.hint.load(), before);
            ASSERT_LE(writer.hint.load(), area.size());
            before = writer.hint.load();
            if (reserved != Reserved::done)
                continue;
            ASSERT_LE(writer.at + abi::record_size(bytes), area.size());
            std::memset(area.data() + writer.at + abi::kRecordHeader, 0xff, bytes);
            ASSERT_TRUE(writer.commit(bytes));
        }
        ASSERT_TRUE(area.intact());
    }
}

// Several threads append; every record is whole and nobody's room is anybody else's.
TEST(RecordLog, WritersDoNotDisturbEachOther) {
    constexpr std::uint32_t kWriters = 4;
    const GuardedArea area(1 << 20);
    std::atomic<bool> go{false};
    std::vector<std::uint32_t> committed(kWriters, 0);
    std::vector<std::thread> threads;
    for (std::uint32_t n = 0; n < kWriters; ++n) {
        threads.emplace_back([&, n] {
            while (!go) {}
            Writer writer(area, n + 1);
            Random random(n);
            for (;;) {
                const auto bytes = static_cast<std::uint32_t>(random.between(4, 100));
                const Reserved reserved = writer.reserve(bytes);
                if (reserved == Reserved::full)
                    return;
                if (reserved == Reserved::more)
                    continue;
                std::memset(area.data() + writer.at + abi::kRecordHeader, static_cast<int>(n + 1),
                            bytes);
                std::memcpy(area.data() + writer.at + abi::kRecordHeader, &committed[n], 4);
                ASSERT_TRUE(writer.commit(bytes));
                ++committed[n];
            }
        });
    }
    go = true;
    for (auto& thread : threads)
        thread.join();

    std::vector<std::uint32_t> seen(kWriters, 0);
    LogReader reader(area.bytes());
    std::uint64_t before = 0;
    while (const auto record = reader.next()) {
        const std::uint64_t header = word(area, before);
        before = reader.offset();
        const std::uint32_t writer = abi::record_writer(header);
        ASSERT_GE(writer, 1U);
        ASSERT_LE(writer, kWriters);
        std::uint32_t number = 0;
        std::memcpy(&number, record->data(), 4);
        ASSERT_EQ(number, seen[writer - 1]++) << "in the order in which its writer made them";
        for (const std::byte byte : record->subspan(4))
            ASSERT_EQ(byte, std::byte(writer));
    }
    EXPECT_EQ(seen, committed);
    EXPECT_LT(area.size() - reader.offset(), abi::record_size(100));
    EXPECT_TRUE(area.intact());
}

// Closing against committing: one of them is told that it was.
TEST(RecordLog, CommittedOrClosedAndBothKnowWhich) {
    constexpr std::uint32_t kRecords = 20'000;
    const GuardedArea area(std::size_t{kRecords} * 16);
    std::vector<char> committed(kRecords, 0);
    std::vector<char> closed(kRecords, 0);
    std::atomic<std::uint32_t> reserved{0};
    std::atomic<std::uint32_t> looked{0};
    std::thread closer([&] {
        LogReader reader(area.bytes());
        for (std::uint32_t i = 0; i < kRecords; ++i) {
            while (reserved.load() <= i) {}
            looked.store(i + 1);
            closed[i] = reader.close() ? 1 : 0;
            while (!reader.next() && reader.offset() == std::uint64_t{i} * 16) {}
        }
    });
    Writer writer(area, 5);
    for (std::uint32_t i = 0; i < kRecords; ++i) {
        ASSERT_EQ(writer.reserve(8), Reserved::done);
        reserved.store(i + 1);
        while (looked.load() <= i) {}
        committed[i] = writer.commit(8) ? 1 : 0;
    }
    closer.join();
    std::uint32_t both[2] = {0, 0};
    for (std::uint32_t i = 0; i < kRecords; ++i) {
        ASSERT_NE(committed[i], closed[i]) << "record " << i;
        ASSERT_EQ(abi::record_state(word(area, std::uint64_t{i} * 16)),
                  committed[i] != 0 ? RecordState::committed : RecordState::closed);
        ++both[static_cast<std::size_t>(closed[i])];
    }
    RecordProperty("committed", static_cast<int>(both[0]));
    RecordProperty("closed", static_cast<int>(both[1]));
}

// A thread that has mapped the region writes into the headers all the time.
TEST(RecordLog, HeadersThatChangeUnderTheSearch) {
    constexpr std::size_t kSize = 8192;
    const GuardedArea area(kSize);
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> written{0};
    std::thread hostile([&] {
        Random random(11);
        for (; !stop; ++written)
            put(area, random.below(kSize / 8) * 8,
                random.one_in(2) ? 0 : random.next() & random.next() & 0xff00'0000'0000'ffff);
    });
    for (int round = 0; round < 2000 || written < 100'000; ++round) {
        Writer writer(area, 1);
        for (int i = 0; i < 20; ++i) {
            const Reserved reserved = writer.reserve(40);
            ASSERT_LE(writer.hint.load(), kSize);
            if (reserved != Reserved::done)
                break;
            ASSERT_LE(writer.at, kSize - 48);
            (void)writer.commit(40);
        }
    }
    stop = true;
    hostile.join();
    EXPECT_TRUE(area.intact());
}

}  // namespace
}  // namespace causeway::test
