#include "lab/results.hpp"

#include <algorithm>

namespace causeway::bench {

using perf::Test;
using perf::Touch;

double Sample::figure(Test test) const {
    if (test == Test::latency)
        return p50_ns;
    return test == Test::rate ? mops : gbytes_per_s;
}

double Sample::cpu_s_per_gbyte(std::uint64_t size) const {
    const double gbytes = static_cast<double>(messages) * static_cast<double>(size) / 1e9;
    return cpu_s < 0 || gbytes <= 0 ? -1 : cpu_s / gbytes;
}

std::size_t Cell::kept(Regime regime) const {
    return static_cast<std::size_t>(std::count_if(
        samples.begin(), samples.end(), [&](const Sample& each) { return each.regime == regime; }));
}

perf::Summary Cell::summary(Test test, Regime regime) const {
    std::vector<double> figures;
    for (const Sample& sample : samples) {
        if (sample.regime == regime)
            figures.push_back(sample.figure(test));
    }
    return perf::summarize(figures);
}

perf::Histogram Cell::times(Regime regime) const {
    perf::Histogram all;
    for (const Sample& sample : samples) {
        if (sample.regime != regime)
            continue;
        for (const auto& [bucket, count] : sample.buckets)
            all.add_bucket(bucket, count);
    }
    return all;
}

std::optional<double> Cell::cpu_s_per_gbyte(std::uint64_t size, Regime regime) const {
    std::vector<double> values;
    for (const Sample& sample : samples) {
        const double value = sample.cpu_s_per_gbyte(size);
        if (sample.regime == regime && value >= 0)
            values.push_back(value);
    }
    return values.empty() ? std::nullopt : std::optional(perf::median_of(std::move(values)));
}

bool Cell::verified() const {
    return std::all_of(samples.begin(), samples.end(),
                       [](const Sample& each) { return each.verified; });
}

const Cell* Results::find(std::string_view contestant, const Group& group, Touch touch) const {
    const auto at = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
        const Group& of = groups[cell.group];
        return contestants[cell.contestant].id == contestant && cell.touch == touch &&
               of.test == group.test && of.size == group.size && of.waiting == group.waiting;
    });
    return at == cells.end() ? nullptr : &*at;
}

std::optional<double> Results::figure(std::string_view contestant, Test test, std::uint64_t size,
                                      Touch touch, Regime regime, Waiting waiting) const {
    const Cell* const cell = find(contestant, {test, size, waiting}, touch);
    if (cell == nullptr || cell->kept(regime) == 0)
        return std::nullopt;
    return cell->summary(test, regime).median;
}

perf::Summary Results::bounce(Regime regime) const {
    std::vector<double> values;
    for (const double probe : probes) {
        if ((probe < near_below ? Regime::near : Regime::far) == regime)
            values.push_back(probe);
    }
    return perf::summarize(values);
}

Regime Results::main_regime() const {
    std::size_t counts[2] = {};
    for (const Cell& cell : cells) {
        counts[0] += cell.kept(Regime::near);
        counts[1] += cell.kept(Regime::far);
    }
    return counts[0] >= counts[1] ? Regime::near : Regime::far;
}

}  // namespace causeway::bench
