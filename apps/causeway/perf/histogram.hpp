// Histogram: times in nanoseconds, with a relative error below 0.8%, in memory of fixed size.
//
// Threading: one thread. It holds no pointers and may stand in memory shared with a child process.
//
// Invariants:
//  1. Values below 2 * kSteps are counted exactly; above, each octave has kSteps buckets.
//  2. min, max, sum and count are exact.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace causeway::perf {

class Histogram {
public:
    void add(std::uint64_t value) noexcept {
        ++buckets_[bucket_of(value)];
        ++count_;
        sum_ += value;
        least_ = std::min(least_, value);
        most_ = std::max(most_, value);
    }
    void merge(const Histogram& other) noexcept {
        for (std::size_t i = 0; i < buckets_.size(); ++i)
            buckets_[i] += other.buckets_[i];
        count_ += other.count_;
        sum_ += other.sum_;
        least_ = std::min(least_, other.least_);
        most_ = std::max(most_, other.most_);
    }
    void clear() noexcept { *this = Histogram(); }

    // To carry one over to another program: visit(bucket, count) for each that is not empty, and
    // the way back. What was carried over has its mean, least and most to a bucket's accuracy.
    template<typename F>
    void each_bucket(F&& visit) const {
        for (std::size_t i = 0; i < buckets_.size(); ++i) {
            if (buckets_[i] != 0)
                visit(i, buckets_[i]);
        }
    }
    // Of a bucket that there is not, nothing.
    void add_bucket(std::size_t bucket, std::uint64_t count) noexcept {
        if (bucket >= buckets_.size() || count == 0)
            return;
        const std::uint64_t value = middle_of(bucket);
        buckets_[bucket] += count;
        count_ += count;
        sum_ += value * count;
        least_ = std::min(least_, value);
        most_ = std::max(most_, value);
    }

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t min() const noexcept { return count_ == 0 ? 0 : least_; }
    [[nodiscard]] std::uint64_t max() const noexcept { return most_; }
    [[nodiscard]] double mean() const noexcept {
        return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
    }
    // The smallest value that at least `share` (0 to 1) of all values do not exceed; 0 if empty.
    [[nodiscard]] std::uint64_t quantile(double share) const noexcept {
        if (share >= 1)
            return most_;
        const double wanted = share * static_cast<double>(count_);
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < buckets_.size(); ++i) {
            seen += buckets_[i];
            if (seen != 0 && static_cast<double>(seen) >= wanted)
                return std::clamp(middle_of(i), least_, most_);
        }
        return most_;
    }

private:
    static constexpr unsigned kStepBits = 6;
    static constexpr std::uint64_t kSteps = std::uint64_t{1} << kStepBits;
    static constexpr std::size_t kBuckets = (64 - kStepBits) * kSteps + kSteps;

    // Values of [2^(b-1), 2^b) with b > kStepBits + 1 keep their kStepBits + 1 highest bits.
    static std::size_t bucket_of(std::uint64_t value) noexcept {
        const auto bits = static_cast<unsigned>(std::bit_width(value));
        const unsigned shift = bits > kStepBits + 1 ? bits - kStepBits - 1 : 0;
        return static_cast<std::size_t>(shift * kSteps + (value >> shift));
    }
    static std::uint64_t middle_of(std::size_t bucket) noexcept {
        if (bucket < 2 * kSteps)
            return bucket;
        const std::size_t shift = bucket / kSteps - 1;
        const std::uint64_t low = (bucket - shift * kSteps) << shift;
        return low + ((std::uint64_t{1} << shift) - 1) / 2;
    }

    std::array<std::uint64_t, kBuckets> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t least_ = UINT64_MAX;
    std::uint64_t most_ = 0;
};

}  // namespace causeway::perf
