#include "lab/goals.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "made_up.hpp"

namespace causeway::bench {
namespace {

using perf::Touch;

Verdict find(const std::vector<Verdict>& all, const std::string& what, const std::string& goal) {
    for (const Verdict& each : all) {
        if (each.what == what && each.goal == goal)
            return each;
    }
    ADD_FAILURE() << "no goal '" << goal << "' for " << what;
    return {};
}

TEST(Goals, WithoutFiguresNothingIsMetOrMissed) {
    MadeUp made;
    const auto verdicts = judge(*made, Regime::near);
    EXPECT_GE(verdicts.size(), 20u);
    for (const Verdict& each : verdicts) {
        EXPECT_FALSE(each.found.has_value()) << each.what;
        EXPECT_FALSE(each.met);
        EXPECT_EQ(each.found_text, "not measured");
    }
}

TEST(Goals, LatencyIsHeldToTheBestOfTheOthersRows) {
    MadeUp made;
    made->probes = {50};
    made.measured("causeway-direct-send", perf::Test::latency, 8, Touch::none, 75)
        .measured("ucx-tag", perf::Test::latency, 8, Touch::none, 200)
        .measured("ucx-tag-tool", perf::Test::latency, 8, Touch::none, 140);
    const auto verdicts = judge(*made, Regime::near);
    const char* const what = "direct, 8 B, one way (ns)";
    const Verdict bounce = find(verdicts, what, "at most 1.6x the cache-line bounce");
    EXPECT_DOUBLE_EQ(*bounce.found, 1.5);
    EXPECT_TRUE(bounce.met);
    const Verdict ucx = find(verdicts, what, "at most 0.5x UCX tag");
    EXPECT_DOUBLE_EQ(*ucx.found, 75.0 / 140);
    EXPECT_FALSE(ucx.met);
    EXPECT_FALSE(judge(*made, Regime::far).front().found.has_value());
}

TEST(Goals, OfManySizesTheWorstCounts) {
    MadeUp made;
    for (const std::uint64_t size : {4096u, 65536u, 1u << 20}) {
        made.measured("causeway-direct-send", perf::Test::bandwidth, size, Touch::read, 20)
            .measured("ucx-tag", perf::Test::bandwidth, size, Touch::read, size == 65536 ? 16 : 5)
            .measured("ucx-put", perf::Test::bandwidth, size, Touch::read, 100);  // does not own
    }
    const Verdict verdict = find(judge(*made, Regime::near), "direct, 4 KiB to 4 MiB, read (GB/s)",
                                 "at least 1.5x the best peer whose receiver owns its buffer");
    EXPECT_DOUBLE_EQ(*verdict.found, 1.25);
    EXPECT_FALSE(verdict.met);
    EXPECT_THAT(verdict.found_text, ::testing::HasSubstr("64 KiB"));
    EXPECT_THAT(verdict.found_text, ::testing::HasSubstr("3 sizes"));
}

TEST(Goals, RatesAndBandwidthsAreBetterWhenHigher) {
    MadeUp made;
    made.measured("causeway-adapter-send", perf::Test::rate, 8, Touch::none, 6)
        .measured("causeway-adapter-send", perf::Test::bandwidth, 1 << 20, Touch::none, 6)
        .measured("limits-copy-cached", perf::Test::bandwidth, 1 << 20, Touch::none, 10);
    const auto verdicts = judge(*made, Regime::near);
    EXPECT_TRUE(find(verdicts, "adapter, 8 B, rate", "at least 5 M/s").met);
    EXPECT_FALSE(
        find(verdicts, "adapter, 1 MiB, nobody reads (GB/s)", "at least 0.65x memcpy on one core")
            .met);
}

}  // namespace
}  // namespace causeway::bench
