#include "lab/results.hpp"

#include <gtest/gtest.h>

#include "made_up.hpp"

namespace causeway::bench {
namespace {

using perf::Touch;

TEST(Results, SummariesKeepTheRegimesApart) {
    MadeUp made;
    Cell& cell = made.cell("unix", {perf::Test::latency, 8, Waiting::spin}, Touch::read);
    for (const double figure : {10.0, 30.0, 20.0})
        cell.samples.push_back(MadeUp::sample(perf::Test::latency, figure, Regime::near));
    cell.samples.push_back(MadeUp::sample(perf::Test::latency, 900, Regime::far));
    cell.samples.push_back(MadeUp::sample(perf::Test::latency, 500, std::nullopt));
    const perf::Summary near = cell.summary(perf::Test::latency, Regime::near);
    EXPECT_EQ(near.runs, 3u);
    EXPECT_EQ(near.median, 20);
    EXPECT_EQ(near.mad, 10);
    EXPECT_EQ(near.min, 10);
    EXPECT_EQ(near.max, 30);
    EXPECT_EQ(cell.summary(perf::Test::latency, Regime::far).median, 900);
    EXPECT_EQ(cell.times(Regime::near).count(), 3000u);
    EXPECT_EQ(made->main_regime(), Regime::near);
    EXPECT_EQ(made->figure("unix", perf::Test::latency, 8, Touch::read, Regime::far), 900);
}

TEST(Results, WhatWasNotMeasuredHasNoFigure) {
    MadeUp made;
    made.measured("unix", perf::Test::rate, 8, Touch::read, 3);
    const auto find = [&](const char* who, perf::Test test, std::uint64_t size, Touch touch) {
        return made->figure(who, test, size, touch, Regime::near);
    };
    EXPECT_EQ(find("unix", perf::Test::rate, 8, Touch::read), 3);
    EXPECT_EQ(find("pipe", perf::Test::rate, 8, Touch::read), std::nullopt);
    EXPECT_EQ(find("unix", perf::Test::latency, 8, Touch::read), std::nullopt);
    EXPECT_EQ(find("unix", perf::Test::rate, 9, Touch::read), std::nullopt);
    EXPECT_EQ(find("unix", perf::Test::rate, 8, Touch::none), std::nullopt);
    EXPECT_EQ(made->figure("unix", perf::Test::rate, 8, Touch::read, Regime::far), std::nullopt);
    EXPECT_EQ(made->figure("unix", perf::Test::rate, 8, Touch::read, Regime::near, Waiting::block),
              std::nullopt);
}

TEST(Results, ProcessorTimeIsCountedPerGigabyte) {
    MadeUp made;
    made.measured("unix", perf::Test::bandwidth, 1'000'000, Touch::read, 10);
    const Cell& cell = made->cells.front();
    EXPECT_DOUBLE_EQ(*cell.cpu_s_per_gbyte(1'000'000, Regime::near), 0.2);  // 1000 messages
    EXPECT_EQ(cell.cpu_s_per_gbyte(1'000'000, Regime::far), std::nullopt);
    for (Sample& sample : made->cells.front().samples)
        sample.cpu_s = -1;
    EXPECT_EQ(cell.cpu_s_per_gbyte(1'000'000, Regime::near), std::nullopt);
}

TEST(Results, OneWrongSampleTaintsItsCell) {
    MadeUp made;
    made.measured("unix", perf::Test::rate, 8, Touch::read, 3);
    EXPECT_TRUE(made->cells.front().verified());
    made->cells.front().samples[1].verified = false;
    EXPECT_FALSE(made->cells.front().verified());
}

TEST(Results, ProbesAreSummarisedByRegime) {
    MadeUp made;
    made->probes = {50, 48, 52, 250};
    EXPECT_EQ(made->bounce(Regime::near).median, 50);
    EXPECT_EQ(made->bounce(Regime::far).runs, 1u);
}

}  // namespace
}  // namespace causeway::bench
