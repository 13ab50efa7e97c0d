// Histogram: how often which value came, in buckets of a power of two (abi/figures.hpp).
//
// Threading: one writer; any readers, at any time. A reader that comes in between sees a value in
// its bucket before it sees it in the sum.
//
// Invariant: a value costs the writer two additions in memory that nobody else writes.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <causeway/abi/figures.hpp>
#include <cstddef>
#include <cstdint>

#include "engine/endpoint.hpp"

namespace causeway::adapter {

inline constexpr std::size_t kBuckets = abi::kHistogramBuckets;

[[nodiscard]] constexpr std::size_t bucket_of(std::uint64_t value) noexcept {
    const auto bucket =
        static_cast<std::size_t>(std::bit_width(value - static_cast<std::uint64_t>(value != 0)));
    return std::min(bucket, kBuckets - 1);
}

// A histogram as read at some time.
struct HistogramView {
    std::array<std::uint64_t, kBuckets> buckets{};
    std::uint64_t sum = 0;

    [[nodiscard]] std::uint64_t count() const noexcept {
        std::uint64_t count = 0;
        for (const std::uint64_t bucket : buckets)
            count += bucket;
        return count;
    }
    void add(const HistogramView& other) noexcept {
        for (std::size_t i = 0; i < kBuckets; ++i)
            buckets[i] += other.buckets[i];
        sum += other.sum;
    }
};

class alignas(abi::kCacheLine) Histogram {
public:
    void add(std::uint64_t value) noexcept {
        buckets_[bucket_of(value)].add(1);
        sum_.add(value);
    }
    [[nodiscard]] HistogramView view() const noexcept {
        HistogramView view;
        view.sum = sum_.load();
        for (std::size_t i = 0; i < kBuckets; ++i)
            view.buckets[i] = buckets_[i].load();
        return view;
    }

private:
    engine::Counter sum_;
    std::array<engine::Counter, kBuckets> buckets_;
};

}  // namespace causeway::adapter
