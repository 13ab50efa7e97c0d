#include "client/slot_ledger.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

namespace causeway::client {
namespace {

SlotRecord record(std::uint64_t id, std::uint8_t descriptors = 1, bool silent = false) {
    return {.id = id, .length = 10, .opcode = 1, .descriptors = descriptors, .silent = silent};
}

TEST(SlotLedger, FindsOnlyHeadsThatAreInFlight) {
    SlotLedger ledger(8);
    EXPECT_EQ(ledger.find(0), nullptr);
    ledger.post(record(1, 3));
    ledger.post(record(2));
    ASSERT_NE(ledger.find(0), nullptr);
    EXPECT_EQ(ledger.find(0)->id, 1U);
    EXPECT_EQ(ledger.find(1), nullptr);  // continuations
    EXPECT_EQ(ledger.find(2), nullptr);
    ASSERT_NE(ledger.find(3), nullptr);
    EXPECT_EQ(ledger.find(3)->id, 2U);
    EXPECT_EQ(ledger.find(4), nullptr);
    EXPECT_EQ(ledger.find(8), nullptr);
    EXPECT_EQ(ledger.find(0xffffffff), nullptr);
    ledger.end(0);
    EXPECT_EQ(ledger.find(0), nullptr);
}

TEST(SlotLedger, FreesInOrderWhateverEndsFirst) {
    SlotLedger ledger(4);
    for (int i = 0; i < 4; ++i)
        ledger.post(record(static_cast<std::uint64_t>(i)));
    EXPECT_EQ(ledger.free(), 0U);
    ledger.end(2);
    ledger.end(1);
    EXPECT_EQ(ledger.free(), 0U);  // the oldest is still there
    ledger.end(0);
    EXPECT_EQ(ledger.free(), 3U);
    EXPECT_EQ(ledger.outstanding(), 1U);
}

TEST(SlotLedger, TheEndOfOneEndsTheSilentOnesBeforeItOnly) {
    SlotLedger ledger(8);
    ledger.post(record(1, 2, true));
    ledger.post(record(2, 1, true));
    ledger.post(record(3));
    ledger.post(record(4, 1, true));
    ledger.end(3);
    EXPECT_EQ(ledger.outstanding(), 1U);
    EXPECT_EQ(ledger.free(), 7U);
    SlotRecord left;
    ASSERT_TRUE(ledger.take_oldest(left));
    EXPECT_EQ(left.id, 4U);
    EXPECT_FALSE(ledger.take_oldest(left));
}

TEST(SlotLedger, BelievesCountsOfTheExecutorOnlyInsideWhatIsPosted) {
    SlotLedger ledger(8);
    ledger.post(record(1, 1, true));
    ledger.post(record(2));
    ledger.post(record(3, 2, true));
    for (const std::uint64_t lie : {std::uint64_t{5}, std::uint64_t{1} << 40, UINT64_MAX}) {
        ledger.done_with(lie);
        EXPECT_EQ(ledger.outstanding(), 3U) << lie;
    }
    ledger.done_with(3);  // half of the chain: it has not ended
    EXPECT_EQ(ledger.outstanding(), 2U);
    ledger.done_with(4);
    EXPECT_EQ(ledger.outstanding(), 1U);  // the signaled one has not reported
    EXPECT_NE(ledger.find(1), nullptr);
}

// Against a plain list, over many laps of the ring.
TEST(SlotLedger, AgreesWithAPlainList) {
    constexpr std::uint32_t kEntries = 16;
    SlotLedger ledger(kEntries);
    struct Model {
        std::uint64_t index;
        SlotRecord record;
    };
    std::deque<Model> model;
    std::uint64_t next = 0;
    std::mt19937 random(20240217);  // NOLINT(cert-msc51-cpp): the same run every time
    for (int step = 0; step < 20000; ++step) {
        const auto size = static_cast<std::uint8_t>(1 + random() % 4);
        if (random() % 2 == 0 && ledger.free() >= size) {
            const SlotRecord r = record(next, size, random() % 2 == 0);
            ledger.post(r);
            model.push_back({next, r});
            next += size;
        } else if (!model.empty()) {
            // The executor ends the k oldest; the last of them reports.
            const std::size_t k = random() % model.size();
            for (std::size_t i = 0; i < k && !model.empty(); ++i) {
                if (!model.front().record.silent)
                    ledger.end(static_cast<std::uint32_t>(model.front().index % kEntries));
                else
                    ledger.done_with(model.front().index + model.front().record.descriptors);
                model.pop_front();
            }
        }
        ASSERT_EQ(ledger.outstanding(), model.size());
        const std::uint64_t oldest = model.empty() ? next : model.front().index;
        ASSERT_EQ(ledger.used(), next - oldest);
        for (const Model& m : model) {
            const SlotRecord* found = ledger.find(static_cast<std::uint32_t>(m.index % kEntries));
            ASSERT_NE(found, nullptr);
            ASSERT_EQ(found->id, m.record.id);
        }
    }
    EXPECT_GT(next, 10 * kEntries);
}

}  // namespace
}  // namespace causeway::client
