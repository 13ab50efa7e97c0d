// How far an end of a queue pair has come, in memory that outlives its executor: from it and from
// what stands in the rings, the next executor goes on where the last one was cut off.
//
// Threading: one writer, the executing thread; read by its successor, once it is dead.
//
// Invariants:
//  1. The indices stand after each step of a flow, and a step ends one descriptor at most: so the
//     rings are at most one completion per ring ahead of them.
//  2. They are written in one order: sends, send_completions, receives, receive_completions; the
//     first of them says whether the descriptor is over.
//  3. How long a chain is, is written before the completion that frees its slots; whether a
//     descriptor has failed, after it.
//  4. Where an Append goes is written before its first byte, and of a record before its header.
#pragma once

#include <atomic>
#include <causeway/abi/descriptor.hpp>
#include <cstdint>

namespace causeway::engine {

struct Trace {
    // Beside the index of receives: it was noted with an odd number of receive completions.
    static constexpr std::uint64_t kOddCompletions = std::uint64_t{1} << 63;

    // Indices since the queue pair began.
    alignas(abi::kCacheLine) std::atomic<std::uint64_t> sends;
    std::atomic<std::uint64_t> receives;  // with kOddCompletions
    std::atomic<std::uint64_t> send_completions;
    std::atomic<std::uint64_t> receive_completions;
    // Of the receive at this index, if it is a chain: how many descriptors it takes up.
    std::atomic<std::uint64_t> chain_at;
    std::atomic<std::uint64_t> chain;
    // The Append under way: index of its descriptor + 1 (0: none), where it goes, how long it is.
    std::atomic<std::uint64_t> append_of;
    std::atomic<std::uint64_t> append_region;  // its handle
    std::atomic<std::uint64_t> append_at;
    std::atomic<std::uint64_t> append_length;
    // The same of the send at this index.
    std::atomic<std::uint64_t> send_chain_at;
    std::atomic<std::uint64_t> send_chain;
    std::atomic<std::uint64_t> failed;  // 1: a send since the last fence, so the next one flushes
    std::uint64_t reserved[3];
};
static_assert(sizeof(Trace) == 128);

}  // namespace causeway::engine
