// Lane: one disk for any number of threads. A disk belongs to one thread at a time, and what makes
// a request dear is putting a thread to sleep and waking it: so one of the threads that wait (the
// leader) looks for results, for all of them; the others give the core away a few times, and sleep
// only if their own is not there by then.
//
// Threading: call() on any thread.
// Ownership: owns its disk. Requests, and their buffers, are the callers' until call() returns.
//
// Invariants:
//  1. As long as requests are outstanding, exactly one of the threads that wait for them leads.
//  2. What a thread waits for is decided under the lock; sleeping and waking is done without it.
//  3. Only the leader takes results while it sleeps, or is about to: else it would miss its bell.
#pragma once

#include <array>
#include <atomic>
#include <causeway/block.hpp>
#include <condition_variable>
#include <mutex>

namespace causeway::nbd {

// What became of a request.
struct Ended {
    int error = 0;              // errno; ESHUTDOWN: the lane has ended, another one may do it
    std::uint32_t extents = 0;  // that stand in its array
};

// Does whoever calls still wait for an answer?
using StillWanted = bool (*)();

class Lane {
public:
    Lane(block::Disk disk, StillWanted still_wanted);

    // Does the request, however many others do so at once.
    [[nodiscard]] Ended call(cw_disk_request request);

private:
    // A thread that waits for its request.
    struct Waiter {
        static constexpr std::uint32_t kDone = 1;    // its outcome is there
        static constexpr std::uint32_t kLeads = 2;   // it is to lead
        static constexpr std::uint32_t kSleeps = 4;  // or is about to: it has to be woken up
        // SYNC(lane-waiter): the bits are set under the lock, after what they tell of; the sleeper
        // that sees one without it sees that, too. After kDone a waiter may be gone any moment.
        std::atomic<std::uint32_t> state{0};
        Ended ended{};
        std::uint64_t bytes = 0;  // that it moves
        Waiter* next = nullptr;
        void sleep() noexcept;
        // Sets a bit; true: it has to be woken up.
        [[nodiscard]] bool tell(std::uint32_t bit) noexcept {
            return (state.fetch_or(bit, std::memory_order_acq_rel) & kSleeps) != 0;
        }
        [[nodiscard]] bool done() const noexcept {
            return (state.load(std::memory_order_acquire) & kDone) != 0;
        }
    };
    // Whom to wake once the lock is free. More are never taken at once.
    struct Wakings {
        std::array<std::atomic<std::uint32_t>*, 65> all;
        std::size_t count = 0;
        void add(Waiter& waiter) noexcept { all[count++] = &waiter.state; }
        void wake() noexcept;
    };
    using Lock = std::unique_lock<std::mutex>;

    [[nodiscard]] Ended submit(Lock& lock, const cw_disk_request& request, Waiter& self);
    void lead(Lock& lock, Waiter& self);
    [[nodiscard]] bool take(const Waiter& self, std::uint64_t timeout_ns, Wakings& wakings);
    void finish(Waiter& waiter, const Ended& ended, const Waiter& self, Wakings& wakings);
    void break_off(Waiter& self, Wakings& wakings);

    block::Disk disk_;
    StillWanted still_wanted_;
    int bell_;  // readable when there may be a result
    std::mutex mutex_;
    std::condition_variable room_;  // for one request more
    std::uint32_t depth_;
    std::uint32_t outstanding_ = 0;
    std::uint64_t moving_ = 0;  // bytes of these
    bool led_ = false;
    bool asleep_ = false;          // the leader, or it is about to be
    bool broken_ = false;          // nothing comes of this disk any more
    Waiter* followers_ = nullptr;  // whoever waits and does not lead
};

}  // namespace causeway::nbd
