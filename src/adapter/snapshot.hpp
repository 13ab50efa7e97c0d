// Snapshot: what the metrics are made of, taken on the control thread and read elsewhere.
//
// Threading: take_snapshot() on the control thread; a Snapshot is a plain value.
//
// Invariant: the sum over partitions and `gone` never goes down while the daemon lives, but for
// what partitions claim: who goes is counted in `gone` from then on.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "adapter/fabric.hpp"
#include "adapter/histogram.hpp"

namespace causeway::adapter {

struct Snapshot {
    struct OfPartition {
        std::string name;
        PartitionTotals totals;
        std::uint32_t queue_pairs = 0;
        std::uint32_t regions = 0;
        std::uint64_t registered_bytes = 0;
    };
    struct OfMover {
        std::uint64_t cpu_ns = 0;
        std::uint64_t turns = 0;
        std::uint64_t sleeps = 0;
        std::uint64_t wakeups = 0;
        std::uint64_t given = 0;
    };
    std::vector<OfPartition> partitions;
    PartitionTotals gone;
    std::uint64_t partitions_gone = 0;
    std::vector<OfMover> movers;
    HistogramView latency;  // of all movers
    HistogramView size;
    std::map<std::string, std::uint64_t, std::less<>> denials;  // by rule
    std::uint64_t refused = 0;
    OwnFigures::Figures own;
    std::uint64_t own_memory_most = 0;
    std::uint64_t files_most = 0;
    std::uint64_t uptime_ns = 0;
    std::uint64_t registered_bytes = 0;
};

[[nodiscard]] Snapshot take_snapshot(Fabric& fabric);

// In the text format of Prometheus, version 0.0.4.
[[nodiscard]] std::string metrics_text(const Snapshot& snapshot);

}  // namespace causeway::adapter
