// A doorbell: who has something for a waiter, and whether the waiter sleeps. One page, between one
// waker and one waiter; beside it stands a socketpair of the same two parties for the wake-up.
//
// Used three ways: partition rings mover (bit = queue pair), adapter rings completion queue
// (bit = queue pair), adapter rings partition (bit = DoorbellEvent).
//
// Protocol: the waker sets the bit of what is ready, then the summary bit of the bit's word, then,
// if the waiter sleeps, sends one byte to the socket without blocking. The waiter announces sleep,
// looks once more at everything, then sleeps on the socket; a bounded time-out stands behind it.
//
// Invariants:
//  1. The waiter writes line 0, the waker lines 1-9; neither believes the other's: a false bit or a
//     withheld one hurts the queue pairs of that waker only.
//  2. A bit is a hint that something may be there; the rings decide.
#pragma once

#include <atomic>
#include <causeway/abi/descriptor.hpp>
#include <cstddef>
#include <cstdint>

namespace causeway::abi {

inline constexpr std::uint32_t kDoorbellWords = 64;
inline constexpr std::uint32_t kDoorbellBits = kDoorbellWords * 64;  // 4096

struct DoorbellLayout {
    alignas(kCacheLine) std::atomic<std::uint32_t> asleep;   // waiter: 1 = wake me by the socket
    alignas(kCacheLine) std::atomic<std::uint64_t> summary;  // waker: bit w = words[w] is not empty
    alignas(kCacheLine) std::atomic<std::uint64_t> words[kDoorbellWords];
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(sizeof(DoorbellLayout) == 640);
static_assert(offsetof(DoorbellLayout, asleep) == 0 && offsetof(DoorbellLayout, summary) == 64);
static_assert(offsetof(DoorbellLayout, words) == 128);

// Bits of the doorbell by which the adapter rings a partition.
enum class DoorbellEvent : std::uint32_t {
    connection_wanted = 0,   // some listener of the partition has a pending connection
    queue_pair_changed = 1,  // some queue pair changed its state (connected, refused, peer gone)
    segment_changed = 2,     // some opening of a segment may have ended: ask segment_status
    bus_changed = 3,         // what it sees on the bus has changed since it asked (abi/bus.hpp)
};

}  // namespace causeway::abi
