// Reading a log of records (causeway/append_log.hpp), also one in which anything may stand.
#include <causeway/append_log.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include "support/guarded_area.hpp"
#include "support/random.hpp"

namespace causeway::test {
namespace {

using abi::RecordState;

class LogReaderTest : public testing::Test {
protected:
    void put(std::uint64_t header) {
        std::memcpy(area.data() + end, &header, sizeof header);
        end += abi::record_size(abi::record_length(header));
    }
    void put(std::string_view data, RecordState state) {
        std::memcpy(area.data() + end + abi::kRecordHeader, data.data(), data.size());
        put(abi::record_header(static_cast<std::uint32_t>(data.size()), 1, state));
    }
    std::string next() {
        const auto record = reader.next();
        return record ? std::string(reinterpret_cast<const char*>(record->data()), record->size())
                      : std::string("none");
    }

    GuardedArea area{4096};
    LogReader reader{area.bytes()};
    std::uint64_t end = 0;
};

TEST_F(LogReaderTest, ReadsWhatIsCommittedInOrder) {
    EXPECT_EQ(next(), "none");
    EXPECT_FALSE(reader.blocked());
    put("one", RecordState::committed);
    put("", RecordState::committed);
    put("exactly8", RecordState::committed);
    EXPECT_EQ(next(), "one");
    EXPECT_EQ(reader.offset(), 16U);
    EXPECT_EQ(next(), "") << "a record without data is a record";
    EXPECT_EQ(next(), "exactly8");
    EXPECT_EQ(next(), "none");
    EXPECT_EQ(reader.offset(), end);
}

TEST_F(LogReaderTest, PassesOverWhatIsClosed) {
    put("lost", RecordState::closed);
    put("lost too", RecordState::closed);
    put("kept", RecordState::committed);
    put("lost", RecordState::closed);
    EXPECT_EQ(next(), "kept");
    EXPECT_EQ(next(), "none");
    EXPECT_EQ(reader.offset(), end);
}

TEST_F(LogReaderTest, WaitsForAWriterUntilToldOtherwise) {
    put("late", RecordState::reserved);
    put("after", RecordState::committed);
    EXPECT_EQ(next(), "none");
    EXPECT_TRUE(reader.blocked());
    EXPECT_EQ(reader.offset(), 0U);
    const std::uint64_t now = abi::record_header(4, 1, RecordState::committed);
    std::memcpy(area.data(), &now, sizeof now);
    EXPECT_FALSE(reader.blocked());
    EXPECT_EQ(next(), "late");
    EXPECT_EQ(next(), "after");
}

TEST_F(LogReaderTest, SkipsWhatIsReservedAndOnlyThat) {
    put("late", RecordState::reserved);
    put("after", RecordState::committed);
    reader.skip();
    EXPECT_EQ(next(), "after");
    reader.skip();  // nothing stands here
    EXPECT_EQ(reader.offset(), end);
    put("more", RecordState::committed);
    reader.skip();  // what is committed is to be read
    EXPECT_EQ(next(), "more");
}

TEST_F(LogReaderTest, ClosesARecordWhoseWriterIsGone) {
    put("never", RecordState::reserved);
    put("after", RecordState::committed);
    EXPECT_TRUE(reader.close());
    EXPECT_FALSE(reader.close());
    EXPECT_FALSE(reader.blocked());
    EXPECT_EQ(next(), "after");
    LogReader again(area.bytes());
    EXPECT_FALSE(again.blocked()) << "closed for every reader";
}

TEST_F(LogReaderTest, EndsWhereTheRegionDoes) {
    put(std::string(area.size() - 16, 'x'), RecordState::committed);
    put("", RecordState::committed);
    EXPECT_EQ(next().size(), area.size() - 16);
    EXPECT_EQ(next(), "");
    EXPECT_EQ(reader.offset(), area.size());
    EXPECT_EQ(next(), "none");
    EXPECT_FALSE(reader.blocked());
    EXPECT_FALSE(reader.close());
    reader.skip();
    EXPECT_EQ(reader.offset(), area.size());
}

TEST_F(LogReaderTest, LengthsThatLeadOutAreTheEnd) {
    for (const std::uint32_t length : {4089U, 4096U, 1U << 31, UINT32_MAX, UINT32_MAX - 7}) {
        for (const auto state :
             {RecordState::reserved, RecordState::committed, RecordState::closed}) {
            const std::uint64_t header = abi::record_header(length, 1, state);
            std::memcpy(area.data(), &header, sizeof header);
            LogReader hostile(area.bytes());
            EXPECT_FALSE(hostile.next());
            EXPECT_FALSE(hostile.blocked());
            EXPECT_FALSE(hostile.close());
            hostile.skip();
            EXPECT_EQ(hostile.offset(), 0U);
        }
    }
}

TEST(LogReader, MemoryTooSmallForAHeaderHoldsNothing) {
    for (std::size_t size = 0; size < 8; ++size) {
        const GuardedArea area(8);
        LogReader reader(area.bytes().first(size));
        EXPECT_FALSE(reader.next());
        EXPECT_FALSE(reader.blocked());
    }
}

// Everything that it returns lies inside, and it comes to an end.
TEST(LogReader, GarbageIsReadInside) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        Random random(seed);
        const GuardedArea area(8 * (1 + random.below(500)));
        random.fill(area.bytes());
        auto* words = reinterpret_cast<std::uint64_t*>(area.data());
        for (std::size_t i = 0; i < area.size() / 8; ++i) {
            if (!random.one_in(4))
                words[i] &= 0x0300'0000'0000'003f;
        }
        LogReader reader(area.bytes());
        for (std::uint64_t steps = 0; steps <= area.size() / 8; ++steps) {
            const std::uint64_t before = reader.offset();
            if (const auto record = reader.next()) {
                ASSERT_GE(record->data(), area.data());
                ASSERT_LE(record->data() + record->size(), area.data() + area.size());
            } else if (reader.blocked()) {
                reader.skip();
            } else {
                break;
            }
            ASSERT_GT(reader.offset(), before);
            ASSERT_LE(reader.offset(), area.size());
        }
    }
}

// A writer that has mapped the region changes headers between two looks at them.
TEST(LogReader, HeadersThatChangeWhileItReads) {
    constexpr std::size_t kSize = 4096;
    const GuardedArea area(kSize);
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> written{0};
    std::thread hostile([&] {
        Random random(3);
        auto* words = reinterpret_cast<std::uint64_t*>(area.data());
        for (; !stop; ++written) {
            const std::uint64_t value = abi::record_header(
                static_cast<std::uint32_t>(random.one_in(4) ? random.next() : random.below(64)), 1,
                static_cast<RecordState>(random.below(4)));
            __atomic_store_n(words + random.below(kSize / 8), value, __ATOMIC_RELAXED);
        }
    });
    for (int round = 0; round < 5000 || written < 100'000; ++round) {
        LogReader reader(area.bytes());
        for (std::size_t steps = 0; steps <= kSize / 8; ++steps) {
            const auto record = reader.next();
            if (record) {
                ASSERT_GE(record->data(), area.data());
                ASSERT_LE(record->data() + record->size(), area.data() + kSize);
            }
            if (!record && reader.blocked())
                round % 2 == 0 ? reader.skip() : (void)reader.close();
            ASSERT_LE(reader.offset(), kSize);
        }
    }
    stop = true;
    hostile.join();
    EXPECT_TRUE(area.intact());
}

}  // namespace
}  // namespace causeway::test
