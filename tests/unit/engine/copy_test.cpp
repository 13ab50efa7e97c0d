#include "engine/copy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "platform/cpu.hpp"
#include "platform/fault_guard.hpp"
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

// What was there before the fault is copied or not, line by line; behind it nothing is touched.
TEST_P(Copy, AFaultInTheMiddleEndsIt) {
    ASSERT_TRUE(platform::install_fault_guard().has_value());
    constexpr std::size_t kSize = 64 << 10;
    constexpr std::size_t kHole = 24 << 10;
    for (const bool in_source : {true, false}) {
        SCOPED_TRACE(in_source ? "source" : "target");
        GuardedArea from(kSize, GuardedArea::Place::at_start);
        GuardedArea to(kSize, GuardedArea::Place::at_start);
        Random(15).fill(from.bytes());
        std::memset(to.data(), 0x11, kSize);
        GuardedArea& hole = in_source ? from : to;
        hole.forbid(kHole);
        const CopyKernel kernel = GetParam();
        std::byte* const out = to.data();
        const std::byte* const in = from.data();
        platform::FaultInfo fault;
        EXPECT_FALSE(platform::guarded([&] { engine::copy(out, in, kSize, kernel); }, fault));
        engine::settle_stores();
        const auto hole_at = reinterpret_cast<std::uintptr_t>(hole.data() + kHole);
        EXPECT_GE(fault.address, hole_at);
        EXPECT_LT(fault.address, hole_at + kSize - kHole);
        hole.allow();
        for (std::size_t i = 0; i < kHole; ++i)
            ASSERT_TRUE(out[i] == in[i] || out[i] == std::byte{0x11}) << i;
        for (std::size_t i = kHole; i < kSize; ++i)
            ASSERT_EQ(out[i], std::byte{0x11}) << i;
        EXPECT_TRUE(to.intact());
        // The next one is none the worse.
        ASSERT_NO_FATAL_FAILURE(check(from, to, 0, 0, kSize, kernel));
    }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Copy, testing::ValuesIn(engine::copy_kernels()),
                         [](const testing::TestParamInfo<CopyKernel>& kernel) {
                             return std::string(engine::name(kernel.param));
                         });

TEST(CopyKernels, NamesAreUniqueAndFound) {
    for (int i = 0; i < engine::kCopyKernels; ++i) {
        const auto kernel = static_cast<CopyKernel>(i);
        EXPECT_EQ(engine::copy_kernel_named(engine::name(kernel)), kernel);
    }
    EXPECT_FALSE(engine::copy_kernel_named("").has_value());
    EXPECT_FALSE(engine::copy_kernel_named("vector").has_value());
    EXPECT_FALSE(engine::copy_kernel_named("Cached").has_value());
}

TEST(CopyKernels, AreThoseOfThisProcessor) {
    const auto kernels = engine::copy_kernels();
    ASSERT_FALSE(kernels.empty());
    EXPECT_EQ(kernels.front(), CopyKernel::cached);
    EXPECT_TRUE(std::is_sorted(kernels.begin(), kernels.end()));
    for (int i = 0; i < engine::kCopyKernels; ++i) {
        const auto kernel = static_cast<CopyKernel>(i);
        EXPECT_EQ(engine::runs_here(kernel),
                  std::find(kernels.begin(), kernels.end(), kernel) != kernels.end());
    }
    const platform::CpuFeatures& cpu = platform::cpu_features();
    EXPECT_EQ(engine::runs_here(CopyKernel::vector_avx), cpu.avx);
    EXPECT_EQ(engine::runs_here(CopyKernel::nontemporal_avx), cpu.avx);
    EXPECT_EQ(engine::runs_here(CopyKernel::vector_avx512), cpu.avx512f);
    EXPECT_EQ(engine::runs_here(CopyKernel::nontemporal_avx512), cpu.avx512f);
#if defined(__x86_64__)
    EXPECT_TRUE(engine::runs_here(CopyKernel::rep_movsb));
    EXPECT_TRUE(engine::runs_here(CopyKernel::nontemporal_sse2));
#endif
}

}  // namespace
}  // namespace causeway::test
