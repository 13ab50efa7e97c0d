// What the kernel says about memory that is to become a region.
//
// Threading: may be called from any thread. They read /proc: none is for a data path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/result.hpp"

namespace causeway::client {

// Bytes that the host can still give out without swapping; nullopt: not known.
[[nodiscard]] std::optional<std::uint64_t> available_memory() noexcept;

// Is [address, address + size) memory that can be adopted: whole pages, mapped readable and
// writable, private? Where there is no /proc/self/maps only what mincore() knows is checked.
// invalid_argument says what is wrong.
[[nodiscard]] Result<void> check_adoptable(const std::byte* address, std::uint64_t size);

// Bytes of the range that stand in memory; `size` where that is not known.
[[nodiscard]] std::uint64_t resident_bytes(const std::byte* address, std::uint64_t size) noexcept;

// Fills page tables, so that the first accesses do not fault; memory that is not there stays so.
void populate_if_possible(std::byte* address, std::uint64_t size) noexcept;

}  // namespace causeway::client
