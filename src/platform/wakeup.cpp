#include "platform/wakeup.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>

#include "platform/socket.hpp"

namespace causeway::platform {

namespace {

constexpr int kMostDrained = 64;  // messages in one drain(): a flooding peer cannot hold us
#ifdef SO_PASSRIGHTS
constexpr int kPassRights = SO_PASSRIGHTS;
#else
constexpr int kPassRights = 83;
#endif

// Does a message with a descriptor wait? Looking does not take it.
bool descriptor_waits(int fd) noexcept {
    msghdr header{};  // no room for descriptors: the kernel says if there are any
    return ::recvmsg(fd, &header, MSG_PEEK | MSG_DONTWAIT) >= 0 &&
           (header.msg_flags & MSG_CTRUNC) != 0;
}

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
    return std::pair(from_stranger(std::move(ends.first)), from_stranger(std::move(ends.second)));
}

WakeupSocket WakeupSocket::from_stranger(UniqueFd end) noexcept {
    WakeupSocket socket(std::move(end));
    // Since Linux 6.16 the kernel refuses descriptors at the sender's door.
    const int none = 0;
    socket.may_bring_descriptors_ =
        ::setsockopt(socket.fd(), SOL_SOCKET, kPassRights, &none, sizeof none) != 0;
    return socket;
}

UniqueFd WakeupSocket::retire() noexcept {
    UniqueFd end = std::move(end_);
    if (!may_bring_descriptors_ || !end)
        return {};
    // From here on nothing comes any more; what is there is taken, up to the first descriptor.
    (void)::shutdown(end.get(), SHUT_RDWR);
    for (;;) {
        if (descriptor_waits(end.get()))
            return end;
        char byte = 0;
        const ssize_t size = ::recv(end.get(), &byte, 1, MSG_DONTWAIT);
        if (size == 0 || (size < 0 && errno != EINTR))
            return {};
    }
}

bool WakeupSocket::hung_up() const noexcept {
    pollfd look{.fd = end_.get(), .events = 0, .revents = 0};
    return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

bool WakeupSocket::may_hold_descriptors() const noexcept {
    pollfd look{.fd = end_.get(), .events = POLLIN, .revents = 0};
    return may_bring_descriptors_ && ::poll(&look, 1, 0) > 0 && (look.revents & POLLIN) != 0;
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
        if (may_bring_descriptors_ && descriptor_waits(end_.get()))
            return Drained::peer_gone;
        char bytes[16];
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
