// Measurement: all samples of one plan and what follows from them. The comparison with peers is two
// plans measured in turn.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "perf/histogram.hpp"
#include "perf/plan.hpp"
#include "perf/rig.hpp"
#include "perf/statistics.hpp"

namespace causeway::perf {

struct Sample {
    Histogram one_way;
    std::uint64_t messages = 0;
    double seconds = 0;
    bool verified = false;
    std::optional<double> bounce_before;  // ns
    std::optional<double> bounce_after;

    [[nodiscard]] double mops() const { return static_cast<double>(messages) / seconds / 1e6; }
    [[nodiscard]] double gbytes_per_s(std::uint64_t size) const {
        return static_cast<double>(messages) * static_cast<double>(size) / seconds / 1e9;
    }
};

struct Measurement {
    Plan plan;
    std::string executor;
    std::vector<Sample> samples;

    // The one figure that a sample is about, and its unit.
    [[nodiscard]] double figure(const Sample& sample) const;
    [[nodiscard]] std::string figure_name() const;
    [[nodiscard]] std::vector<double> figures() const;
    [[nodiscard]] Summary summary() const { return summarize(figures()); }
    [[nodiscard]] bool verified() const;
    [[nodiscard]] Histogram one_way() const;  // of all samples together
};

// Measures every plan, their samples in turn, as many as the first plan says. The adapter must run.
[[nodiscard]] Result<std::vector<Measurement>> measure(const std::vector<Plan>& plans);

}  // namespace causeway::perf
