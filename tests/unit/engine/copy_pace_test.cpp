// CopyPace with times that the test makes up: nothing here depends on how fast anything is.
#include "engine/copy_pace.hpp"

#include <gtest/gtest.h>

#include "support/copy_plans.hpp"

namespace causeway::test {
namespace {

using engine::CopyKernel;
using engine::CopyPace;
using engine::CopyPlan;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kFrom = 4 * kMiB;
constexpr std::uint64_t kHeld = 2 * kFrom;  // what the caches of this made-up machine hold

CopyPlan plan() {
    CopyPlan plan;
    plan.large = CopyKernel::rep_movsb;
    plan.large_from = 4096;
    plan.nontemporal = CopyKernel::nontemporal_sse2;
    plan.nontemporal_from = kFrom;
    plan.nontemporal_least = 4096;
    plan.slow_below = 10'000;
    return plan;
}

constexpr std::uint64_t ns_at(std::uint64_t length, std::uint64_t mb_per_s) {
    return length * 1000 / mb_per_s;
}

// Copies `bytes` in messages of 64 KiB at this pace, for as long as it stays in this mode; how many
// it were.
std::uint64_t run(CopyPace& pace, std::uint64_t bytes, std::uint64_t mb_per_s,
                  std::uint64_t piece = 64 << 10) {
    const bool mode = pace.around();
    std::uint64_t done = 0;
    while (done < bytes && pace.around() == mode) {
        pace.note(plan(), piece, ns_at(piece, mb_per_s));
        done += piece;
    }
    return done;
}

CopyKernel next(CopyPace& pace, std::uint64_t length, const CopyPlan& by = plan()) {
    pace.begin(by, length);
    return pace.start(by, length);
}

TEST(CopyPace, BeginsWithSizeAlone) {
    CopyPace pace;
    EXPECT_EQ(next(pace, 100), CopyKernel::cached);
    EXPECT_EQ(next(pace, 4096), CopyKernel::rep_movsb);
    EXPECT_EQ(next(pace, kFrom - 1), CopyKernel::rep_movsb);
    EXPECT_EQ(next(pace, kFrom), CopyKernel::nontemporal_sse2);
    EXPECT_EQ(next(pace, 1ULL << 32), CopyKernel::nontemporal_sse2);
}

TEST(CopyPace, SmallPiecesOfALargeMessageStayCached) {
    CopyPace pace;
    pace.begin(plan(), kFrom);
    EXPECT_EQ(pace.start(plan(), 4096), CopyKernel::nontemporal_sse2);
    EXPECT_EQ(pace.start(plan(), 4095), CopyKernel::rep_movsb);
}

TEST(CopyPace, QuickCopiesStayInTheCaches) {
    CopyPace pace;
    EXPECT_EQ(run(pace, 100 * kHeld, 10'000), 100 * kHeld);
    EXPECT_FALSE(pace.around());
}

TEST(CopyPace, SlowOnesGoAroundOnceTheCachesCouldHaveFilled) {
    CopyPace pace;
    const std::uint64_t slow = run(pace, 100 * kHeld, 5'000);
    EXPECT_TRUE(pace.around());
    EXPECT_GE(slow, kHeld);
    EXPECT_LE(slow, kHeld + 2 * kMiB);
    EXPECT_EQ(next(pace, 4096), CopyKernel::nontemporal_sse2);
    EXPECT_EQ(next(pace, 4095), CopyKernel::cached);
}

TEST(CopyPace, OneQuickWindowIsEnoughToStay) {
    CopyPace pace;
    for (int i = 0; i < 50; ++i) {
        (void)run(pace, kHeld - kMiB, 5'000);
        (void)run(pace, kMiB, 20'000);
    }
    EXPECT_FALSE(pace.around());
}

TEST(CopyPace, StretchesGrowWhileTrialsFail) {
    CopyPace pace;
    std::uint64_t last = 0;
    for (int round = 0; round < 10; ++round) {
        (void)run(pace, 100 * kHeld, 5'000);
        ASSERT_TRUE(pace.around()) << round;
        const std::uint64_t stretch = run(pace, 1000 * kHeld, 15'000);
        ASSERT_FALSE(pace.around()) << round;
        EXPECT_GE(stretch, last);
        if (round >= 1 && round <= 5) {
            EXPECT_GE(stretch, last * 3 / 2);
        }
        last = stretch;
    }
    EXPECT_GE(last, 100 * kHeld);
    EXPECT_LE(last, 131 * kHeld);
    // A trial that goes well begins anew.
    (void)run(pace, kMiB, 20'000);
    (void)run(pace, 100 * kHeld, 5'000);
    ASSERT_TRUE(pace.around());
    EXPECT_LE(run(pace, 1000 * kHeld, 15'000), 6 * kHeld);
}

TEST(CopyPace, ComesBackWhereGoingAroundDoesNotPay) {
    CopyPace pace;
    std::uint64_t last = 0;
    for (int round = 0; round < 5; ++round) {
        const std::uint64_t slow = run(pace, 1000 * kHeld, 5'000);
        ASSERT_TRUE(pace.around());
        EXPECT_GE(slow, last) << "more patient each time";
        last = slow;
        EXPECT_LE(run(pace, 1000 * kHeld, 5'300), 6 * kHeld);
        ASSERT_FALSE(pace.around());
    }
    EXPECT_GE(last, 8 * kHeld);
}

TEST(CopyPace, InterruptedOnesDoNotCount) {
    CopyPace pace;
    (void)run(pace, 100 * kHeld, 20);
    EXPECT_FALSE(pace.around());
}

TEST(CopyPace, WithoutAPaceInThePlanSizeAloneDecides) {
    CopyPlan by_size = plan();
    by_size.slow_below = 0;
    CopyPace pace;
    for (std::uint64_t done = 0; done < 100 * kHeld; done += 64 << 10) {
        pace.begin(by_size, 64 << 10);
        EXPECT_EQ(pace.start(by_size, 64 << 10), CopyKernel::rep_movsb);
        pace.finish(by_size, 64 << 10);
    }
    EXPECT_FALSE(pace.around());
}

// The real clock: whatever it says, the kernels are those of the plan.
TEST(CopyPace, TimesRealCopies) {
    CopyPlan never_quick = plan();
    never_quick.slow_below = 1'000'000;
    for (const std::uint64_t length : {std::uint64_t{4096}, std::uint64_t{64} << 10}) {
        CopyPace pace;
        for (std::uint64_t done = 0; done < 3 * kHeld; done += length) {
            pace.begin(never_quick, length);
            const CopyKernel kernel = pace.start(never_quick, length);
            EXPECT_EQ(kernel, pace.around() ? CopyKernel::nontemporal_sse2 : CopyKernel::rep_movsb);
            pace.finish(never_quick, length);
        }
    }
}

}  // namespace
}  // namespace causeway::test
