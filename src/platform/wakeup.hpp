// WakeupSocket: one end of the socketpair by which one party wakes another out of its sleep.
//
// Threading: notify() and drain()/wait() may be used by different threads at once.
// Ownership: owns its end.
//
// Invariants:
//  1. notify() never blocks: it asks for that in each call, since the mode of the file is in reach
//     of the peer only for the peer's own end.
//  2. At most a handful of wake-ups are queued (small send buffer): a full queue means that one is
//     pending, which is as good as another one.
//  3. Whatever a peer sends into its end, drain() takes a bounded amount, and descriptors that come
//     along never enter this process. Nor are they dropped by drain(): the last reference to a file
//     may take its time to go (a socket that lingers). Of an end from make_pair() or
//     from_stranger() the kernel keeps them away, or else who sends one counts as gone.
#pragma once

#include <cstdint>
#include <utility>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::platform {

class WakeupSocket {
public:
    enum class Notified { sent, pending, peer_gone };
    enum class Drained { nothing, some, peer_gone };
    // woken also after a signal handler ran: the caller looks at what it waits for anyway.
    enum class Waited { woken, timed_out, peer_gone };

    WakeupSocket() noexcept = default;
    explicit WakeupSocket(UniqueFd end) noexcept : end_(std::move(end)) {}

    [[nodiscard]] static Result<std::pair<WakeupSocket, WakeupSocket>> make_pair();
    // An end that was handed over, where the holder of the other one is not to be believed.
    [[nodiscard]] static WakeupSocket from_stranger(UniqueFd end) noexcept;

    Notified notify() noexcept;
    Drained drain() noexcept;
    // Sleeps until something can be drained or `timeout_ns` have passed; does not drain.
    // A timeout of UINT64_MAX is for ever.
    [[nodiscard]] Waited wait(std::uint64_t timeout_ns) noexcept;

    // Could closing this end, on a kernel that does not keep descriptors away, drop some that were
    // sent and never taken? Then close it where waiting does no harm.
    [[nodiscard]] bool may_hold_descriptors() const noexcept;
    // Ends it for both sides. Returns the end itself where descriptors that were sent and never
    // taken still stand in it: closing it would wait for those.
    [[nodiscard]] UniqueFd retire() noexcept;
    // Has the other end been closed, or shut down?
    [[nodiscard]] bool hung_up() const noexcept;

    // For poll and epoll: readable = woken. Nobody but this object may read it.
    [[nodiscard]] int fd() const noexcept { return end_.get(); }
    [[nodiscard]] bool valid() const noexcept { return end_.valid(); }
    [[nodiscard]] UniqueFd release() noexcept { return std::move(end_); }

private:
    UniqueFd end_;
    bool may_bring_descriptors_ = false;
};

}  // namespace causeway::platform
