// The completion: 64 bytes, one cache line, from whoever executed a descriptor to its poster.
//
// Invariants:
//  1. Published by storing the first eight bytes last, with release; the phase in them tells the
//     reader that the slot belongs to the current lap.
//  2. A message of at most 32 bytes travels inside the completion of its receive (kPayload): the
//     receiving library places it into the posted buffer, and nobody else touches that buffer.
#pragma once

#include <causeway/abi/descriptor.hpp>
#include <cstddef>
#include <cstdint>

namespace causeway::abi {

namespace completion_flag {
inline constexpr std::uint8_t kImmediate = 0x01;  // `immediate` holds the sender's
inline constexpr std::uint8_t kPayload = 0x02;    // `length` bytes of message stand in `payload`
inline constexpr std::uint8_t kAll = 0x03;
}  // namespace completion_flag

struct Completion {
    std::uint8_t status;  // abi::Status
    std::uint8_t
        opcode;  // of the descriptor that it completes; receive: receive, or write (with immediate)
    std::uint8_t flags;
    std::uint8_t phase;
    std::uint32_t slot;  // of the completed descriptor in its own ring (for a chain: the head's)
    std::uint32_t length;
    std::uint32_t immediate;
    std::uint64_t offset;    // Append: where in the destination region the data begins
    std::uint64_t sequence;  // index of the sender's descriptor since the queue pair began
    std::uint8_t payload[kMaxInline];
};

static_assert(sizeof(Completion) == kCacheLine);
static_assert(offsetof(Completion, status) == 0 && offsetof(Completion, opcode) == 1);
static_assert(offsetof(Completion, flags) == 2 && offsetof(Completion, phase) == 3);
static_assert(offsetof(Completion, slot) == 4 && offsetof(Completion, length) == 8);
static_assert(offsetof(Completion, immediate) == 12 && offsetof(Completion, offset) == 16);
static_assert(offsetof(Completion, sequence) == 24 && offsetof(Completion, payload) == 32);

}  // namespace causeway::abi
