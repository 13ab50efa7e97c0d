// The doorbells by which direct peers ring one completion queue: a page and a socket per peer.
//
// Threading: the completion queue's thread.
// Ownership: owns pages and sockets; the descriptor in which all sockets are waited for as well.
//
// Invariants:
//  1. A peer can mark bits and send bytes on its own page and socket only; both are hints.
//  2. A bell stays as long as the completion queue and the peer are there, whether it has shares or
//     not: the adapter names the same bell to the next connection with that peer.
//  3. One look() looks at kBellsPerLook pages at most, in turn, so that many peers cost a poll
//     little. Before a sleep all are looked at (rung()).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "client/partition.hpp"
#include "platform/fd.hpp"
#include "platform/mapping.hpp"
#include "platform/membarrier.hpp"
#include "platform/wakeup.hpp"
#include "shm/doorbell.hpp"

namespace causeway::client {

// A share in a bell: under which number, and of which adapter.
struct BellShare {
    std::uint32_t epoch = 0;
    std::uint32_t number = 0;
    [[nodiscard]] bool operator==(const BellShare&) const = default;
};

class PeerBells {
public:
    static constexpr std::uint32_t kBellsPerLook = 8;

    // `pulse` (may be -1) shows at fd(), too. So does the completion queue's own socket, for which
    // somebody else sees to it (Attachment::watch).
    [[nodiscard]] Result<void> open(int pulse);
    // fd() is readable when one of the sockets is, or the pulse.
    [[nodiscard]] int fd() const noexcept { return poll_.get(); }
    [[nodiscard]] bool empty() const noexcept { return bells_.empty(); }

    // Opens the bell that the adapter of now knows as `number`, or takes another share in it.
    [[nodiscard]] Result<BellShare> add(Partition& partition, std::uint32_t number);
    void remove(Partition& partition, BellShare share) noexcept;
    // Found out by drain().
    [[nodiscard]] bool hung_up(BellShare share) const noexcept;
    // The adapter has gone for good: fd() shows the peers alone.
    void leave(int file) noexcept;
    // The completion queue is going.
    void close(Partition& partition) noexcept;
    // A forked child: lets everything lie.
    void abandon() noexcept;

    // Looks at the next pages in turn: is one of them marked? Then take().
    [[nodiscard]] bool look() noexcept {
        const std::uint32_t count = pages_in_a_look();
        for (std::uint32_t looked = 0; looked < count; ++looked) {
            if (bells_[next_]->waiter.rung())
                return true;
            advance();
        }
        return false;
    }
    // The marks of what look() has found, and of the pages after it.
    template<typename F>
    void take(F&& each) {
        const std::uint32_t count = pages_in_a_look();
        for (std::uint32_t looked = 0; looked < count; ++looked) {
            bells_[next_]->waiter.take(each);
            advance();
        }
    }
    [[nodiscard]] bool rung() const noexcept;
    // Without a fence: DoorbellWaiter::announce_sleep on the adapter's bell comes after these.
    void announce_sleep() noexcept;
    void announce_awake() noexcept;
    // The barrier on the peers' processors that they may rely on (Ordering::waiters_barrier).
    void barrier() const noexcept {
        if (!bells_.empty() && platform::register_for_membarrier())
            platform::membarrier_everywhere();
    }
    // Takes the bytes that have come. Have some come to the adapter's socket, which is not drained
    // here? (Nor is the pulse.)
    [[nodiscard]] bool drain() noexcept;
    // The sockets to sleep on, one by one: fd() is slower, since a wake-up passes two queues there.
    // At most kMostSockets; beyond that fd() alone. `adapter_socket` may be another file, or -1.
    static constexpr std::size_t kMostSockets = 8;
    [[nodiscard]] std::size_t sockets(int adapter_socket,
                                      std::span<int, kMostSockets + 1> out) const noexcept;

private:
    struct Bell {
        BellShare known_as;          // at the adapter, between the two partitions
        std::uint32_t doorbell = 0;  // at the adapter, for this partition
        std::uint32_t shares = 0;
        bool hung_up = false;  // nothing comes any more
        abi::DoorbellLayout* layout = nullptr;
        shm::DoorbellWaiter waiter;
        platform::Mapping page;
        platform::WakeupSocket socket;
    };

    [[nodiscard]] std::uint32_t pages_in_a_look() noexcept {
        const auto count = static_cast<std::uint32_t>(bells_.size());
        if (next_ >= count)
            next_ = 0;
        return std::min(count, kBellsPerLook);
    }
    void advance() noexcept { next_ = next_ + 1 < bells_.size() ? next_ + 1 : 0; }
    void forget_hung_up(Partition& partition);
    void end(Partition& partition, Bell& bell);

    platform::UniqueFd poll_;
    std::vector<std::unique_ptr<Bell>> bells_;
    std::uint32_t next_ = 0;
};

}  // namespace causeway::client
