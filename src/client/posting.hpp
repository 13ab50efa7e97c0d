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
#include <cstring>
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

// Where in its region a slice that is not empty begins; false if it does not lie in one.
[[nodiscard]] inline bool locate(const RegionIndex& regions, const cw_slice& slice,
                                 RegionSpan& region, std::uint64_t& offset) noexcept {
    if (!regions.find(slice.handle, region))
        return false;
    offset = reinterpret_cast<std::uintptr_t>(slice.address) - region.base;
    return slice.length <= region.size && offset <= region.size - slice.length;
}

// The words of a message of at most kMaxInline bytes, zero behind it.
using SmallMessage = std::array<std::uint64_t, abi::kMaxInline / 8>;
inline void load_small(const void* from, std::uint32_t length, SmallMessage& out) noexcept {
    const auto* bytes = static_cast<const std::byte*>(from);
    std::uint32_t i = 0;
    for (; length >= 8; length -= 8, bytes += 8)
        std::memcpy(&out[i++], bytes, 8);
    if (length == 0)
        return;
    std::uint64_t last = 0;
    for (std::uint32_t b = 0; b < length; ++b)
        last |= std::uint64_t{std::to_integer<std::uint8_t>(bytes[b])} << (8 * b);
    out[i] = last;
}
// The reverse, from words that `word(i)` gives.
template<typename F>
void store_small(void* to, std::uint32_t length, F&& word) noexcept {
    auto* bytes = static_cast<std::byte*>(to);
    std::uint32_t i = 0;
    for (; length >= 8; length -= 8, bytes += 8) {
        const std::uint64_t whole = word(i++);
        std::memcpy(bytes, &whole, 8);
    }
    if (length == 0)
        return;
    for (std::uint64_t last = word(i); length != 0; --length, last >>= 8)
        *bytes++ = static_cast<std::byte>(last);
}

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
