// Append: the offset under its lock, several flows to one region, what a failure leaves behind.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "unit/engine/flow_expect.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Opcode;
using engine::Step;

Post append(const TestRegion& from, std::uint64_t offset, std::uint64_t length,
            const TestRegion& log) {
    return {.opcode = Opcode::append,
            .segments = {from.segment(offset, length)},
            .remote = log.remote()};
}

TEST(FlowAppend, FullLogRefusesAndKeepsItsOffset) {
    TestPair pair;
    TestRegion& from = pair.pa->add(200);
    TestRegion& log = pair.pb->add(100, abi::right::kAppend);
    Random(1).fill(from.area.bytes());
    EXPECT_STATUS(pair.execute(append(from, 0, 60, log)), success);
    const auto refused = pair.execute(append(from, 0, 41, log));
    EXPECT_STATUS(refused, remote_length);
    EXPECT_EQ(log.region.append_offset, 60U);
    EXPECT_EQ(log.region.append_lock, 0U);
    EXPECT_STATUS(pair.execute(append(from, 0, 101, log)), remote_length);
    EXPECT_STATUS(pair.execute(append(from, 60, 40, log)), success);
    EXPECT_TRUE(same(log.bytes(0, 100), from.bytes(0, 100)));
    EXPECT_STATUS(pair.execute(append(from, 0, 1, log)), remote_length);
    EXPECT_STATUS(pair.execute(append(from, 0, 0, log)), success);
    EXPECT_EQ(log.region.append_offset, 100U);
    EXPECT_TRUE(pair.intact());
}

TEST(FlowAppend, AnOffsetPastTheEndRefuses) {
    TestPair pair;
    TestRegion& from = pair.pa->add(200);
    TestRegion& log = pair.pb->add(100, abi::right::kAppend);
    for (const std::uint64_t offset : {std::uint64_t{101}, UINT64_MAX, UINT64_MAX - 39}) {
        log.region.append_offset = offset;
        EXPECT_STATUS(pair.execute(append(from, 0, 40, log)), remote_length);
        EXPECT_STATUS(pair.execute(append(from, 0, 8, log)), remote_length);
    }
    EXPECT_TRUE(pair.intact());
}

TEST(FlowAppend, BaseNearTheEndOfAddressesWorks) {
    TestPair pair;
    TestRegion& from = pair.pa->add(200);
    TestRegion& log = pair.pb->add(4096, abi::right::kAppend, UINT64_MAX - 4095);
    Random(2).fill(from.area.bytes());
    EXPECT_STATUS(pair.execute(append(from, 0, 200, log)), success);
    EXPECT_STATUS(pair.execute(append(from, 0, 200, log)), success);
    EXPECT_TRUE(same(log.bytes(200, 200), from.bytes(0, 200)));
}

TEST(FlowAppend, FailureLeavesNoGap) {
    TestPair pair;
    TestRegion& from = pair.pa->add(2 * 4096, kEveryRight, 0, GuardedArea::Place::at_start);
    TestRegion& log = pair.pb->add(1 << 20, abi::right::kAppend);
    Random(3).fill(from.area.bytes());
    EXPECT_STATUS(pair.execute(append(from, 0, 100, log)), success);
    from.area.forbid(4096);
    EXPECT_STATUS(pair.execute(append(from, 4000, 4000, log)), local_protection);
    EXPECT_STATUS(pair.execute(append(from, 4090, 30, log)), local_protection);
    EXPECT_STATUS(pair.execute(append(from, 0, 9000, log)), local_protection);
    EXPECT_EQ(log.region.append_offset, 100U);
    EXPECT_EQ(log.region.append_lock, 0U);
    from.area.allow();
    const auto next = pair.execute(append(from, 100, 5000, log));
    EXPECT_STATUS(next, success);
    EXPECT_EQ(next->offset, 100U);
    EXPECT_TRUE(same(log.bytes(0, 5100), from.bytes(0, 5100)));
}

// Two queue pairs of two senders to one log, a step at a time.
class FlowAppendTwo : public testing::Test {
protected:
    FlowAppendTwo() {
        for (TestPair* pair : {&first, &second})
            pair->context.piece = 1000;
        Random(4).fill(from1.area.bytes());
        Random(5).fill(from2.area.bytes());
    }
    std::shared_ptr<TestPartition> logger = std::make_shared<TestPartition>();
    TestPair first{std::make_shared<TestPartition>(), logger, {}, kEngineShape, 10};
    TestPair second{std::make_shared<TestPartition>(), logger, {}, kEngineShape, 20};
    TestRegion& log = logger->add(1 << 20, abi::right::kAppend);
    TestRegion& from1 = first.pa->add(8000);
    TestRegion& from2 = second.pa->add(8000);
};

TEST_F(FlowAppendTwo, SecondWaitsForTheLock) {
    first.a.post(append(from1, 0, 3500, log));
    second.a.post(append(from2, 0, 2500, log));
    EXPECT_EQ(first.step(), Step::progress);
    EXPECT_EQ(log.region.append_lock, 10U);
    second.context.now_ns = 1000;
    EXPECT_EQ(second.step(), Step::waits_lock);
    EXPECT_EQ(first.step(), Step::progress);
    EXPECT_EQ(second.step(), Step::waits_lock);
    EXPECT_EQ(log.region.append_offset, 0U) << "the offset moves when the data is there";
    EXPECT_EQ(first.run(), Step::idle);
    EXPECT_EQ(log.region.append_lock, 0U);
    second.context.now_ns = 1700;
    EXPECT_EQ(second.run(), Step::idle);
    EXPECT_EQ(first.a.take_send()->offset, 0U);
    EXPECT_EQ(second.a.take_send()->offset, 3500U);
    EXPECT_TRUE(same(log.bytes(0, 3500), from1.bytes(0, 3500)));
    EXPECT_TRUE(same(log.bytes(3500, 2500), from2.bytes(0, 2500)));
    EXPECT_EQ(second.a.endpoint.counters.stalls.load(), 1U);
    EXPECT_EQ(second.a.endpoint.counters.stall_ns.load(), 700U);
}

TEST_F(FlowAppendTwo, AnAbandonedAppendFreesTheLock) {
    first.a.post(append(from1, 0, 3500, log));
    second.a.post(append(from2, 0, 2500, log));
    EXPECT_EQ(first.step(), Step::progress);
    first.ab.abandon();
    EXPECT_EQ(log.region.append_lock, 0U);
    EXPECT_FALSE(first.ab.busy());
    EXPECT_EQ(second.run(), Step::idle);
    EXPECT_EQ(second.a.take_send()->offset, 0U);
    // Abandoning while waiting for the lock must not free another's.
    first.a.post(append(from1, 0, 100, log));
    second.a.post(append(from2, 0, 2500, log));
    EXPECT_EQ(second.step(), Step::progress);
    first.ab.abandon();
    EXPECT_EQ(first.step(), Step::waits_lock);
    first.ab.abandon();
    EXPECT_EQ(log.region.append_lock, 20U);
    EXPECT_EQ(second.run(), Step::idle);
}

TEST_F(FlowAppendTwo, RegionThatGoesTakesItsLockAlong) {
    first.a.post(append(from1, 0, 3500, log));
    second.a.post(append(from2, 0, 2500, log));
    EXPECT_EQ(first.step(), Step::progress);
    EXPECT_EQ(second.step(), Step::waits_lock);
    logger->remove(log);
    EXPECT_EQ(first.run(), Step::idle);
    EXPECT_EQ(second.run(), Step::idle);
    EXPECT_STATUS(first.a.take_send(), remote_access);
    EXPECT_STATUS(second.a.take_send(), remote_access);
    EXPECT_TRUE(all_zero(log.bytes(1000, 1000))) << "nothing moves after the removal";
}

// Two threads, as two movers would: every record whole, none over another, no gap.
TEST(FlowAppend, TwoThreadsKeepRecordsWholeAndContiguous) {
    constexpr int kRecords = 4000;
    auto logger = std::make_shared<TestPartition>();
    TestRegion& log = logger->add(kRecords * 2 * 300, abi::right::kAppend);
    std::atomic<std::uint64_t> bytes{0};
    const auto writer = [&](std::uint8_t who) {
        TestPair pair(std::make_shared<TestPartition>(), logger, {}, kEngineShape, who);
        pair.context.piece = 64;
        TestRegion& from = pair.pa->add(300);
        Random random(who);
        for (int i = 0; i < kRecords; ++i) {
            const auto n = static_cast<std::uint16_t>(random.between(3, 300));
            std::memset(from.area.data(), who, n);
            std::memcpy(from.area.data(), &n, sizeof n);
            pair.a.post(append(from, 0, n, log));
            std::optional<abi::Completion> done;
            while (!(done = pair.a.take_send())) {
                if (pair.step() == Step::waits_lock)
                    std::this_thread::yield();
            }
            if (status_of(done) != abi::Status::success)
                break;
            bytes += n;
        }
    };
    std::thread one(writer, 2);
    std::thread two(writer, 4);
    one.join();
    two.join();
    EXPECT_EQ(log.region.append_offset, bytes);
    int seen[5] = {};
    for (std::uint64_t at = 0; at < bytes;) {
        std::uint16_t n = 0;
        std::memcpy(&n, log.area.data() + at, sizeof n);
        ASSERT_GE(n, 3) << at;
        const auto who = std::to_integer<std::uint8_t>(log.area.data()[at + 2]);
        ASSERT_TRUE(who == 2 || who == 4) << at;
        for (std::uint64_t i = 2; i < n; ++i) {
            ASSERT_EQ(log.area.data()[at + i], std::byte{who}) << at << "+" << i;
        }
        ++seen[who];
        at += n;
    }
    EXPECT_EQ(seen[2], kRecords);
    EXPECT_EQ(seen[4], kRecords);
    EXPECT_TRUE(log.area.intact());
}

}  // namespace
}  // namespace causeway::test
