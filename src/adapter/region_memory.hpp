// The memory of a region on its way into the adapter: checking what a partition hands over, mapping
// it, and looking whether it is still all there.
//
// Threading: checks on the control thread, mapping on the worker. Ownership: the descriptors are
// kept for as long as the region lives, to look at st_blocks again.
//
// Invariants:
//  1. Only sealed, filled, writable memory files of exactly the announced size pass.
//  2. Nothing here waits for whoever made the file: a descriptor that does not prove by its seals
//     that it is a memory file is not touched further.
#pragma once

#include <causeway/abi/control.hpp>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "adapter/worker.hpp"
#include "base/result.hpp"
#include "platform/fd.hpp"
#include "platform/mapping.hpp"

namespace causeway::adapter {

struct FileKey {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    auto operator<=>(const FileKey&) const = default;
};

struct RegionFile {
    platform::UniqueFd fd;
    FileKey key;
    std::uint64_t size = 0;  // bytes
    std::uint64_t page = 0;  // bytes
};

// Checks the request itself: sizes, rights, part numbers.
[[nodiscard]] Result<void> check_register_request(const abi::RegisterRequest& request);
// Bytes that part number `part` must have.
[[nodiscard]] std::uint64_t part_size(const abi::RegisterRequest& request) noexcept;

// Checks the descriptor that came with part `request.part`, and takes it. On failure it is left
// where it is.
[[nodiscard]] Result<RegionFile> check_region_file(const abi::RegisterRequest& request,
                                                   platform::UniqueFd& descriptor);

// Is all of the file's memory still allocated?
[[nodiscard]] bool still_filled(const RegionFile& file) noexcept;

struct RegionMemory {
    platform::Mapping mapping;
    std::vector<RegionFile> files;
    std::uint64_t mappings = 0;  // as counted against vm.max_map_count
};

// A worker's job that maps the files side by side and populates them, a part per step, and then
// calls `done` (on the worker's thread).
[[nodiscard]] Worker::Job map_region(std::vector<RegionFile> files,
                                     std::function<void(Result<RegionMemory>)> done);

}  // namespace causeway::adapter
