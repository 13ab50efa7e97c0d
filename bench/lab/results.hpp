// What a run has found: plain data between the one who measures and those who write reports.
//
// Threading: one thread.
//
// Invariants:
//  1. A cell is one contestant in one group with one way of touching; the three are indices.
//  2. A sample without a regime was discarded, and counts in no summary.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lab/contestants.hpp"
#include "lab/regimes.hpp"
#include "perf/histogram.hpp"
#include "perf/plan.hpp"
#include "perf/statistics.hpp"

namespace causeway::bench {

// Contestants that are measured in turn.
struct Group {
    perf::Test test = perf::Test::latency;
    std::uint64_t size = 8;
    Waiting waiting = Waiting::spin;
    std::vector<perf::Touch> touches{perf::Touch::read, perf::Touch::none};
};

struct Sample {
    Bracket bounce;
    std::optional<Regime> regime;
    bool verified = false;
    double seconds = 0;
    std::uint64_t messages = 0;
    double mops = 0;
    double gbytes_per_s = 0;
    // One way, ns; zero where a test or tool does not tell.
    double p50_ns = 0;
    double p99_ns = 0;
    double p9999_ns = 0;
    double mean_ns = 0;
    std::vector<std::pair<std::size_t, std::uint64_t>> buckets{};  // of a perf::Histogram
    // Processor seconds of everybody on the way; negative: not known.
    double cpu_s = -1;

    // What the test is about: nanoseconds, millions a second, or 10^9 bytes a second.
    [[nodiscard]] double figure(perf::Test test) const;
    [[nodiscard]] double cpu_s_per_gbyte(std::uint64_t size) const;
};

struct Cell {
    std::size_t contestant = 0;
    std::size_t group = 0;
    perf::Touch touch = perf::Touch::read;
    std::vector<Sample> samples{};
    std::string missing{};  // why there are no more; empty: nothing went wrong

    [[nodiscard]] std::size_t kept(Regime regime) const;
    [[nodiscard]] perf::Summary summary(perf::Test test, Regime regime) const;
    // Of all samples of the regime together.
    [[nodiscard]] perf::Histogram times(Regime regime) const;
    [[nodiscard]] std::optional<double> cpu_s_per_gbyte(std::uint64_t size, Regime regime) const;
    [[nodiscard]] bool verified() const;
};

struct Machine {
    std::string cpu;
    std::string kernel;
    unsigned cores_online = 0;
    unsigned sender = 0;  // cores
    unsigned receiver = 0;
    double load_before = 0;  // one-minute averages
    double load_after = 0;
};

struct Results {
    Machine machine;
    std::string commit;
    std::string version;
    std::string date;    // ISO 8601, UTC
    double seconds = 0;  // that the run took
    double near_below = kNearBelow;
    int rounds = 0;
    std::vector<Contestant> contestants;
    std::vector<std::string> absent;  // by contestant: why it was not measured at all; else empty
    std::vector<Group> groups;
    std::vector<Cell> cells;
    std::vector<double> probes;  // ns, all that were taken
    std::vector<std::string> remarks;

    [[nodiscard]] const Cell* find(std::string_view contestant, const Group& group,
                                   perf::Touch touch) const;
    // Median of the figure; nothing where it was not measured in this regime.
    [[nodiscard]] std::optional<double> figure(std::string_view contestant, perf::Test test,
                                               std::uint64_t size, perf::Touch touch, Regime regime,
                                               Waiting waiting = Waiting::spin) const;
    // Probes of one regime.
    [[nodiscard]] perf::Summary bounce(Regime regime) const;
    // The one with more samples.
    [[nodiscard]] Regime main_regime() const;
};

}  // namespace causeway::bench
