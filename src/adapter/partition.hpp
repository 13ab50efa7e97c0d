// A partition: what one attached session has. Plain records of the control thread; the fabric
// (fabric.hpp) keeps them consistent.
//
// Threading: control thread, except what a member's own header allows to movers.
#pragma once

#include <causeway/abi/control.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapter/bit_pool.hpp"
#include "adapter/direct.hpp"
#include "adapter/doorbell.hpp"
#include "adapter/end.hpp"
#include "adapter/journal.hpp"
#include "adapter/quota.hpp"
#include "adapter/region_memory.hpp"
#include "adapter/segments.hpp"
#include "adapter/totals.hpp"
#include "engine/region_table.hpp"
#include "platform/socket.hpp"

namespace causeway::adapter {

// A registered region. Movers hold pointers to `entry` between two of their quiescent points.
struct RegisteredRegion {
    explicit RegisteredRegion(RegionCell& cell) noexcept : entry(cell.append_offset), cell(&cell) {}

    std::uint32_t session = 0;
    std::uint64_t registered_bytes = 0;
    bool granted = false;  // a direct peer was given its memory
    engine::Region entry;
    RegionMemory memory;
    RegionCell* cell;
    std::vector<RegionFilesCell*> file_cells;
};

// A region whose parts are still coming.
struct PendingRegion {
    abi::RegisterRequest first{};
    std::vector<RegionFile> files;
    std::uint32_t known = 0;  // the handle under which the journal knows it; 0: it is a new one
};

struct DoorbellRecord {
    abi::DoorbellKind kind{};
    std::shared_ptr<Doorbell> doorbell;  // none: a bell between two partitions
    std::uint32_t bell = 0;              // its number, then
    BitPool ready_bits;                  // completions: one per queue pair that completes to it
    DoorbellCell* cell = nullptr;        // of a bell: none
};

struct QueuePair {
    // As far as the control thread has taken it; the end's own state follows when the mover acts.
    enum class Phase { idle, connecting, connected, closing };

    std::shared_ptr<End> end;
    std::uint32_t session = 0;
    std::uint32_t completions = 0;  // id of the doorbell
    std::uint64_t bytes = 0;        // of its memory
    Phase phase = Phase::idle;
    abi::Executor wanted = abi::Executor::any;
    abi::Executor executor = abi::Executor::any;
    std::string peer;  // partition
    std::uint32_t peer_id = 0;
    Inbound inbound;              // direct
    std::uint32_t unfetched = 0;  // direct: inbound memories that this end has still to fetch
    std::uint32_t bell_in = 0;    // direct: by which the peer rings this end's completion queue
    std::string service;
    std::string why;
    // connecting: at whose listener it waits
    std::uint32_t listening_session = 0;
    std::uint32_t listener = 0;
    std::uint64_t controller = 0;  // connected: the one that it is counted at as a user; 0: none
    bool accepted = false;         // it is the accepting end
    bool cut = false;              // connected once, and not allowed any more
    // Brought back by resuming: where its connection stands is taken up when its peer is back, too.
    bool unsettled = false;
    bool repeatable = false;  // resuming: its connect or accept may have gone unanswered
};

struct Listener {
    std::string service;
    std::uint32_t backlog = 0;
    std::deque<std::uint32_t> waiting;  // queue pairs that want to connect, first come first
    ListenerCell* cell = nullptr;
};

// A number that is not zero and not in use; numbers come back only after all others were used.
template<typename Map>
[[nodiscard]] std::uint32_t next_id(std::uint32_t& last, const Map& used) {
    do {
        ++last;
    } while (last == 0 || used.count(last) != 0);
    return last;
}

// What the journal knows of a session whose partition is to come back.
struct Estate {
    PartitionCell* partition = nullptr;
    std::map<std::uint32_t, DoorbellCell*> doorbells;                     // by id
    std::map<std::uint32_t, RegionCell*> regions;                         // by handle
    std::map<std::uint32_t, std::vector<RegionFilesCell*>> region_files;  // by handle, in order
    std::map<std::uint32_t, ListenerCell*> listeners;
    std::map<std::uint32_t, QueuePairCell*> queue_pairs;
    std::map<std::uint32_t, SegmentCell*> segments;  // openings, by id
    std::map<std::uint32_t, std::string> withdrawn;  // as of a partition
};

struct Partition {
    std::uint32_t session = 0;
    std::string name;
    std::string entrance;  // empty: the open one
    platform::Credentials credentials{};
    std::uint64_t user_namespace = 0;  // of its process; 0: not known
    bool ending = false;
    std::unique_ptr<Estate> resuming;  // what it has not brought yet
    std::uint64_t resuming_since_ns = 0;
    PartitionCell* cell = nullptr;
    Terms terms;
    Usage usage;
    // terms.weight, where movers see it.
    std::shared_ptr<std::atomic<std::uint32_t>> weight =
        std::make_shared<std::atomic<std::uint32_t>>(terms.weight);

    std::shared_ptr<engine::RegionTable> table = std::make_shared<engine::RegionTable>();
    PartitionTotals gone_pairs;  // what queue pairs have done that are gone

    std::map<std::uint32_t, std::shared_ptr<RegisteredRegion>> regions;  // by handle
    std::optional<PendingRegion> pending_region;
    std::map<std::uint32_t, DoorbellRecord> doorbells;       // by id, those that it has opened
    std::shared_ptr<Doorbell> events;                        // made with the first need
    std::optional<std::uint32_t> mover;                      // of its queue pairs; none yet
    std::vector<BitPool> mover_bits;                         // by mover: doorbell bits of its ends
    std::vector<std::shared_ptr<Doorbell>> mover_doorbells;  // by mover, made with the first need
    std::set<std::uint32_t> queue_pairs;
    std::map<std::uint32_t, Listener> listeners;
    std::map<std::string, std::uint32_t, std::less<>> services;  // -> listener
    std::map<std::uint32_t, std::string> withdrawn;    // controllers' listeners, by id: why
    std::map<std::uint32_t, SegmentOpening> segments;  // by id
    std::uint32_t last_segment = 0;
    std::uint32_t last_doorbell = 0;
    std::uint32_t last_listener = 0;
    std::uint32_t unconfirmed_listener = 0;  // resumed: made, and perhaps never told of

    // May everything that it has registered be granted, and is there anything?
    [[nodiscard]] bool all_exportable() const {
        for (const auto& [handle, region] : regions) {
            if ((region->entry.rights & abi::right::kExportable) == 0)
                return false;
        }
        return !regions.empty();
    }
    [[nodiscard]] std::string_view entrance_label() const {
        return entrance.empty() ? std::string_view("open") : std::string_view(entrance);
    }
};

}  // namespace causeway::adapter
