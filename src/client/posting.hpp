// From the caller's slices to descriptors: checking them against the local regions, inlining what
// is small, chaining what has more than two segments.
//
// Threading: pure functions. Ownership: borrow everything.
//
// Invariants:
//  1. A slice that is not empty lies in a live region of this partition, or nothing is posted.
//  2. What build() makes passes the engine's format check (engine/format.cpp); a head that is the
//     first of a chain says kMore, continuations carry its opcode and nothing but data segments.
#pragma once

#include <causeway/causeway.h>

#include <array>
#include <causeway/abi/descriptor.hpp>
#include <causeway/result.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

#include "client/region_index.hpp"

namespace causeway::client {

// Checked slices; the empty ones are left out.
struct Gather {
    std::uint32_t count = 0;
    std::uint64_t length = 0;  // bytes, at most 2^32-1
    bool exportable = true;    // all of it lies in exportable regions
    std::array<abi::DataSegment, abi::kMaxGather> list;
    std::array<const std::byte*, abi::kMaxGather> bytes;
};

// Errors: invalid_argument, with the thread's error text set.
[[nodiscard]] ErrorCode check_slices(const RegionIndex& regions, const cw_slice* slices,
                                     std::uint32_t count, Gather& out) noexcept;

enum class Inlining { never, when_small };

[[nodiscard]] constexpr bool goes_inline(const Gather& gather, Inlining inlining) noexcept {
    return inlining == Inlining::when_small && gather.length <= abi::kMaxInline;
}
// Ring entries that `gather` takes.
[[nodiscard]] constexpr std::uint32_t entries_of(const Gather& gather, Inlining inlining) noexcept {
    if (goes_inline(gather, inlining) || gather.count == 0)
        return 1;
    return (gather.count + abi::kMaxDataSegments - 1) / abi::kMaxDataSegments;
}

// Writes entries_of() descriptors to `out`. `head`: opcode, flags (without kInline and kMore),
// immediate and id.
void build(const abi::ControlSegment& head, const abi::AddressSegment& address,
           const Gather& gather, Inlining inlining, std::span<abi::Descriptor> out) noexcept;

}  // namespace causeway::client
