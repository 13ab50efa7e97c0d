#include "lab/plan.hpp"

#include <algorithm>

namespace causeway::bench {
namespace {

using perf::Test;

constexpr std::uint64_t kKiB = 1 << 10;
constexpr std::uint64_t kMiB = 1 << 20;

using Sizes = std::vector<std::uint64_t>;

// In the order in which they are measured.
const Sizes kLatencySizes{8, 4 * kKiB, 64, 64 * kKiB, 512, kMiB};
const Sizes kBandwidthSizes{kMiB, 4 * kKiB,  64 * kKiB, 256 * kKiB, 4 * kMiB, 64 * kMiB,
                            8,    16 * kMiB, 512,       16 * kKiB,  64};
const Sizes kRateSizes{8, 64};
const Sizes kWakeSizes{8, 4 * kKiB};
const Sizes kSleepingBandwidthSizes{kMiB, 64 * kKiB};

const Sizes kQuickLatencySizes{8, 4 * kKiB};
const Sizes kQuickBandwidthSizes{4 * kKiB, kMiB};

}  // namespace

std::vector<Group> make_groups(const Wishes& wishes) {
    const bool quick = wishes.extent == Extent::quick;
    std::vector<Group> groups;
    const auto wanted = [&](const char* test) {
        return wishes.tests.empty() ||
               std::find(wishes.tests.begin(), wishes.tests.end(), test) != wishes.tests.end();
    };
    const auto add = [&](Test test, Waiting waiting, const Sizes& usual) {
        for (const std::uint64_t size : wishes.sizes.empty() ? usual : wishes.sizes)
            groups.push_back({test, size, waiting, wishes.touches});
    };
    if (wanted("latency"))
        add(Test::latency, Waiting::spin, quick ? kQuickLatencySizes : kLatencySizes);
    if (wanted("rate"))
        add(Test::rate, Waiting::spin, quick ? Sizes{8} : kRateSizes);
    if (wanted("wake"))
        add(Test::latency, Waiting::block, quick ? Sizes{8} : kWakeSizes);
    if (wanted("bandwidth")) {
        add(Test::bandwidth, Waiting::spin, quick ? kQuickBandwidthSizes : kBandwidthSizes);
        if (!quick)
            add(Test::bandwidth, Waiting::block, kSleepingBandwidthSizes);
    }
    return groups;
}

}  // namespace causeway::bench
