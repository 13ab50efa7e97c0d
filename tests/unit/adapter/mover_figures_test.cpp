#include "adapter/mover_figures.hpp"

#include <gtest/gtest.h>

#include "adapter/denials.hpp"

namespace causeway::adapter {
namespace {

struct Played {
    MoverFigures figures;
    engine::Counters counters;
    Seen seen;

    void step(std::uint64_t begin, std::uint64_t end) {
        figures.note_step(counters, seen, begin, end);
    }
    void complete(std::uint64_t bytes) {
        counters.operations.add(1);
        counters.bytes.add(bytes);
    }
    [[nodiscard]] static std::uint64_t ns(std::uint64_t ticks) {
        return platform::ticks_to_ns(ticks);
    }
};

TEST(MoverFigures, AnOperationOfOneStepIsInBothHistogramsOnce) {
    Played it;
    it.complete(4096);
    it.step(1000, 5000);
    EXPECT_EQ(it.figures.latency.view().count(), 1u);
    EXPECT_EQ(it.figures.latency.view().sum, Played::ns(4000));
    EXPECT_EQ(it.figures.latency.view().buckets[bucket_of(Played::ns(4000))], 1u);
    EXPECT_EQ(it.figures.size.view().buckets[12], 1u) << "4096 is the bound of its bucket";
    EXPECT_EQ(it.figures.size.view().sum, 4096u);
}

TEST(MoverFigures, WaitsCountFromTheFirstLook) {
    Played it;
    it.step(1'000'000, 1'001'000);  // no receive is posted
    it.step(5'000'000, 5'001'000);
    EXPECT_EQ(it.figures.latency.view().count(), 0u);
    it.complete(0);
    it.step(9'000'000, 9'500'000);
    EXPECT_EQ(it.figures.latency.view().sum, Played::ns(8'500'000));
    it.complete(0);
    it.step(9'500'000, 9'600'000);
    EXPECT_EQ(it.figures.latency.view().sum, Played::ns(8'500'000) + Played::ns(100'000))
        << "the next one begins anew";
}

TEST(MoverFigures, WhatFailedHasALatencyAndNoSize) {
    Played it;
    it.counters.operations.add(1);
    it.counters.errors.add(1);
    it.step(1, 2);
    it.complete(0);
    it.step(2, 3);
    EXPECT_EQ(it.figures.latency.view().count(), 2u);
    EXPECT_EQ(it.figures.size.view().count(), 1u);
    EXPECT_EQ(it.figures.size.view().buckets[0], 1u);
}

TEST(MoverFigures, ACoreWhoseClockIsBehindGivesNoHugeLatency) {
    Played it;
    it.step(5000, 6000);  // on another mover
    it.complete(1);
    it.step(4000, 4500);
    EXPECT_EQ(it.figures.latency.view().sum, 0u);
}

TEST(MoverFigures, WhatWasEndedBeforeTheFirstStepIsSkipped) {
    Played it;
    it.complete(100);
    MoverFigures::skip(it.counters, it.seen);
    it.step(1, 2);
    EXPECT_EQ(it.figures.latency.view().count(), 0u);
    it.complete(8);
    it.step(2, 3);
    EXPECT_EQ(it.figures.size.view().sum, 8u);
}

TEST(Denials, AreCountedByPartitionAndByRule) {
    Denials denials;
    denials.count("a", "allow 1");
    denials.count("a", "allow 1");
    denials.count("b", "allow 1");
    denials.count("", "open entrance");
    EXPECT_EQ(denials.counts().at({"a", "allow 1"}), 2u);
    EXPECT_EQ(denials.counts().at({"b", "allow 1"}), 1u);
    EXPECT_EQ(denials.by_rule().find("allow 1")->second, 3u);
    EXPECT_EQ(denials.take_last_rule(), "open entrance");
    EXPECT_EQ(denials.take_last_rule(), "") << "once";
}

TEST(Denials, NobodyMakesThemGrowWithoutEnd) {
    Denials denials;
    constexpr std::uint64_t kMany = 5000;
    for (std::uint64_t i = 0; i < kMany; ++i)
        denials.count("partition-" + std::to_string(i), "rule " + std::to_string(i));
    EXPECT_LE(denials.counts().size(), Denials::kMost + 1);
    EXPECT_LE(denials.by_rule().size(), Denials::kMostRules + 1);
    std::uint64_t counted = 0;
    for (const auto& [rule, count] : denials.by_rule())
        counted += count;
    EXPECT_EQ(counted, kMany) << "none is lost";
    counted = 0;
    for (const auto& [key, count] : denials.counts())
        counted += count;
    EXPECT_EQ(counted, kMany);
}

}  // namespace
}  // namespace causeway::adapter
