// RegionResource against a real adapter: where allocations lie, and when regions come and go.
#include <gtest/gtest.h>

#include <causeway/memory_resource.hpp>
#include <cstdint>
#include <cstring>
#include <list>
#include <map>
#include <memory_resource>
#include <random>
#include <string>
#include <vector>

#include "support/test_adapter.hpp"

namespace causeway::test {
namespace {

constexpr std::size_t kMiB = 1 << 20;

class RegionResourceTest : public ::testing::Test {
protected:
    TestAdapter adapter_{{}, {"--max-bytes", "64M"}};
    Partition partition_ = Partition::attach("owner", {.socket = adapter_.socket()}).value();
};

TEST_F(RegionResourceTest, HandsOutAlignedMemoryWithinOneRegion) {
    RegionResource memory(partition_);
    for (const std::size_t alignment : {1u, 8u, 64u, 4096u, 65536u}) {
        void* const piece = memory.allocate(100, alignment);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(piece) % alignment, 0u);
        const auto slice = memory.slice(piece, 100);
        ASSERT_TRUE(slice.has_value());
        EXPECT_EQ(slice->address, piece);
        EXPECT_EQ(slice->length, 100u);
        memory.deallocate(piece, 100, alignment);
    }
    EXPECT_EQ(memory.regions(), 1u);
}

TEST_F(RegionResourceTest, RegionsGrow) {
    RegionResource memory(partition_, {.first = kMiB, .most = 4 * kMiB});
    std::vector<void*> pieces;
    while (memory.regions() < 4)
        pieces.push_back(memory.allocate(kMiB / 2));
    EXPECT_EQ(memory.registered_bytes(), (1 + 2 + 4 + 4) * kMiB);
    for (void* const piece : pieces)
        memory.deallocate(piece, kMiB / 2);
    EXPECT_EQ(memory.regions(), 1u);  // the newest stays
}

TEST_F(RegionResourceTest, OneAllocationMayBeLargerThanARegion) {
    RegionResource memory(partition_, {.first = kMiB, .most = kMiB});
    void* const piece = memory.allocate(10 * kMiB);
    EXPECT_TRUE(memory.slice(piece, 10 * kMiB).has_value());
    memory.deallocate(piece, 10 * kMiB);
}

TEST_F(RegionResourceTest, RefusesSlicesOutsideItsRegions) {
    RegionResource memory(partition_);
    auto* const piece = static_cast<std::byte*>(memory.allocate(64));
    int elsewhere = 0;
    EXPECT_EQ(memory.slice(&elsewhere, 4).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(memory.slice(piece, 2 * kMiB).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(memory.slice(piece, SIZE_MAX).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(memory.slice(piece - 4096, 4096).error().code, ErrorCode::invalid_argument);
    EXPECT_TRUE(memory.slice(piece, kMiB).has_value());
    EXPECT_EQ(memory.remote(&elsewhere).error().code, ErrorCode::invalid_argument);
    memory.deallocate(piece, 64);
}

TEST_F(RegionResourceTest, ARemotePlaceIsWhatTheRegionSays) {
    RegionResource memory(partition_, {.access = Access::remote_write});
    auto* const piece = static_cast<std::byte*>(memory.allocate(64));
    const Remote remote = memory.remote(piece).value();
    EXPECT_EQ(remote.handle, memory.slice(piece, 64).value().handle);
    EXPECT_EQ(remote.address, reinterpret_cast<std::uintptr_t>(piece));
    memory.deallocate(piece, 64);
}

TEST_F(RegionResourceTest, WithoutMemoryThrowsAndSaysWhy) {
    RegionResource memory(partition_);
    EXPECT_THROW((void)memory.allocate(128 * kMiB), std::bad_alloc);  // over the quota
    EXPECT_NE(memory.last_error().code, ErrorCode::none);
    EXPECT_FALSE(memory.last_error().text.empty());
    EXPECT_THROW((void)memory.allocate(SIZE_MAX - 10), std::bad_alloc);
    void* const piece = memory.allocate(64);  // it goes on working
    memory.deallocate(piece, 64);
}

// Random allocations and releases: no two overlap, and in the end everything is one free range.
TEST_F(RegionResourceTest, NeverHandsOutAByteTwice) {
    RegionResource memory(partition_, {.first = 64 << 10, .most = 256 << 10});
    std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same sequence every time
    struct Piece {
        std::size_t size;
        unsigned char mark;
    };
    std::map<unsigned char*, Piece> pieces;
    for (int step = 0; step < 20'000; ++step) {
        if (pieces.size() < 40 || random() % 2 == 0) {
            const std::size_t size = random() % 3 == 0 ? random() % 40'000 : random() % 200;
            const std::size_t alignment = std::size_t{1} << random() % 8;
            auto* const at = static_cast<unsigned char*>(memory.allocate(size, alignment));
            const auto mark = static_cast<unsigned char>(step);
            std::memset(at, mark, size);
            ASSERT_TRUE(pieces.emplace(at, Piece{size, mark}).second);
        } else {
            auto piece = pieces.begin();
            std::advance(piece, random() % pieces.size());
            const auto [at, facts] = *piece;
            for (std::size_t i = 0; i < facts.size; ++i)
                ASSERT_EQ(at[i], facts.mark);
            memory.deallocate(at, facts.size, 1);
            pieces.erase(piece);
        }
        if (pieces.size() > 80) {
            for (const auto& [at, facts] : pieces)
                memory.deallocate(at, facts.size, 1);
            pieces.clear();
            ASSERT_EQ(memory.regions(), 1u);
            void* const whole = memory.allocate(memory.registered_bytes());
            ASSERT_EQ(memory.regions(), 1u);
            memory.deallocate(whole, memory.registered_bytes());
        }
    }
    for (const auto& [at, facts] : pieces)
        memory.deallocate(at, facts.size, 1);
}

TEST_F(RegionResourceTest, CarriesPoolsAndContainers) {
    RegionResource memory(partition_);
    {
        std::pmr::unsynchronized_pool_resource pool(&memory);
        std::pmr::list<std::pmr::string> lines(&pool);
        std::pmr::vector<std::uint64_t> numbers(&pool);
        for (std::uint64_t i = 0; i < 100'000; ++i) {
            numbers.push_back(i);
            if (i % 100 == 0)
                lines.emplace_back("a line that is too long for a short string, number " +
                                   std::to_string(i));
        }
        const auto slice = memory.slice(numbers.data(), numbers.size() * sizeof(numbers[0]));
        ASSERT_TRUE(slice.has_value());
        EXPECT_EQ(slice->length, 800'000u);
        EXPECT_TRUE(memory.slice(lines.back().data(), lines.back().size()).has_value());
        EXPECT_EQ(numbers.back(), 99'999u);
    }
    EXPECT_EQ(memory.regions(), 1u);
}

TEST_F(RegionResourceTest, IsEqualOnlyToItself) {
    RegionResource one(partition_);
    RegionResource other(partition_);
    EXPECT_TRUE(one.is_equal(one));
    EXPECT_FALSE(one.is_equal(other));
}

}  // namespace
}  // namespace causeway::test
