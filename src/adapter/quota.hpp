// What one partition may hold at a time, and what it holds. Control thread only.
#pragma once

#include <cstdint>

namespace causeway::adapter {

struct Quota {
    std::uint64_t max_bytes = std::uint64_t{16} << 30;  // registered memory
    std::uint32_t max_regions = 1024;
    std::uint32_t max_queue_pairs = 1024;
    std::uint64_t max_queue_bytes = std::uint64_t{256} << 20;  // memory of its queue pairs
    std::uint32_t max_completion_queues = 256;
    std::uint32_t max_listeners = 256;
    std::uint64_t max_files = 4096;  // descriptors that the adapter holds on its behalf
};

// What a partition is given.
struct Terms {
    Quota quota;
    std::uint32_t weight = 100;  // its share of a mover's time, against the others'
};

// The largest values that can be asked for.
inline constexpr std::uint32_t kMostRegions = 4096;     // slots of a region table
inline constexpr std::uint32_t kMostQueuePairs = 4096;  // bits of a doorbell
inline constexpr std::uint32_t kMostBacklog = 1024;     // connections waiting at one listener

// Memory of the daemon's own, in bytes. All that it keeps for a partition comes with descriptors,
// of which it opens `files` at most. Dearest are partitions with next to nothing: three
// descriptors, and a region table of 64 KiB. tests/hostile/own_memory_test.cpp shows that this is
// enough.
inline constexpr std::uint64_t kOwnMemory = std::uint64_t{16} << 20;
inline constexpr std::uint64_t kOwnMemoryPerFile = std::uint64_t{32} << 10;
[[nodiscard]] constexpr std::uint64_t own_memory_most(std::uint64_t files) noexcept {
    return kOwnMemory + files * kOwnMemoryPerFile;
}

struct Usage {
    std::uint64_t bytes = 0;
    std::uint32_t regions = 0;
    std::uint32_t queue_pairs = 0;
    std::uint64_t queue_bytes = 0;
    std::uint32_t completion_queues = 0;
    std::uint32_t doorbells = 0;  // of any kind
    std::uint64_t files = 0;
};

}  // namespace causeway::adapter
