// EventWaiter: the partition's side of the doorbell by which the adapter announces events, shared
// by any number of threads that wait for something to change, and by the application's event loop.
//
// Events are levels: whoever waits takes a ticket, looks at what it waits for (a queue pair's
// state, a connection wanted), and sleeps until the ticket is old.
//
// Threading: all functions may be called from any thread. One of the waiting threads at a time
// reads the socket; the others sleep on the ticket.
// Ownership: owns page, socket and the descriptor for the application's loop.
//
// Invariants:
//  1. What changed after a ticket was taken ends every wait on that ticket (the change comes before
//     its byte, the byte before the drain, the drain before the next ticket).
//  2. A byte read on behalf of a waiting thread still shows at event_fd() until process().
//  3. No wait sleeps longer than kNapNs at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/result.hpp"
#include "platform/fd.hpp"
#include "platform/mapping.hpp"
#include "platform/wakeup.hpp"
#include "shm/doorbell.hpp"

namespace causeway::client {

inline constexpr std::uint64_t kNapNs = 100'000'000;

class EventWaiter {
public:
    enum class Waited { changed, napped, adapter_gone };

    // `liveness`: a descriptor of the control connection, borrowed; it hangs up with the adapter.
    [[nodiscard]] Result<void> open(platform::Mapping page, platform::WakeupSocket socket,
                                    int liveness);

    [[nodiscard]] std::uint32_t ticket() const noexcept {
        return ticket_.load(std::memory_order_acquire);
    }
    // Sleeps until something changed since `ticket` was taken, `limit_ns` have passed or kNapNs.
    // adapter_gone: it has hung up, or stop() was called.
    [[nodiscard]] Waited wait(std::uint32_t ticket, std::uint64_t limit_ns) noexcept;

    // For poll and epoll: readable while there are events that process() has not cleared.
    [[nodiscard]] int event_fd() const noexcept { return epoll_.get(); }
    enum class Processed { well, adapter_gone };
    Processed process() noexcept;
    // Takes what has come on behalf of somebody in this process who is not the application's loop:
    // it still shows at event_fd().
    Processed look() noexcept;
    // Has the adapter rung since anybody looked? Costs a load.
    [[nodiscard]] bool rung() const noexcept { return bell_.rung(); }
    // `file`, an eventfd of somebody who waits at event_fd() too, and edge-triggered: it is written
    // to when process() takes away what showed there.
    [[nodiscard]] Result<void> subscribe(int file);
    void unsubscribe(int file) noexcept;
    // event_fd() is readable also while `file` is.
    [[nodiscard]] Result<void> also_watch(int file);
    // Makes everybody look again: the threads that wait, and the application's loop.
    void poke() noexcept;
    // Ends all waits, now and later.
    void stop() noexcept;

    // In a forked child: forgets what belongs to the parent.
    void abandon() noexcept;

private:
    enum class Drained { nothing, some, adapter_gone };
    [[nodiscard]] Drained drain() noexcept;
    [[nodiscard]] Drained take_turn() noexcept;
    void tell_subscribers() noexcept;
    void leave() noexcept;
    void renew_ticket() noexcept;

    platform::Mapping page_;
    shm::DoorbellWaiter bell_;
    platform::WakeupSocket socket_;
    platform::UniqueFd epoll_;
    platform::UniqueFd unseen_;  // eventfd: events that were drained, but not by process()
    int liveness_ = -1;
    std::atomic<std::uint32_t> ticket_{0};
    std::atomic<std::uint32_t> reading_{0};
    std::atomic<bool> stopped_{false};
    std::mutex subscribers_lock_;
    std::vector<int> subscribers_;  // guarded by subscribers_lock_
};

}  // namespace causeway::client
