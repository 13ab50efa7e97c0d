// Which groups of measurements a run consists of.
//
// Threading: all functions are pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/results.hpp"

namespace causeway::bench {

enum class Extent { full, quick };

struct Wishes {
    Extent extent = Extent::full;
    std::vector<std::uint64_t> sizes{};  // bytes; empty: as the extent has them
    std::vector<std::string> tests{};    // latency, rate, bandwidth, wake; empty: all
    std::vector<perf::Touch> touches{perf::Touch::read, perf::Touch::none};
};

// The most telling ones first: they are measured even if the time runs out.
[[nodiscard]] std::vector<Group> make_groups(const Wishes& wishes);

}  // namespace causeway::bench
