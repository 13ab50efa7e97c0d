#include "../apps/causeway/perf/statistics.hpp"

#include <gtest/gtest.h>

namespace causeway::perf {
namespace {

TEST(Statistics, MedianOfOddAndEvenCounts) {
    EXPECT_EQ(median_of({}), 0.0);
    EXPECT_EQ(median_of({3}), 3.0);
    EXPECT_EQ(median_of({9, 1, 5}), 5.0);
    EXPECT_EQ(median_of({4, 1, 3, 2}), 2.5);
}

TEST(Statistics, SummaryHoldsAgainstOneOutlier) {
    const Summary summary = summarize({10, 11, 9, 10, 1000});
    EXPECT_EQ(summary.runs, 5u);
    EXPECT_EQ(summary.median, 10.0);
    EXPECT_EQ(summary.mad, 1.0);
    EXPECT_EQ(summary.min, 9.0);
    EXPECT_EQ(summary.max, 1000.0);
}

TEST(Statistics, SummaryOfNothing) {
    const Summary summary = summarize({});
    EXPECT_EQ(summary.runs, 0u);
    EXPECT_EQ(summary.median, 0.0);
}

}  // namespace
}  // namespace causeway::perf
