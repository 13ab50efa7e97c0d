#include "base/untrusted.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>

namespace causeway {
namespace {

template<typename T>
concept LoadsAsLvalue = requires(T& value) {
    value.load();
};
static_assert(!LoadsAsLvalue<Untrusted<int>>, "only std::move(x).load()");
static_assert(!LoadsAsLvalue<Untrusted<std::atomic<int>>>);
static_assert(!std::is_copy_constructible_v<Untrusted<int>>, "a copy could be read a second time");

TEST(Untrusted, LoadsPlainAndAtomicValues) {
    const std::uint32_t plain = 7;
    const std::atomic<std::uint64_t> shared{8};
    EXPECT_EQ(Untrusted(plain).load(), 7u);
    EXPECT_EQ(Untrusted(shared).load(std::memory_order_acquire), 8u);
}

TEST(Untrusted, Clamps) {
    std::uint32_t plain = 4'000'000'000u;
    std::atomic<std::int32_t> shared{-5};
    EXPECT_EQ(Untrusted(plain).clamp(0, 256), 256u);
    plain = 255;
    EXPECT_EQ(Untrusted(plain).clamp(0, 256), 255u);
    EXPECT_EQ(Untrusted(shared).clamp(0, 256), 0);
}

TEST(UntrustedDeathTest, RefusesASecondLoad) {
    const int value = 1;
    Untrusted once(value);
    EXPECT_EQ(std::move(once).load(), 1);
    EXPECT_DEATH(static_cast<void>(std::move(once).load()), "assertion failed");  // NOLINT
    const std::atomic<int> shared{2};
    Untrusted atomic_once(shared);
    EXPECT_EQ(std::move(atomic_once).load(), 2);
    EXPECT_DEATH(static_cast<void>(std::move(atomic_once).load()), "assertion failed");  // NOLINT
}

struct Wide {
    std::uint64_t words[8];
};

// Tells whether what was validated is what is used: the value changes behind our back all the time,
// which a compiler that fetched it again would show.
TEST(Untrusted, TheCopyOfAStructureStaysAsItWasLoaded) {
    Wide shared{};
    std::atomic<bool> stop{false};
    std::thread mutator([&] {
        std::uint64_t value = 0;
        while (!stop.load(std::memory_order_relaxed)) {
            for (auto& word : shared.words)
                __atomic_store_n(&word, value, __ATOMIC_RELAXED);
            ++value;
        }
    });
    std::uint64_t changed = 0;
    for (int i = 0; i < 200'000; ++i) {
        const Wide copy = Untrusted(shared).load();
        const std::uint64_t first = copy.words[3];
        __asm__ volatile("" ::: "memory");
        if (copy.words[3] != first)
            ++changed;
    }
    stop = true;
    mutator.join();
    EXPECT_EQ(changed, 0u);
}

}  // namespace
}  // namespace causeway
