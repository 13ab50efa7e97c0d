// Memory of one end of a queue pair: a header and four rings, in one sealed memfd made by the
// adapter and mapped by the adapter and the partition that owns this end.
//
//   line 0    identity, written by the adapter before the memory is handed out
//   line 1    written by the executor
//   lines 2-3 written by the partition
//   then      send queue, receive queue (descriptors; the partition produces)
//             send completions, receive completions (completions; the executor produces)
//
// Executor direct: the receive queue and its completions move into a second memfd of the same
// layout without a send queue, the inbound memory, which the adapter makes and only the two peers
// map. There the executor is the peer. The send queue stays where the peer does not reach it.
//
// Invariants:
//  1. Entry i of a ring with n slots lies in slot i mod n and carries phase_of_lap(i, n).
//  2. The executor works from its own private copies of sizes and indices; what stands here is
//     read once, clamped, and can only hurt the partition that wrote it.
//  3. A completion is produced only where the consumer's published index leaves room.
//  4. A receive slot is free again when its completion has been consumed; a send slot when
//     send_taken has passed it.
#pragma once

#include <atomic>
#include <causeway/abi/completion.hpp>
#include <causeway/abi/descriptor.hpp>
#include <cstddef>
#include <cstdint>

namespace causeway::abi {

inline constexpr std::uint64_t kQueuePairMagic = 0x3150515957415543;  // "CUAWYQP1"
inline constexpr std::uint32_t kMinRingEntries = 4;
inline constexpr std::uint32_t kMaxRingEntries = 1U << 16;

enum class QueuePairState : std::uint32_t {
    idle = 0,        // created; receives may be posted
    connecting = 1,  // sends may be posted too, and wait
    connected = 2,
    refused = 3,  // the listener refused or the connection could not be made; see `reason`
    closed = 4,   // disconnected, peer gone or broken; see `reason`; everything is flushed
};

// Attention of the executor, in QueuePairLayout::attention: whether posting needs a doorbell.
namespace attention {
inline constexpr std::uint32_t kPolled = 1;  // the executor polls: ring for nothing
// Not polled: ring for receives as for sends. Direct: the peer's sender sleeps and waits for a
// receive, or for room among the receive completions: ring its completion queue.
inline constexpr std::uint32_t kWantsReceive = 2;
}  // namespace attention

// State of inbound memory, in QueuePairLayout::open.
namespace inbound {
inline constexpr std::uint32_t kOpen = 1;  // the partition receives through it
// Before it sleeps, this partition makes a barrier on all processors (membarrier): who registered
// for that needs no fence of its own between publishing something and asking whether it sleeps.
inline constexpr std::uint32_t kBarriers = 2;
}  // namespace inbound

// Direct: what the partition says that its sends have come to, for listings.
struct Tally {
    std::atomic<std::uint64_t> operations;
    std::atomic<std::uint64_t> bytes;
    std::atomic<std::uint64_t> errors;
    std::atomic<std::uint64_t> stalls;
    std::atomic<std::uint64_t> stall_ns;
    std::atomic<std::uint32_t> waiting;  // descriptors that wait for the peer
    std::atomic<std::uint32_t> posted;   // receives
};

struct QueuePairLayout {
    // line 0
    alignas(kCacheLine) std::uint64_t magic;
    std::uint16_t major;
    std::uint16_t minor;
    std::uint32_t features;
    std::uint64_t total_size;
    std::uint32_t send_entries;
    std::uint32_t receive_entries;
    std::uint32_t send_completion_entries;     // at least send_entries
    std::uint32_t receive_completion_entries;  // at least receive_entries
    std::uint32_t doorbell_bit;                // to ring the executor with
    std::uint32_t ready_bit;                   // rung in the completion queue's doorbell
    std::uint32_t id;                          // network-wide number of this end, for listings
    std::uint32_t reserved;

    // line 1: the executor's
    alignas(kCacheLine) std::atomic<std::uint32_t> state;  // QueuePairState
    std::atomic<std::uint32_t> reason;      // Error, valid once state says refused or closed
    std::atomic<std::uint32_t> attention;   // bits of namespace attention
    std::atomic<std::uint32_t> executor;    // abi::Executor, valid once state says connected
    std::atomic<std::uint64_t> send_taken;  // send descriptors taken so far
    // Direct: how often the adapter has taken regions back that this end may have been granted.
    std::atomic<std::uint32_t> revocations;

    // line 2: the partition's
    alignas(kCacheLine) std::atomic<std::uint64_t> send_completions_read;
    std::atomic<std::uint64_t> receive_completions_read;
    std::atomic<std::uint32_t> polled;  // 1: this end's completion queue polls the rings by itself
    std::atomic<std::uint32_t> open;    // inbound memory: bits of namespace inbound

    // line 3: the partition's. Receives posted below this index, from the next one to be taken on,
    // are one entry each with room for at least `simple_room` bytes, which is kMaxInline at most:
    // a message that travels inside its completion, or a Write with immediate, takes one without a
    // look at the entry. The room is read after the count.
    alignas(kCacheLine) std::atomic<std::uint64_t> simple_receives;
    Tally tally;
    std::atomic<std::uint32_t> simple_room;
};

static_assert(sizeof(QueuePairLayout) == 256);
static_assert(offsetof(QueuePairLayout, magic) == 0 && offsetof(QueuePairLayout, major) == 8);
static_assert(offsetof(QueuePairLayout, minor) == 10 && offsetof(QueuePairLayout, features) == 12);
static_assert(offsetof(QueuePairLayout, total_size) == 16);
static_assert(offsetof(QueuePairLayout, send_entries) == 24);
static_assert(offsetof(QueuePairLayout, receive_entries) == 28);
static_assert(offsetof(QueuePairLayout, send_completion_entries) == 32);
static_assert(offsetof(QueuePairLayout, receive_completion_entries) == 36);
static_assert(offsetof(QueuePairLayout, doorbell_bit) == 40);
static_assert(offsetof(QueuePairLayout, ready_bit) == 44 && offsetof(QueuePairLayout, id) == 48);
static_assert(offsetof(QueuePairLayout, state) == 64 && offsetof(QueuePairLayout, reason) == 68);
static_assert(offsetof(QueuePairLayout, attention) == 72);
static_assert(offsetof(QueuePairLayout, executor) == 76);
static_assert(offsetof(QueuePairLayout, send_taken) == 80);
static_assert(offsetof(QueuePairLayout, revocations) == 88);
static_assert(offsetof(QueuePairLayout, send_completions_read) == 128);
static_assert(offsetof(QueuePairLayout, receive_completions_read) == 136);
static_assert(offsetof(QueuePairLayout, polled) == 144);
static_assert(offsetof(QueuePairLayout, open) == 148);
static_assert(offsetof(QueuePairLayout, simple_receives) == 192);
static_assert(offsetof(QueuePairLayout, tally) == 200 && sizeof(Tally) == 48);
static_assert(offsetof(QueuePairLayout, simple_room) == 248);
static_assert(offsetof(Tally, operations) == 0 && offsetof(Tally, bytes) == 8);
static_assert(offsetof(Tally, errors) == 16 && offsetof(Tally, stalls) == 24);
static_assert(offsetof(Tally, stall_ns) == 32 && offsetof(Tally, waiting) == 40);
static_assert(offsetof(Tally, posted) == 44);

// Sizes of the four rings, each a power of two within [kMinRingEntries, kMaxRingEntries].
struct QueuePairShape {
    std::uint32_t send_entries;
    std::uint32_t receive_entries;
    std::uint32_t send_completion_entries;
    std::uint32_t receive_completion_entries;
};

// Byte offsets of the rings from the start of the memory, and its size, computed by both sides from
// the shape alone: nothing in shared memory says where a ring lies.
struct QueuePairOffsets {
    std::uint64_t send;
    std::uint64_t receive;
    std::uint64_t send_completions;
    std::uint64_t receive_completions;
    std::uint64_t total;
};

[[nodiscard]] constexpr QueuePairOffsets queue_pair_offsets(const QueuePairShape& shape) noexcept {
    QueuePairOffsets at{};
    at.send = sizeof(QueuePairLayout);
    at.receive = at.send + std::uint64_t{shape.send_entries} * kCacheLine;
    at.send_completions = at.receive + std::uint64_t{shape.receive_entries} * kCacheLine;
    at.receive_completions =
        at.send_completions + std::uint64_t{shape.send_completion_entries} * kCacheLine;
    const std::uint64_t end =
        at.receive_completions + std::uint64_t{shape.receive_completion_entries} * kCacheLine;
    at.total = (end + 4095) & ~std::uint64_t{4095};
    return at;
}

[[nodiscard]] constexpr bool valid_ring_entries(std::uint32_t entries) noexcept {
    return entries >= kMinRingEntries && entries <= kMaxRingEntries &&
           (entries & (entries - 1)) == 0;
}

}  // namespace causeway::abi
