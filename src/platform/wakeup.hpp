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
//     along never enter this process.
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

    Notified notify() noexcept;
    Drained drain() noexcept;
    // Sleeps until something can be drained or `timeout_ns` have passed; does not drain.
    // A timeout of UINT64_MAX is for ever.
    [[nodiscard]] Waited wait(std::uint64_t timeout_ns) noexcept;

    // For poll and epoll: readable = woken. Nobody but this object may read it.
    [[nodiscard]] int fd() const noexcept { return end_.get(); }
    [[nodiscard]] bool valid() const noexcept { return end_.valid(); }
    [[nodiscard]] UniqueFd release() noexcept { return std::move(end_); }

private:
    UniqueFd end_;
};

}  // namespace causeway::platform
