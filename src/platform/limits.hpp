// Limits of this process and what it uses of them, as the kernel tells.
//
// Threading: all functions may be called from any thread. They read /proc and /sys/fs/cgroup: none
// is for a data path. nullopt everywhere means: the kernel does not say here (no /proc, say).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace causeway::platform {

// vm.max_map_count; 65530, the kernel's default, where it cannot be read.
[[nodiscard]] std::uint64_t max_map_count() noexcept;
// Mappings of this process.
[[nodiscard]] std::optional<std::uint64_t> mapping_count() noexcept;

// RLIMIT_NOFILE, the soft limit.
[[nodiscard]] std::uint64_t open_file_limit() noexcept;
// Raises the soft limit to the hard one; returns the limit in force afterwards.
std::uint64_t raise_open_file_limit() noexcept;
// Open descriptors of this process, without the one that counting needs.
[[nodiscard]] std::optional<std::uint64_t> open_file_count() noexcept;
// Bytes of anonymous memory that this process has: neither files nor what it shares.
[[nodiscard]] std::optional<std::uint64_t> own_memory() noexcept;

// Bytes that may still be charged to the memory cgroup of this process (v1 or v2; the smallest
// along its path, as far as that is visible); nullopt: unlimited. Cached file pages, which the
// kernel drops to make room, do not count as used; anonymous and shared memory do.
[[nodiscard]] std::optional<std::uint64_t> memory_headroom() noexcept;

// A memory cgroup with a limit that this process is under.
struct MemoryGroup {
    int version = 2;             // of control groups: 1 or 2
    std::string directory;       // its files, as they are mounted here
    std::uint64_t limit = 0;     // bytes
    std::uint64_t headroom = 0;  // bytes that may still be charged to it
};
// Those with a limit, the innermost first; none: unlimited, or not to be seen. `root` stands in
// front of every path that is read: for tests.
[[nodiscard]] std::vector<MemoryGroup> memory_groups(const std::string& root = "");

// Free, unreserved 2 MiB pages of the system; 0 where it has none.
[[nodiscard]] std::uint64_t free_huge_pages() noexcept;

}  // namespace causeway::platform
