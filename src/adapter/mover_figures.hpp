// What a mover has done since the daemon's start.
//
// Threading: written by the mover's thread alone, read by the control thread at any time.
//
// Invariants:
//  1. The cache lines are the mover's own: nobody who reads them slows it by more than those lines'
//     way, and nobody reads them unless somebody asks for stats.
//  2. Every operation that a mover completes is in `latency` once, and in `size` if it succeeded.
//     A connection that moves to another mover takes what is under way with it (Seen).
#pragma once

#include <cstdint>

#include "adapter/end.hpp"
#include "adapter/histogram.hpp"
#include "platform/clock.hpp"

namespace causeway::adapter {

struct alignas(abi::kCacheLine) MoverFigures {
    engine::Counter turns;
    engine::Counter sleeps;
    engine::Counter wakeups;
    engine::Counter given;
    Histogram latency;  // ns
    Histogram size;     // bytes

    // After a step of a flow that was not idle, from `begin` to `end` (ticks). A step completes one
    // descriptor at most; a descriptor takes one step or several, with waits in between.
    void note_step(const engine::Counters& counters, Seen& seen, std::uint64_t begin,
                   std::uint64_t end) noexcept {
        const std::uint64_t operations = counters.operations.load();
        if (operations == seen.operations) {
            if (seen.since_ticks == 0)
                seen.since_ticks = begin;
            return;
        }
        seen.operations = operations;
        const std::uint64_t since = seen.since_ticks != 0 ? seen.since_ticks : begin;
        seen.since_ticks = 0;
        // Another mover's core may be some ticks behind.
        latency.add(platform::ticks_to_ns(end > since ? end - since : 0));
        const std::uint64_t bytes = counters.bytes.load();
        const std::uint64_t errors = counters.errors.load();
        if (errors == seen.errors)
            size.add(bytes - seen.bytes);
        seen.bytes = bytes;
        seen.errors = errors;
    }
    // What the counters have come to without a mover's step is in no histogram.
    static void skip(const engine::Counters& counters, Seen& seen) noexcept {
        seen = {counters.operations.load(), counters.bytes.load(), counters.errors.load(), 0};
    }
};

}  // namespace causeway::adapter
