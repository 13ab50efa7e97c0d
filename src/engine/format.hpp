// Taking descriptors out of a ring: one snapshot of a whole chain, checked against the format of
// abi/descriptor.hpp before anything acts on it.
#pragma once

#include <array>
#include <causeway/abi/descriptor.hpp>
#include <cstdint>

#include "shm/ring.hpp"

namespace causeway::engine {

// A checked private copy of one descriptor or chain. The segments' handles and addresses are still
// only claims: translation decides.
struct Work {
    abi::ControlSegment control;
    abi::AddressSegment remote;
    std::uint32_t descriptors;  // of the ring that it takes up
    std::uint32_t segments;     // in `list`
    std::uint64_t length;       // bytes: sum of the segments, or of the inline payload
    std::array<abi::DataSegment, abi::kMaxGather> list;
    std::array<std::uint64_t, abi::kMaxInline / 8> payload;  // inline: zero behind `length` bytes

    [[nodiscard]] bool has(std::uint8_t flag) const noexcept { return (control.flags & flag) != 0; }
};

enum class Taken {
    none,  // nothing published
    work,
    too_long,  // sum of lengths over 2^32-1: `out` holds control and descriptors only
    bad,       // breaks the format
};

// Looks at the next entry of a send queue; does not advance the ring.
[[nodiscard]] Taken take_send(const shm::DescriptorConsumer& ring, Work& out) noexcept;
// The same for a receive queue.
[[nodiscard]] Taken take_receive(const shm::DescriptorConsumer& ring, Work& out) noexcept;

}  // namespace causeway::engine
