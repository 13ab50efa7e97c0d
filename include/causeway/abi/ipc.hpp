// What the ends of message queues, pipes and request/response connections say to each other. All of
// it travels in ordinary Sends over an ordinary queue pair.
//
// The first message each way is a Greeting: the listening end's as soon as it has accepted, the
// connecting end's in answer to it. What comes after it, by what stands in the completion:
//
//                       with immediate                              without
//   queue, to sender    credit: messages consumed so far            (none)
//   queue, to receiver  none but a farewell of no bytes             a message
//   pipe                no bytes: credit; else bytes of the stream  no bytes: end of the stream
//   requests, answers   a Tag                                       no bytes: the server's farewell
//
// Invariants:
//  1. Nobody sends data for which it has no credit: at most Greeting::window messages of its own
//     that the peer has not said to have consumed. Beyond these the peer has kSpareReceives
//     receives posted, for credits, greeting and farewell.
//  2. Consumed counts are modulo 2^32. A credit for what was never sent ends the connection.
//  3. An answer carries the tag of its request; each request is answered exactly once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace causeway::abi {

inline constexpr std::uint32_t kGreetingMagic = 0x43505749;  // "IWPC"
inline constexpr std::uint16_t kIpcVersion = 1;
inline constexpr std::uint32_t kSpareReceives = 16;

enum class IpcKind : std::uint16_t { message_queue = 1, pipe = 2, requests = 3 };

struct Greeting {
    std::uint32_t magic;
    std::uint16_t version;
    std::uint16_t kind;            // IpcKind
    std::uint32_t largest;         // bytes that one message to this end may have
    std::uint32_t window;          // messages to this end that may be unconsumed
    std::uint32_t largest_answer;  // requests: bytes of an answer from this end
    std::uint32_t reserved[3];     // zero
};

static_assert(sizeof(Greeting) == 32);
static_assert(offsetof(Greeting, version) == 4 && offsetof(Greeting, kind) == 6);
static_assert(offsetof(Greeting, largest) == 8 && offsetof(Greeting, window) == 12);
static_assert(offsetof(Greeting, largest_answer) == 16 && offsetof(Greeting, reserved) == 20);

// Names a request among those of its connection. Bits 0-15: slot. 16-30: lap of that slot. 31: the
// server has let go of the request without an answer (of answers only).
namespace tag {
inline constexpr std::uint32_t kUnanswered = 0x80000000;
inline constexpr std::uint32_t kLaps = 0x7fff;
inline constexpr std::uint32_t kSlots = 0x10000;
}  // namespace tag
[[nodiscard]] constexpr std::uint32_t make_tag(std::uint32_t slot, std::uint32_t lap) noexcept {
    return (slot & (tag::kSlots - 1)) | (lap & tag::kLaps) << 16;
}
[[nodiscard]] constexpr std::uint32_t tag_slot(std::uint32_t tag) noexcept {
    return tag & (tag::kSlots - 1);
}
[[nodiscard]] constexpr std::uint32_t tag_lap(std::uint32_t tag) noexcept {
    return tag >> 16 & tag::kLaps;
}

}  // namespace causeway::abi
