// BlockLoad: requests to a disk, as many at once as asked for, for some time; and what came of
// them.
//
// Threading: one thread. Ownership: owns its buffers; shares the partition.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "io/block/disk.hpp"
#include "perf/histogram.hpp"

namespace causeway::perf {

enum class Pattern { read, randread, write, randwrite, rw, randrw };

struct BlockPlan {
    std::string target;
    Pattern pattern = Pattern::randread;
    std::uint32_t size = 4096;  // bytes of a request
    std::uint32_t depth = 32;   // requests at once
    std::uint32_t fsync = 0;    // a flush after so many writes; 0: none
    std::uint64_t range = 0;    // bytes of the disk that are used; 0: all
    std::uint64_t offset = 0;   // from where on
    double seconds = 2;
    std::uint32_t reads = 50;   // percent, of rw and randrw
    bool touch = false;         // look at every line of what was read
    bool unregistered = false;  // buffers that are copied on the way
    io::block::DiskTerms disk{};
};

struct BlockFigures {
    Histogram latency;  // ns, from submitting to the result
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t flushes = 0;
    std::uint64_t errors = 0;
    int first_error = 0;  // errno
    double seconds = 0;
    double cpu_seconds = 0;  // of this process
    std::uint64_t sum = 0;   // of what was touched
    bool in_place = false;

    [[nodiscard]] double iops() const { return static_cast<double>(reads + writes) / seconds; }
};

// Errors: those of opening a disk, invalid_argument (the plan does not fit the disk), adapter_gone.
[[nodiscard]] Result<BlockFigures> run_block_load(
    const std::shared_ptr<client::Partition>& partition, const BlockPlan& plan);

}  // namespace causeway::perf
