#include "platform/wakeup.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>

#include "platform/socket.hpp"

namespace causeway::platform {

namespace {

constexpr int kMostDrained = 64;  // messages in one drain(): a flooding peer cannot hold us

}  // namespace

Result<std::pair<WakeupSocket, WakeupSocket>> WakeupSocket::make_pair() {
    // SEQPACKET: unlike DGRAM it tells when the peer has gone.
    CW_TRY_ASSIGN(auto ends, make_socket_pair());
    for (const UniqueFd* end : {&ends.first, &ends.second}) {
        const int least = 1;  // the kernel takes its minimum: a few messages
        if (::setsockopt(end->get(), SOL_SOCKET, SO_SNDBUF, &least, sizeof least) != 0) {
            return fail_errno("make the send buffer of a wake-up socket small", errno);
        }
    }
    return std::pair(WakeupSocket(std::move(ends.first)), WakeupSocket(std::move(ends.second)));
}

WakeupSocket::Notified WakeupSocket::notify() noexcept {
    const char byte = 1;
    for (;;) {
        if (::send(end_.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return Notified::sent;
        if (errno == EINTR)
            continue;
        // ENOBUFS, ENOMEM: the kernel is short of memory; the sleeper's time-out stands behind it.
        if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
            return Notified::pending;
        return Notified::peer_gone;
    }
}

WakeupSocket::Drained WakeupSocket::drain() noexcept {
    Drained drained = Drained::nothing;
    for (int i = 0; i < kMostDrained; ++i) {
        char bytes[16];
        // recv, not recvmsg: descriptors that came along are closed by the kernel.
        const ssize_t size = ::recv(end_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
        if (size > 0) {
            drained = Drained::some;
        } else if (size == 0) {
            return Drained::peer_gone;
        } else if (errno == EAGAIN) {
            return drained;
        } else if (errno != EINTR) {
            return Drained::peer_gone;
        }
    }
    return drained;
}

WakeupSocket::Waited WakeupSocket::wait(std::uint64_t timeout_ns) noexcept {
    pollfd waiter{.fd = end_.get(), .events = POLLIN, .revents = 0};
    timespec timeout{};
    timeout.tv_sec = static_cast<time_t>(timeout_ns / 1'000'000'000u);
    timeout.tv_nsec = static_cast<long>(timeout_ns % 1'000'000'000u);
    const int ready = ::ppoll(&waiter, 1, timeout_ns == UINT64_MAX ? nullptr : &timeout, nullptr);
    if (ready == 0)
        return Waited::timed_out;
    if (ready < 0)
        return Waited::woken;  // EINTR
    if ((waiter.revents & POLLIN) != 0 && (waiter.revents & POLLHUP) == 0)
        return Waited::woken;
    return Waited::peer_gone;
}

}  // namespace causeway::platform
