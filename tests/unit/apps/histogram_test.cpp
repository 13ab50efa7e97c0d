#include "../apps/causeway/perf/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace causeway::perf {
namespace {

TEST(Histogram, OfNothingSaysZero) {
    const Histogram histogram;
    EXPECT_EQ(histogram.count(), 0u);
    EXPECT_EQ(histogram.quantile(0.5), 0u);
    EXPECT_EQ(histogram.min(), 0u);
    EXPECT_EQ(histogram.max(), 0u);
    EXPECT_EQ(histogram.mean(), 0.0);
}

TEST(Histogram, SmallValuesAreExact) {
    Histogram histogram;
    for (std::uint64_t value = 0; value < 128; ++value)
        histogram.add(value);
    EXPECT_EQ(histogram.quantile(0.5), 63u);
    EXPECT_EQ(histogram.quantile(1.0), 127u);
    EXPECT_EQ(histogram.min(), 0u);
    EXPECT_EQ(histogram.max(), 127u);
}

TEST(Histogram, TakesEveryValue) {
    Histogram histogram;
    for (unsigned bit = 0; bit < 64; ++bit) {
        histogram.add(std::uint64_t{1} << bit);
        histogram.add((std::uint64_t{1} << bit) - 1);
    }
    histogram.add(UINT64_MAX);
    EXPECT_EQ(histogram.count(), 129u);
    EXPECT_EQ(histogram.quantile(1.0), UINT64_MAX);
}

TEST(Histogram, QuantilesAreWithinOnePercent) {
    std::mt19937_64 random(1);  // NOLINT(cert-msc51-cpp): the same sequence every time
    std::lognormal_distribution<double> times(6, 3);
    std::vector<std::uint64_t> values;
    Histogram histogram;
    for (int i = 0; i < 50'000; ++i) {
        values.push_back(static_cast<std::uint64_t>(times(random)) + 1);
        histogram.add(values.back());
    }
    std::sort(values.begin(), values.end());
    for (const double share : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999}) {
        const auto exact = static_cast<double>(
            values[static_cast<std::size_t>(share * static_cast<double>(values.size())) - 1]);
        EXPECT_NEAR(static_cast<double>(histogram.quantile(share)), exact, exact * 0.01 + 1)
            << share;
    }
    EXPECT_EQ(histogram.max(), values.back());
    EXPECT_EQ(histogram.min(), values.front());
}

TEST(Histogram, MergingIsAddingAll) {
    Histogram one;
    Histogram other;
    Histogram both;
    for (std::uint64_t i = 1; i < 1000; ++i) {
        (i % 2 == 0 ? one : other).add(i * i);
        both.add(i * i);
    }
    one.merge(other);
    EXPECT_EQ(one.count(), both.count());
    EXPECT_EQ(one.min(), both.min());
    EXPECT_EQ(one.max(), both.max());
    EXPECT_EQ(one.mean(), both.mean());
    for (const double share : {0.1, 0.5, 0.9, 0.99})
        EXPECT_EQ(one.quantile(share), both.quantile(share));
}

TEST(Histogram, IsCarriedOverBucketByBucket) {
    Histogram from;
    for (const std::uint64_t value : {3u, 3u, 90u, 5000u, 1u << 30})
        from.add(value);
    Histogram to;
    from.each_bucket(
        [&](std::size_t bucket, std::uint64_t count) { to.add_bucket(bucket, count); });
    EXPECT_EQ(to.count(), 5u);
    EXPECT_EQ(to.min(), 3u);
    EXPECT_EQ(to.quantile(0.4), 3u);
    EXPECT_EQ(to.quantile(0.6), 90u);
    EXPECT_NEAR(static_cast<double>(to.quantile(0.8)), 5000, 50);
    EXPECT_NEAR(static_cast<double>(to.max()), 1u << 30, 1e7);
    to.add_bucket(SIZE_MAX, 1);
    EXPECT_EQ(to.count(), 5u);
}

}  // namespace
}  // namespace causeway::perf
