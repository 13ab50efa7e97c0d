#include "../apps/causeway/calibrate/fit.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace causeway::calibrate {
namespace {

using engine::CopyKernel;
using engine::kNever;

constexpr std::uint64_t kKiB = 1 << 10;
constexpr std::uint64_t kMiB = 1 << 20;
constexpr double kNear = 50;
constexpr double kFar = 250;

const std::vector<CopyKernel> kKernels{CopyKernel::cached, CopyKernel::vector_avx,
                                       CopyKernel::nontemporal_sse2, CopyKernel::nontemporal_avx};

std::vector<Cell> some_cells() {
    std::vector<Cell> cells;
    for (const Touch touch : {Touch::read, Touch::none}) {
        for (const std::uint64_t size :
             {4 * kKiB, 64 * kKiB, kMiB, 4 * kMiB, 8 * kMiB, 64 * kMiB}) {
            cells.push_back({size, 2, touch});
            if (size < 64 * kMiB)
                cells.push_back({size, 128 * kMiB / size, touch});
        }
    }
    return cells;
}

// What a made-up machine does.
using Machine = std::function<Rates(const Cell&, CopyKernel, bool far)>;

// Caches of 16 MiB; a far reader makes copies through the caches slow, whatever the size.
Rates ordinary(const Cell& cell, CopyKernel kernel, bool far) {
    const bool fits = cell.rotation() <= 8 * kMiB;
    const bool slow = !fits || (far && cell.touch == Touch::read);
    switch (kernel) {
        case CopyKernel::cached:
            return slow ? Rates{8, 8} : Rates{22, 22};
        case CopyKernel::vector_avx:
            return slow ? Rates{8, 8} : Rates{28, 29};
        case CopyKernel::nontemporal_sse2:
            return {11, 12};
        default:
            return {13, 14};
    }
}

std::vector<Sample> measure(const std::vector<Cell>& cells, const Machine& machine, int near_ones,
                            int far_ones) {
    std::vector<Sample> samples;
    for (int i = 0; i < near_ones + far_ones; ++i) {
        const bool far = i >= near_ones;
        for (std::size_t c = 0; c < cells.size(); ++c) {
            for (std::size_t k = 0; k < kKernels.size(); ++k) {
                // A little noise, the same every time.
                const int wave = static_cast<int>(c * 7 + k * 3) + i;
                const double noise = 1 + 0.01 * (wave % 5 - 2);
                Rates rates = machine(cells[c], kKernels[k], far);
                rates.rate *= noise;
                rates.pace *= noise;
                samples.push_back({c, k, rates, (far ? kFar : kNear) * noise});
            }
        }
    }
    return samples;
}

Fit fit_of(const Machine& machine, int near_ones, int far_ones) {
    const auto cells = some_cells();
    return Fitter(summarize(kKernels, cells, measure(cells, machine, near_ones, far_ones))).fit();
}

TEST(CalibrateFit, TellsTheRegimesApart) {
    const auto cells = some_cells();
    const Measured both = summarize(kKernels, cells, measure(cells, ordinary, 3, 1));
    ASSERT_EQ(both.regimes.size(), 2u);
    EXPECT_NEAR(both.regimes[0].bounce, kNear, 3);
    EXPECT_NEAR(both.regimes[1].bounce, kFar, 10);
    EXPECT_NEAR(both.regimes[0].share, 0.75, 0.001);
    EXPECT_EQ(both.complete_cells(), cells.size());
    EXPECT_EQ(summarize(kKernels, cells, measure(cells, ordinary, 2, 0)).regimes.size(), 1u);
    EXPECT_EQ(summarize(kKernels, cells, measure(cells, ordinary, 0, 2)).regimes.size(), 1u);
}

// A single probe that was quicker than all others is no regime.
TEST(CalibrateFit, OneOddProbeMakesNoRegime) {
    const auto cells = some_cells();
    auto samples = measure(cells, ordinary, 3, 0);
    samples[5].bounce = kNear / 3;
    samples[9].bounce = kNear * 3;
    EXPECT_EQ(summarize(kKernels, cells, samples).regimes.size(), 1u);
}

TEST(CalibrateFit, FindsTheThresholdsOfAnOrdinaryMachine) {
    for (const int far_ones : {0, 2, 6}) {
        SCOPED_TRACE(far_ones);
        const Fit fit = fit_of(ordinary, 3, far_ones);
        EXPECT_EQ(fit.plan.large, CopyKernel::vector_avx);
        EXPECT_EQ(fit.plan.large_from, 4 * kKiB);
        EXPECT_EQ(fit.plan.nontemporal, CopyKernel::nontemporal_avx);
        EXPECT_EQ(fit.plan.nontemporal_from, 8 * kMiB);
        EXPECT_EQ(fit.plan.nontemporal_least, 4 * kKiB);
        // Somewhere in the gap between slow and quick copies through the caches.
        EXPECT_GT(fit.plan.slow_below, 9'000u);
        EXPECT_LT(fit.plan.slow_below, 27'000u);
        EXPECT_GT(fit.score.mean, 0.99);
        EXPECT_GT(fit.score.worst, 0.95);
        EXPECT_LT(fit.by_size.mean, 0.9);
    }
}

// Around the caches small messages do badly: the pace may not send them there.
TEST(CalibrateFit, KeepsSmallMessagesInTheCaches) {
    const Fit fit = fit_of(
        [](const Cell& cell, CopyKernel kernel, bool far) {
            if (engine::is_nontemporal(kernel) && cell.size < 64 * kKiB)
                return Rates{3, 3};
            return ordinary(cell, kernel, far);
        },
        3, 3);
    EXPECT_EQ(fit.plan.nontemporal_least, 64 * kKiB);
    EXPECT_GT(fit.score.mean, 0.99);
}

TEST(CalibrateFit, NamesNoKernelThatGainsNothing) {
    const Fit fit = fit_of(
        [](const Cell& cell, CopyKernel kernel, bool far) {
            if (kernel == CopyKernel::vector_avx)
                kernel = CopyKernel::cached;
            return ordinary(cell, kernel, far);
        },
        3, 0);
    EXPECT_EQ(fit.plan.large, CopyKernel::cached);
    EXPECT_EQ(fit.plan.large_from, kNever);
}

TEST(CalibrateFit, NeverGoesAroundWhereThatIsSlow) {
    const Fit fit = fit_of(
        [](const Cell& cell, CopyKernel kernel, bool far) {
            return engine::is_nontemporal(kernel) ? Rates{2, 2} : ordinary(cell, kernel, far);
        },
        3, 1);
    EXPECT_EQ(fit.plan.nontemporal, CopyKernel::cached);
    EXPECT_EQ(fit.plan.nontemporal_from, kNever);
    EXPECT_EQ(fit.plan.slow_below, 0u);
    EXPECT_GT(fit.score.mean, 0.99);
}

TEST(CalibrateFit, OfNothingIsAPlanThatCopiesPlainly) {
    const Measured nothing = summarize(kKernels, some_cells(), {});
    EXPECT_EQ(nothing.complete_cells(), 0u);
    const Fit fit = Fitter(nothing).fit();
    EXPECT_EQ(fit.plan, engine::CopyPlan{});
    EXPECT_EQ(fit.score.mean, 0);
}

// Cells without a figure for every kernel are left out.
TEST(CalibrateFit, BearsWithGaps) {
    const auto cells = some_cells();
    auto samples = measure(cells, ordinary, 3, 1);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        if (samples[i].cell % 3 != 0 || samples[i].kernel != 1)
            samples[kept++] = samples[i];
    }
    samples.resize(kept);
    const Measured measured = summarize(kKernels, cells, samples);
    EXPECT_LT(measured.complete_cells(), cells.size());
    const Fit fit = Fitter(measured).fit();
    EXPECT_EQ(fit.plan.nontemporal, CopyKernel::nontemporal_avx);
    EXPECT_GT(fit.score.mean, 0.95);
}

// Every plan that can come out can be written and read.
TEST(CalibrateFit, PlansSurviveTheirFile) {
    for (const int far_ones : {0, 3}) {
        const Fit fit = fit_of(ordinary, 3, far_ones);
        engine::CopyMachine machine = engine::this_copy_machine();
        const auto read =
            engine::parse_copy_plan(engine::format_copy_plan(fit.plan, machine, "x"), machine);
        ASSERT_TRUE(read.has_value()) << read.error().text;
        EXPECT_EQ(*read, fit.plan);
    }
}

}  // namespace
}  // namespace causeway::calibrate
