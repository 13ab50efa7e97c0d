// Sample: everything that the adapter shows, as of one moment, and what /proc says beside it.
//
// Threading: plain values; take_sample() from any thread.
#pragma once

#include <causeway/abi/figures.hpp>
#include <causeway/error.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace causeway::cli {

struct Sample {
    std::uint64_t at_ns = 0;  // monotonic
    abi::AdapterRow adapter{};
    std::vector<abi::PartitionRow> partitions;
    std::vector<abi::QueuePairRow> queue_pairs;
    std::vector<abi::MoverRow> movers;
    std::vector<abi::DenialRow> denials;
    std::vector<abi::HistogramRow> histograms;
    // Processor time of the partitions' processes, by pid, where they are to be seen from here. Of
    // a process with several partitions it is the time of them all.
    std::map<std::uint32_t, std::uint64_t> cpu_ns;
};

[[nodiscard]] Result<Sample> take_sample(const std::string& socket);

// Processor time of a process so far, all its threads; false: it cannot be seen.
[[nodiscard]] bool process_cpu_ns(std::uint32_t pid, std::uint64_t& ns);
// From the text of /proc/PID/stat; false: it is none.
[[nodiscard]] bool parse_cpu_ticks(const std::string& stat, std::uint64_t& ticks);

}  // namespace causeway::cli
