// Holdings: what a partition has at its adapter, with the descriptors by which it proves to the
// next adapter that these things are its own.
//
// Threading: the owner locks.
// Ownership: owns the files of doorbells, queue pairs and segments; borrows wake-up sockets and
// epoll sets, and the files of regions, whose memory keeps them.
//
// Invariants:
//  1. What is in here is known to the adapter, and is not being given back to it.
//  2. A socket is replaced under its number, so that a thread that polls the number is right with
//     the old end and with the new one.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::client {

enum class Kind : std::uint8_t { doorbell, region, queue_pair, listener, segment };

struct HeldDoorbell {
    std::uint32_t id = 0;
    platform::UniqueFd page;
    int socket = -1;           // this side's end
    int set = -1;              // the epoll set in which the socket is; -1: in none
    platform::UniqueFd fresh;  // the new end, while resuming
    bool rings = false;        // this side rings it; else it is rung
};

struct HeldRegion {
    std::uint32_t handle = 0;
    std::uint32_t generation = 0;
    std::vector<int> parts;  // files, in order
};

struct HeldQueuePair {
    std::uint32_t id = 0;
    platform::UniqueFd memory;
};

struct HeldSegment {
    std::uint32_t id = 0;  // of the opening
    platform::UniqueFd memory;
};

class Holdings {
public:
    void keep(HeldDoorbell doorbell) { doorbells_.push_back(std::move(doorbell)); }
    void keep(HeldRegion region) { regions_.push_back(std::move(region)); }
    void keep(HeldQueuePair pair) { queue_pairs_.push_back(std::move(pair)); }
    void keep(HeldSegment segment) { segments_.push_back(std::move(segment)); }
    // No-op for what is not in here.
    void drop(Kind kind, std::uint32_t id) noexcept;

    [[nodiscard]] HeldDoorbell* doorbell(std::uint32_t id) noexcept;
    [[nodiscard]] const HeldRegion* region(std::uint32_t handle) const noexcept;
    [[nodiscard]] const HeldQueuePair* queue_pair(std::uint32_t id) const noexcept;
    [[nodiscard]] const HeldSegment* segment(std::uint32_t id) const noexcept;
    [[nodiscard]] const std::vector<HeldSegment>& segments() const noexcept { return segments_; }
    [[nodiscard]] const std::vector<HeldDoorbell>& doorbells() const noexcept { return doorbells_; }
    [[nodiscard]] const std::vector<HeldRegion>& regions() const noexcept { return regions_; }
    [[nodiscard]] const std::vector<HeldQueuePair>& queue_pairs() const noexcept {
        return queue_pairs_;
    }

    // The doorbell's socket shows in the epoll set `set`, unless it is dead.
    [[nodiscard]] Result<void> watch(std::uint32_t id, int set, bool alive) noexcept;
    // The adapter has died: its sockets would keep their epoll sets awake for ever.
    void leave_sets() noexcept;
    // Puts the fresh ends in the places of the old ones, and back into their sets. Who was rung for
    // since the new adapter listens, by a socket that was dead, is woken now.
    [[nodiscard]] Result<void> renew_sockets() noexcept;
    void drop_fresh() noexcept;

    // A forked child: forgets what belongs to the parent.
    void abandon() noexcept;

private:
    std::vector<HeldDoorbell> doorbells_;
    std::vector<HeldRegion> regions_;
    std::vector<HeldQueuePair> queue_pairs_;
    std::vector<HeldSegment> segments_;
};

// Adds a wake-up socket to an epoll set, unless it is in there.
[[nodiscard]] Result<void> add_to_set(int set, int socket) noexcept;
// Puts a copy of `fresh` in the place of the open descriptor `number`, in one step.
[[nodiscard]] Result<void> replace_file(int fresh, int number) noexcept;

}  // namespace causeway::client
