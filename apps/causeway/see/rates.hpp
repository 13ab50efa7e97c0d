// Rates: what has happened between two samples, per second.
//
// Threading: plain values, pure.
//
// Invariants:
//  1. A rate is none where there is nothing to compare with: at the first sample, for who has just
//     come, and after the adapter was restarted.
//  2. What executor direct has done is what partitions claim (abi/control.hpp), and kept apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "see/distribution.hpp"
#include "see/sample.hpp"

namespace causeway::cli {

using Rate = std::optional<double>;  // per second

struct PartitionRates {
    abi::PartitionRow row{};
    Rate cpu;  // processors in use: 1 is one whole
    Rate operations;
    Rate bytes;
    Rate errors;
    Rate stalls;
    Rate stalled;  // seconds of waiting per second, of all its queue pairs
    Rate moving;   // processors of movers in use for it
    Rate claimed_operations;
    Rate claimed_bytes;
    Rate claimed_stalls;
};

struct PairRates {
    abi::QueuePairRow row{};
    Rate operations;
    Rate bytes;
    Rate errors;
    Rate stalls;
    Rate stalled;
};

struct MoverRates {
    abi::MoverRow row{};
    Rate cpu;
    Rate operations;
    Rate wakeups;
};

struct Rates {
    double seconds = 0;  // between the samples; 0: there is one only
    abi::AdapterRow adapter{};
    std::vector<PartitionRates> partitions;
    std::vector<PairRates> pairs;
    std::vector<MoverRates> movers;
    std::uint64_t denied = 0;  // since the adapter's start
    Distribution latency;      // between the samples, or since the adapter's start
    Distribution size;
};

// `before`: null for none.
[[nodiscard]] Rates rates_between(const Sample* before, const Sample& now);

}  // namespace causeway::cli
