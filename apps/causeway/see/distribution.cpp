#include "see/distribution.hpp"

#include <algorithm>
#include <cmath>

namespace causeway::cli {

std::uint64_t bucket_bound(std::size_t bucket) noexcept {
    return std::uint64_t{1} << std::min(bucket, abi::kHistogramBuckets - 2);
}

std::uint64_t Distribution::count() const noexcept {
    std::uint64_t count = 0;
    for (const std::uint64_t bucket : buckets)
        count += bucket;
    return count;
}

std::uint64_t Distribution::quantile(double share) const noexcept {
    const std::uint64_t all = count();
    if (all == 0)
        return 0;
    const auto wanted =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * double(all))));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
        seen += buckets[i];
        if (seen >= wanted)
            return bucket_bound(i);
    }
    return bucket_bound(buckets.size() - 1);
}

Distribution Distribution::since(const Distribution& before) const noexcept {
    Distribution passed;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
        if (buckets[i] < before.buckets[i])
            return *this;
        passed.buckets[i] = buckets[i] - before.buckets[i];
    }
    passed.sum = sum - std::min(sum, before.sum);
    return passed;
}

Distribution distribution_of(const std::vector<abi::HistogramRow>& rows,
                             abi::Measure measure) noexcept {
    Distribution all;
    for (const abi::HistogramRow& row : rows) {
        if (row.measure != static_cast<std::uint32_t>(measure))
            continue;
        for (std::size_t i = 0; i < all.buckets.size(); ++i)
            all.buckets[i] += row.buckets[i];
        all.sum += row.sum;
    }
    return all;
}

}  // namespace causeway::cli
