#include "engine/copy.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "support/guarded_area.hpp"
#include "support/random.hpp"

namespace causeway::test {
namespace {

using engine::CopyKernel;

class Copy : public testing::TestWithParam<CopyKernel> {};

// Fresh pattern, copy, compare, and nothing around the target may have changed.
void check(const GuardedArea& from, const GuardedArea& to, std::size_t from_at, std::size_t to_at,
           std::size_t length, CopyKernel kernel) {
    const std::vector<std::byte> before(to.data(), to.data() + to.size());
    engine::copy(to.data() + to_at, from.data() + from_at, length, kernel);
    ASSERT_EQ(std::memcmp(to.data() + to_at, from.data() + from_at, length), 0)
        << length << " from +" << from_at << " to +" << to_at;
    ASSERT_EQ(std::memcmp(to.data(), before.data(), to_at), 0);
    ASSERT_EQ(std::memcmp(to.data() + to_at + length, before.data() + to_at + length,
                          to.size() - to_at - length),
              0);
}

TEST_P(Copy, EverySizeTo300AtEveryAlignment) {
    Random random(11);
    const GuardedArea from(512);
    const GuardedArea to(512);
    for (std::size_t length = 0; length <= 300; ++length) {
        random.fill(from.bytes());
        for (std::size_t align = 0; align < 64; ++align) {
            // All target alignments; sources at a different, changing one.
            ASSERT_NO_FATAL_FAILURE(
                check(from, to, (align * 7 + length) % 64, align, length, GetParam()));
        }
    }
    EXPECT_TRUE(to.intact());
}

// Ends that touch pages without access: a kernel that reads or writes one byte too many faults.
TEST_P(Copy, StaysInsideAtPageEdges) {
    Random random(12);
    for (const std::size_t length :
         {1, 15, 16, 17, 31, 63, 64, 65, 127, 128, 255, 300, 511, 513, 4095, 4096, 4097, 70001}) {
        for (const auto from_place : {GuardedArea::Place::at_start, GuardedArea::Place::at_end}) {
            for (const auto to_place : {GuardedArea::Place::at_start, GuardedArea::Place::at_end}) {
                const GuardedArea from(length, from_place);
                const GuardedArea to(length, to_place);
                random.fill(from.bytes());
                ASSERT_NO_FATAL_FAILURE(check(from, to, 0, 0, length, GetParam()));
                ASSERT_TRUE(to.intact()) << length;
            }
        }
    }
}

TEST_P(Copy, BigOnesAtOddPlaces) {
    Random random(13);
    constexpr std::size_t kSize = (9 << 20) + 12345;
    const GuardedArea from(kSize);
    const GuardedArea to(kSize);
    random.fill(from.bytes());
    const std::size_t lengths[] = {64 << 10, (1 << 20) + 1, (4 << 20) + 63, (8 << 20) + 777};
    for (const std::size_t length : lengths) {
        const std::size_t from_at = random.below(kSize - length);
        const std::size_t to_at = random.below(kSize - length);
        ASSERT_NO_FATAL_FAILURE(check(from, to, from_at, to_at, length, GetParam()));
    }
    EXPECT_TRUE(to.intact());
}

// A partition that is its own peer can ask for this; only the target may change.
TEST_P(Copy, OverlapChangesNothingElse) {
    for (const std::size_t shift : {1, 8, 63, 64, 100}) {
        for (const bool forward : {true, false}) {
            const GuardedArea area(8192);
            Random(14).fill(area.bytes());
            const std::vector<std::byte> before(area.data(), area.data() + area.size());
            const std::size_t from = forward ? 1000 : 1000 + shift;
            const std::size_t to = forward ? 1000 + shift : 1000;
            engine::copy(area.data() + to, area.data() + from, 5000, GetParam());
            EXPECT_EQ(std::memcmp(area.data(), before.data(), to), 0);
            EXPECT_EQ(std::memcmp(area.data() + to + 5000, before.data() + to + 5000,
                                  area.size() - to - 5000),
                      0);
            EXPECT_TRUE(area.intact());
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Copy,
                         testing::Values(CopyKernel::cached, CopyKernel::rep_movsb,
                                         CopyKernel::nontemporal),
                         [](const testing::TestParamInfo<CopyKernel>& kernel) -> std::string {
                             switch (kernel.param) {
                                 case CopyKernel::cached:
                                     return "Cached";
                                 case CopyKernel::rep_movsb:
                                     return "RepMovsb";
                                 case CopyKernel::nontemporal:
                                     return "NonTemporal";
                             }
                             return "Unknown";
                         });

TEST(CopyPlan, LargestThresholdThatAppliesWins) {
    const engine::CopyPlan plan{.rep_movsb_from = 100, .nontemporal_from = 1000};
    EXPECT_EQ(plan.kernel(0), CopyKernel::cached);
    EXPECT_EQ(plan.kernel(99), CopyKernel::cached);
    EXPECT_EQ(plan.kernel(100), CopyKernel::rep_movsb);
    EXPECT_EQ(plan.kernel(999), CopyKernel::rep_movsb);
    EXPECT_EQ(plan.kernel(1000), CopyKernel::nontemporal);
    EXPECT_EQ(plan.kernel(UINT64_MAX), CopyKernel::nontemporal);
}

TEST(CopyPlan, DescribesItself) {
    const engine::CopyPlan plan{.rep_movsb_from = 100, .nontemporal_from = 1000};
    EXPECT_NE(plan.describe().find("rep movsb from 100 B"), std::string::npos);
    EXPECT_NE(plan.describe().find("non-temporal from 1000 B"), std::string::npos);
    const engine::CopyPlan plain{.rep_movsb_from = UINT64_MAX, .nontemporal_from = UINT64_MAX};
    EXPECT_EQ(plain.describe().find("from"), std::string::npos);
    EXPECT_EQ(plain.kernel(UINT64_MAX - 1), CopyKernel::cached);
}

}  // namespace
}  // namespace causeway::test
