#include "see/distribution.hpp"

#include <gtest/gtest.h>

#include "adapter/histogram.hpp"

namespace causeway::cli {
namespace {

// The adapter's buckets and what the tool says of them belong together.
TEST(Distribution, BoundsAreTheLargestValueOfEachBucket) {
    for (std::size_t i = 0; i + 1 < abi::kHistogramBuckets; ++i) {
        EXPECT_EQ(adapter::bucket_of(bucket_bound(i)), i);
        EXPECT_EQ(adapter::bucket_of(bucket_bound(i) + 1), i + 1);
    }
    EXPECT_EQ(adapter::bucket_of(0), 0u);
    EXPECT_EQ(adapter::bucket_of(UINT64_MAX), abi::kHistogramBuckets - 1);
}

TEST(Distribution, QuantilesAreBoundsOfBuckets) {
    Distribution values;
    EXPECT_EQ(values.quantile(0.5), 0u);
    EXPECT_EQ(values.max(), 0u);
    values.buckets[3] = 98;  // 5 to 8
    values.buckets[6] = 1;
    values.buckets[10] = 1;
    EXPECT_EQ(values.count(), 100u);
    EXPECT_EQ(values.quantile(0.5), 8u);
    EXPECT_EQ(values.quantile(0.98), 8u);
    EXPECT_EQ(values.quantile(0.99), 64u);
    EXPECT_EQ(values.max(), 1024u);
}

TEST(Distribution, AddsTheMoversOfOneMeasureUp) {
    std::vector<abi::HistogramRow> rows(3);
    rows[0].measure = rows[1].measure = static_cast<std::uint32_t>(abi::Measure::size);
    rows[2].measure = static_cast<std::uint32_t>(abi::Measure::latency);
    rows[0].buckets[2] = 1;
    rows[1].buckets[2] = 2;
    rows[2].buckets[2] = 4;
    rows[0].sum = 10;
    rows[1].sum = 20;
    const Distribution sizes = distribution_of(rows, abi::Measure::size);
    EXPECT_EQ(sizes.buckets[2], 3u);
    EXPECT_EQ(sizes.sum, 30u);
    EXPECT_EQ(distribution_of(rows, abi::Measure::latency).count(), 4u);
}

TEST(Distribution, WhatCameSince) {
    Distribution before;
    before.buckets[1] = 5;
    before.sum = 10;
    Distribution now = before;
    now.buckets[1] = 7;
    now.buckets[2] = 1;
    now.sum = 17;
    const Distribution passed = now.since(before);
    EXPECT_EQ(passed.buckets[1], 2u);
    EXPECT_EQ(passed.buckets[2], 1u);
    EXPECT_EQ(passed.sum, 7u);
    EXPECT_EQ(before.since(now).count(), before.count()) << "of another adapter: all of it is new";
}

}  // namespace
}  // namespace causeway::cli
