// Completion statuses and error codes: the numbers that cross process boundaries.
//
// Invariants:
//  1. A number, once published, never changes its meaning; new ones are added at the end.
//  2. Whoever reads a number it does not know treats it as a failure, never as success.
#pragma once

#include <cstdint>

namespace causeway::abi {

// How a descriptor ended. The names are the verbs' (InfiniBand), see docs/abi.md.
enum class Status : std::uint8_t {
    success = 0,
    local_length = 1,        // receive: the message did not fit; send: sum of segments over 2^32-1
    local_protection = 2,    // a local segment is outside its region, or its region is gone
    remote_access = 3,       // remote handle, generation, address or right is wrong
    remote_length = 4,       // the peer's posted receive was shorter than the message
    receiver_not_ready = 5,  // no receive was posted within the queue pair's patience
    bad_descriptor = 6,      // the descriptor breaks the format; its queue pair is closed
    flushed = 7,             // the queue pair ended, or an earlier descriptor failed before a fence
    peer_gone = 8,           // the peer died or left
    denied = 9,              // policy forbids it
};
inline constexpr std::uint8_t kStatusCount = 10;

// Why a call or a control request failed.
enum class Error : std::int32_t {
    none = 0,
    invalid_argument = 1,
    no_adapter = 2,  // nothing listens at the socket path
    denied = 3,
    name_in_use = 4,
    not_found = 5,
    no_memory = 6,
    limit_reached = 7,
    timed_out = 8,
    again = 9,  // nothing there yet, or a queue is full: try later
    peer_gone = 10,
    protocol = 11,  // the other side broke the protocol
    version = 12,   // no common protocol version
    forked = 13,    // this process is a fork of the one that attached
    system = 14,    // an unexpected errno; the text names it
    wrong_state = 15,
    adapter_gone = 16,
    unsupported = 17,
};
inline constexpr std::int32_t kErrorCount = 18;

}  // namespace causeway::abi
