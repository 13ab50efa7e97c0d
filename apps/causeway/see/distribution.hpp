// Distribution: what a histogram of the adapter says about its values (abi/figures.hpp).
//
// Threading: plain values.
// Invariant: a quantile is the upper bound of the bucket that holds it: at most twice the value.
#pragma once

#include <array>
#include <causeway/abi/figures.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace causeway::cli {

// The largest value that bucket counts; the last one has none, and says that of the one before.
[[nodiscard]] std::uint64_t bucket_bound(std::size_t bucket) noexcept;

struct Distribution {
    std::array<std::uint64_t, abi::kHistogramBuckets> buckets{};
    std::uint64_t sum = 0;

    [[nodiscard]] std::uint64_t count() const noexcept;
    // `share` of the values are at most this; 0 without any.
    [[nodiscard]] std::uint64_t quantile(double share) const noexcept;
    [[nodiscard]] std::uint64_t max() const noexcept { return quantile(1); }
    // What came since `before`; everything, where that is of another adapter.
    [[nodiscard]] Distribution since(const Distribution& before) const noexcept;
};

// Of all movers together.
[[nodiscard]] Distribution distribution_of(const std::vector<abi::HistogramRow>& rows,
                                           abi::Measure measure) noexcept;

}  // namespace causeway::cli
