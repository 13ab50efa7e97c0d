// RegionMemory: the memory files of one region, side by side in one range of addresses.
//
// Threading: one thread at a time. Ownership: owns range and files. Memory that was adopted is the
// caller's again when this goes: it stays mapped, with its content.
//
// Invariants:
//  1. Every file has at most abi::kRegionPart bytes, is sealed against shrinking and growing, and
//     filled: its memory was charged to this process when create() or adopt() returns.
//  2. The range is not inherited by a child of fork().
//  3. adopt() that fails leaves the caller's memory mapped and its content as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "platform/fd.hpp"
#include "platform/mapping.hpp"
#include "platform/memfd.hpp"

namespace causeway::client {

class RegionMemory {
public:
    RegionMemory() = default;
    RegionMemory(RegionMemory&& other) noexcept;
    RegionMemory& operator=(RegionMemory&&) = delete;
    RegionMemory(const RegionMemory&) = delete;
    RegionMemory& operator=(const RegionMemory&) = delete;
    ~RegionMemory();

    // `size`: a multiple of the page size. Errors: no_memory, limit_reached.
    [[nodiscard]] static Result<RegionMemory> create(std::uint64_t size, platform::PageSize pages);
    // Errors: invalid_argument (alignment, not the caller's private writable memory), no_memory.
    [[nodiscard]] static Result<RegionMemory> adopt(std::byte* address, std::uint64_t size);

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint32_t parts() const noexcept {
        return static_cast<std::uint32_t>(files_.size());
    }
    [[nodiscard]] int file(std::uint32_t part) const noexcept { return files_[part].get(); }

    // After registering, where the adapter's death is not survived: it has its own descriptors.
    // Adopted memory keeps them.
    void close_files() noexcept;
    // In a forked child: forgets what belongs to the parent.
    void abandon() noexcept;

private:
    void give_back() noexcept;

    std::byte* data_ = nullptr;
    std::uint64_t size_ = 0;   // adopted: of what has been replaced so far
    platform::Mapping range_;  // created: owns the addresses
    std::vector<platform::UniqueFd> files_;
    bool adopted_ = false;
};

}  // namespace causeway::client
