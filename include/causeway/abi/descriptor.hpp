// The descriptor: 64 bytes, one cache line, the unit of work of every executor.
//
// Source: the Send/Receive descriptor (control segment, data segments of length, memory handle,
// virtual address) and the RDMA descriptor (control, address and data segments) of the split-driver
// system, Figs 9A and 9B.
//
//   bytes  0-15  control segment
//   bytes 16-31  address segment (Write, Read, Append; zero otherwise)
//   bytes 32-47  data segment 1 \ or up to 32 bytes of inline payload
//   bytes 48-63  data segment 2 /
//
// Invariants:
//  1. A slot of a ring is published by storing the first eight bytes last, with release; the phase
//     in them tells the reader that the slot belongs to the current lap (see phase_of_lap).
//  2. Of a chain (kMore) the head is published last; at most kMaxChain descriptors form one.
//  3. Bytes that an operation does not use are zero; the engine refuses anything else.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace causeway::abi {

inline constexpr std::size_t kCacheLine = 64;

enum class Opcode : std::uint8_t {
    send = 1,
    receive = 2,
    write = 3,
    read = 4,
    append = 5,  // writes at the destination's current offset, under its lock (Fig 11, 1103-1106)
    nop = 6,
};

namespace descriptor_flag {
inline constexpr std::uint8_t kImmediate =
    0x01;                                        // immediate is delivered; Write consumes a receive
inline constexpr std::uint8_t kInline = 0x02;    // payload in bytes 32-63, `segments` counts bytes
inline constexpr std::uint8_t kSignaled = 0x04;  // completes to the poster also on success
inline constexpr std::uint8_t kFence = 0x08;  // flushed if one since the previous fence has failed
inline constexpr std::uint8_t kMore = 0x10;   // the gather list goes on in the next descriptor
inline constexpr std::uint8_t kAll = 0x1f;
}  // namespace descriptor_flag

inline constexpr std::uint32_t kMaxDataSegments = 2;
inline constexpr std::uint32_t kMaxInline = 32;
inline constexpr std::uint32_t kMaxChain = 16;
inline constexpr std::uint32_t kMaxGather = kMaxChain * kMaxDataSegments;

struct ControlSegment {
    std::uint8_t opcode;
    std::uint8_t flags;
    std::uint8_t segments;  // data segments (0-2), or inline bytes (0-32) with kInline
    std::uint8_t phase;     // lap tag of the ring, see phase_of_lap
    std::uint32_t immediate;
    std::uint64_t id;  // the poster's own; the engine never looks at it
};

struct AddressSegment {
    std::uint32_t handle;      // remote memory handle
    std::uint32_t generation;  // of that handle
    std::uint64_t address;     // remote virtual address
};

struct DataSegment {
    std::uint32_t length;
    std::uint32_t handle;   // local memory handle
    std::uint64_t address;  // local virtual address
};

struct Descriptor {
    ControlSegment control;
    AddressSegment address;
    union {
        DataSegment data[kMaxDataSegments];
        std::uint8_t payload[kMaxInline];
    };
};

static_assert(sizeof(ControlSegment) == 16 && sizeof(AddressSegment) == 16);
static_assert(sizeof(DataSegment) == 16 && sizeof(Descriptor) == kCacheLine);
static_assert(offsetof(ControlSegment, opcode) == 0 && offsetof(ControlSegment, flags) == 1);
static_assert(offsetof(ControlSegment, segments) == 2 && offsetof(ControlSegment, phase) == 3);
static_assert(offsetof(ControlSegment, immediate) == 4 && offsetof(ControlSegment, id) == 8);
static_assert(offsetof(AddressSegment, handle) == 0 && offsetof(AddressSegment, generation) == 4);
static_assert(offsetof(AddressSegment, address) == 8);
static_assert(offsetof(DataSegment, length) == 0 && offsetof(DataSegment, handle) == 4);
static_assert(offsetof(DataSegment, address) == 8);
static_assert(offsetof(Descriptor, control) == 0 && offsetof(Descriptor, address) == 16);
static_assert(offsetof(Descriptor, data) == 32 && offsetof(Descriptor, payload) == 32);

// Lap tag of the slot that holds entry `index` of a ring with `entries` (a power of two) slots:
// 1 on the first lap, so that zeroed memory is unpublished; it wraps after 256 laps.
[[nodiscard]] constexpr std::uint8_t phase_of_lap(std::uint64_t index,
                                                  std::uint32_t entries) noexcept {
    return static_cast<std::uint8_t>((index >> std::countr_zero(entries)) + 1);
}

}  // namespace causeway::abi
