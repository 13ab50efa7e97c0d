// What stands in the journal: cells of 512 bytes, each about one thing that a partition has.
//
// Invariants:
//  1. `kind` is written last when a cell is filled, with release, and first when it is freed: what
//     a dead adapter leaves behind is whole or not there.
//  2. Cells change only where a later release of the same major version still reads them.
#pragma once

#include <atomic>
#include <causeway/abi/control.hpp>
#include <cstddef>
#include <cstdint>

#include "engine/trace.hpp"

namespace causeway::adapter {

inline constexpr std::size_t kCellSize = 512;

enum class CellKind : std::uint32_t {
    free = 0,
    partition = 1,
    doorbell = 2,
    region = 3,
    region_files = 4,
    listener = 5,
    queue_pair = 6,
    segment = 7,
};

struct CellHead {
    std::atomic<std::uint32_t> kind;  // CellKind
    std::uint32_t session;            // whose it is
};

// A file, as long as it is open somewhere.
struct JournaledFile {
    std::uint64_t device;
    std::uint64_t inode;
};

struct alignas(kCellSize) PartitionCell {
    static constexpr auto kKind = CellKind::partition;
    CellHead head;
    char name[abi::kNameSize];
    char entrance[abi::kNameSize];  // empty: the open one
    std::uint8_t token[abi::kTokenSize];
    std::uint64_t process_start;  // of process `pid`, in clock ticks since boot; 0: not known
    std::uint32_t pid;            // as the adapter sees it; 0: it does not
    std::uint32_t uid;
    std::uint32_t handle_uses;  // no slot of its region table has had more uses
    std::uint32_t last_doorbell;
    std::uint32_t last_listener;
    std::uint32_t unconfirmed_listener;  // made by its latest request; 0: that was another
};

struct alignas(kCellSize) DoorbellCell {
    static constexpr auto kKind = CellKind::doorbell;
    CellHead head;
    std::uint32_t id;
    std::uint32_t kind;   // abi::DoorbellKind
    std::uint32_t index;  // mover: which one
    std::uint32_t reserved;
    JournaledFile page;
};

struct alignas(kCellSize) RegionCell {
    static constexpr auto kKind = CellKind::region;
    CellHead head;
    std::uint32_t handle;
    std::uint32_t generation;
    std::uint32_t network_id;
    std::atomic<std::uint32_t> rights;
    std::uint64_t size;
    std::uint64_t address;
    std::uint64_t device;  // of all its files
    std::uint32_t parts;
    std::atomic<std::uint32_t> granted;
    std::atomic<std::uint64_t> append_offset;
};

struct alignas(kCellSize) RegionFilesCell {
    static constexpr auto kKind = CellKind::region_files;
    static constexpr std::uint32_t kMost = 60;
    CellHead head;
    std::uint32_t handle;
    std::uint32_t first;  // number of the first part here
    std::uint32_t count;
    std::uint32_t reserved;
    std::uint64_t inodes[kMost];
};

struct alignas(kCellSize) ListenerCell {
    static constexpr auto kKind = CellKind::listener;
    CellHead head;
    std::uint32_t id;
    std::uint32_t backlog;
    char service[abi::kNameSize];
    std::uint32_t controller;  // abi::ControllerType
};

struct alignas(kCellSize) QueuePairCell {
    static constexpr auto kKind = CellKind::queue_pair;
    CellHead head;
    std::uint32_t id;
    std::uint32_t completions;  // doorbell
    std::uint32_t mover;
    std::uint32_t doorbell_bit;
    std::uint32_t ready_bit;
    std::uint32_t patience;  // abi::Patience
    std::uint64_t patience_ns;
    abi::QueuePairShape shape;
    JournaledFile memory;
    // Written when it connects; `phase` last.
    std::uint32_t peer_id;
    std::uint32_t wanted;    // abi::Executor
    std::uint32_t executor;  // abi::Executor
    std::uint32_t listening_session;
    std::uint32_t listener;
    std::uint32_t accepted;  // 1: it is the accepting end
    std::uint32_t bell_in;
    std::atomic<std::uint32_t> unfetched;
    std::atomic<std::uint32_t> phase;  // QueuePair::Phase
    // The mover's.
    std::atomic<std::uint32_t> state;  // abi::QueuePairState
    std::atomic<std::uint32_t> reason;
    char peer[abi::kNameSize];
    char service[abi::kNameSize];
    char why[abi::kNameSize];
    engine::Trace trace;
};

// One opening of a segment.
struct alignas(kCellSize) SegmentCell {
    static constexpr auto kKind = CellKind::segment;
    CellHead head;
    std::uint32_t id;
    std::uint32_t access;  // abi::SegmentAccess
    std::uint32_t manner;  // abi::SegmentManner
    std::uint32_t reserved;
    std::uint64_t size;
    JournaledFile memory;
    char name[abi::kNameSize];
};

static_assert(sizeof(SegmentCell) == kCellSize);
static_assert(sizeof(PartitionCell) == kCellSize && sizeof(DoorbellCell) == kCellSize);
static_assert(sizeof(RegionCell) == kCellSize && sizeof(RegionFilesCell) == kCellSize);
static_assert(sizeof(ListenerCell) == kCellSize && sizeof(QueuePairCell) == kCellSize);
static_assert(offsetof(QueuePairCell, trace) == 320);

}  // namespace causeway::adapter
