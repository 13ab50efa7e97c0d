#include "client/region_index.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace causeway::client {
namespace {

TEST(RegionIndex, FindsWhatIsThere) {
    RegionIndex index;
    RegionSpan span;
    EXPECT_FALSE(index.find(1, span));
    EXPECT_FALSE(index.find(0, span));
    index.insert(1, {.base = 10, .size = 20, .registered = 30});
    ASSERT_TRUE(index.find(1, span));
    EXPECT_EQ(span.base, 10U);
    EXPECT_EQ(span.size, 20U);
    EXPECT_EQ(span.registered, 30U);
    EXPECT_FALSE(index.find(1 + 1024, span));
    index.remove(1);
    EXPECT_FALSE(index.find(1, span));
    index.remove(1);  // again: nothing happens
    EXPECT_FALSE(index.find(0, span));
}

// Handles as the adapter makes them: the slot below, the uses of the slot above.
TEST(RegionIndex, KeepsHandlesOfTheSameBucketApart) {
    RegionIndex index;
    for (std::uint32_t use = 0; use < 5; ++use)
        index.insert((use << 16) | 7, {.base = use, .size = 1, .registered = use});
    index.remove((2U << 16) | 7);
    RegionSpan span;
    for (std::uint32_t use = 0; use < 5; ++use) {
        EXPECT_EQ(index.find((use << 16) | 7, span), use != 2) << use;
        if (use != 2) {
            EXPECT_EQ(span.base, use);
        }
    }
    index.insert((9U << 16) | 7, {.base = 9, .size = 1, .registered = 9});
    ASSERT_TRUE(index.find((9U << 16) | 7, span));
    EXPECT_EQ(span.base, 9U);
}

// One thread registers and deregisters, using the same entry over and over; the others must never
// see numbers of one registration under the handle of another.
TEST(RegionIndex, NeverMixesTwoRegistrations) {
    RegionIndex index;
    constexpr std::uint32_t kUses = 15000;
    std::atomic<std::uint32_t> current{0};
    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> found{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i) {
        readers.emplace_back([&] {
            do {
                const std::uint32_t handle = current.load(std::memory_order_relaxed);
                RegionSpan span;
                if (handle == 0 || !index.find(handle, span))
                    continue;
                found.fetch_add(1, std::memory_order_relaxed);
                ASSERT_EQ(span.base, std::uint64_t{handle} * 3);
                ASSERT_EQ(span.size, std::uint64_t{handle} * 5);
                ASSERT_EQ(span.registered, std::uint64_t{handle} * 7);
            } while (!done.load(std::memory_order_relaxed));
        });
    }
    for (std::uint32_t use = 1; use <= kUses; ++use) {
        const std::uint32_t handle = (use << 12) | 1;
        index.insert(handle, {.base = std::uint64_t{handle} * 3,
                              .size = std::uint64_t{handle} * 5,
                              .registered = std::uint64_t{handle} * 7});
        current.store(handle, std::memory_order_relaxed);
        if (use % 64 == 0)
            std::this_thread::yield();
        index.remove(handle);
    }
    index.insert(1, {.base = 3, .size = 5, .registered = 7});
    current.store(1, std::memory_order_relaxed);
    while (found.load(std::memory_order_relaxed) == 0)
        std::this_thread::yield();
    done.store(true);
    for (std::thread& reader : readers)
        reader.join();
}

}  // namespace
}  // namespace causeway::client
