#include "lab/report.hpp"

#include <iterator>
#include <set>

#include "text.hpp"

namespace causeway::bench {

using perf::Test;

std::optional<double> best_of(const Results& results, const std::vector<std::string>& contestants,
                              Test test, std::uint64_t size, perf::Touch touch, Regime regime,
                              Waiting waiting) {
    std::optional<double> best;
    for (const std::string& contestant : contestants) {
        const auto figure = results.figure(contestant, test, size, touch, regime, waiting);
        if (!figure.has_value())
            continue;
        if (!best.has_value() || (test == Test::latency ? *figure < *best : *figure > *best))
            best = figure;
    }
    return best;
}

const std::vector<std::string>& ring_kernels() {
    static const std::vector<std::string> kAll{"limits-ring-cached", "limits-ring-nontemporal",
                                               "limits-ring-rep"};
    return kAll;
}

const std::vector<std::string>& copy_kernels() {
    static const std::vector<std::string> kAll{"limits-copy-cached", "limits-copy-nontemporal",
                                               "limits-copy-rep"};
    return kAll;
}

std::vector<std::uint64_t> sizes_of(const Results& results, Test test, Waiting waiting) {
    std::set<std::uint64_t> sizes;
    for (const Cell& cell : results.cells) {
        const Group& group = results.groups[cell.group];
        if (group.test == test && group.waiting == waiting && !cell.samples.empty())
            sizes.insert(group.size);
    }
    return {sizes.begin(), sizes.end()};
}

std::string size_text(std::uint64_t bytes) {
    static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB"};
    std::size_t unit = 0;
    std::uint64_t count = bytes;
    for (; count != 0 && count % 1024 == 0 && unit + 1 < std::size(kUnits); count /= 1024)
        ++unit;
    return count < 1024 ? std::to_string(count) + " " + kUnits[unit] : cli::human_bytes(bytes);
}

}  // namespace causeway::bench
