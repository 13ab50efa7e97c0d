// What host modules and I/O unit modules say to each other: the push-push messaging layer
// (docs/messaging.md). All of it travels in ordinary Sends and Writes over an ordinary queue pair.
//
// Each end begins with a Hello, at once. What follows is messages, each with a Header in front:
// by Send into a posted buffer where it fits one, otherwise by Write with immediate into one of the
// buffers that the peer's Hello offers; the immediate names that buffer (Figs 10 and 11).
//
// Invariants:
//  1. Whoever has data starts the transfer. Nobody is read from.
//  2. At most Hello::messages Sends are unconsumed, and no large buffer is written to before it was
//     given back. Beyond these a peer has spare_receives() receives posted, for Hello and credit.
//  3. Consumed counts are modulo 2^32. A credit for what was never sent, and a buffer given back
//     that was not out, end the connection.
#pragma once

#include <cstddef>
#include <cstdint>

namespace causeway::abi::messaging {

inline constexpr std::uint32_t kMagic = 0x4f495743;  // "CWIO"
inline constexpr std::uint16_t kMajor = 1;           // must be equal
inline constexpr std::uint16_t kMinor = 0;           // the smaller one holds
inline constexpr std::uint32_t kMostMessages = 4096;
inline constexpr std::uint32_t kMostBuffers = 1024;
inline constexpr std::uint32_t kMostMessageSize = 1U << 20;  // bytes
inline constexpr std::uint32_t kMostBufferSize = 64U << 20;  // bytes
inline constexpr std::uint32_t kLeastMessageSize = 64;       // bytes: a Hello fits

struct Hello {
    std::uint32_t magic;
    std::uint16_t major;
    std::uint16_t minor;
    std::uint16_t service;  // what the unit is: ControllerType (abi/bus.hpp)
    std::uint16_t reserved;
    std::uint32_t features;      // of the service; those hold that both ends offer
    std::uint32_t messages;      // posted buffers for messages to this end
    std::uint32_t message_size;  // bytes of one, with the Header
    std::uint32_t buffers;       // large buffers for messages to this end; may be 0
    std::uint32_t buffer_size;   // bytes of one, with the Header; a multiple of 64
    // Of the region that they lie in, one behind the other.
    std::uint32_t handle;
    std::uint32_t generation;
    std::uint64_t address;
    std::uint64_t more[2];  // zero
};
static_assert(sizeof(Hello) == 64);
static_assert(offsetof(Hello, service) == 8 && offsetof(Hello, features) == 12);
static_assert(offsetof(Hello, messages) == 16 && offsetof(Hello, buffers) == 24);
static_assert(offsetof(Hello, handle) == 32 && offsetof(Hello, address) == 40);

inline constexpr std::uint32_t kReturns = 8;  // large buffers given back by one Header, at most

// In front of every message. A message of kind 0 is nothing but its Header: credit.
struct Header {
    std::uint16_t kind;                // of the service
    std::uint16_t returns;             // how many of `returned` count
    std::uint32_t consumed;            // messages by Send that this end has consumed so far
    std::uint64_t tag;                 // of the service: what belongs together
    std::uint16_t returned[kReturns];  // large buffers of this end that are free again
};
static_assert(sizeof(Header) == 32);
static_assert(offsetof(Header, consumed) == 4 && offsetof(Header, tag) == 8);
static_assert(offsetof(Header, returned) == 16);

// Receives that an end posts beyond `messages` + `buffers`.
[[nodiscard]] constexpr std::uint32_t spare_receives(std::uint32_t buffers) noexcept {
    return 24 + buffers / kReturns;
}

}  // namespace causeway::abi::messaging
