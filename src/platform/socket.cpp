#include "platform/socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "platform/clock.hpp"

namespace causeway::platform {

namespace {

#ifdef SO_PEERPIDFD
constexpr int kPeerPidfd = SO_PEERPIDFD;
#else
constexpr int kPeerPidfd = 77;
#endif
#ifdef SYS_pidfd_open
constexpr long kPidfdOpen = SYS_pidfd_open;
#else
constexpr long kPidfdOpen = 434;
#endif
constexpr time_t kConnectPatienceSeconds = 10;

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty())
        return fail(ErrorCode::invalid_argument, "the socket path is empty");
    if (path.find('\0') != std::string::npos) {
        return fail(ErrorCode::invalid_argument, "the socket path has a NUL byte inside");
    }
    if (path.size() >= sizeof address.sun_path) {
        return fail_format(ErrorCode::invalid_argument,
                           "socket path %s has %zu bytes; at most %zu fit: take a shorter "
                           "directory",
                           path.c_str(), path.size(), sizeof address.sun_path - 1);
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

const sockaddr* generic(const sockaddr_un& address) noexcept {
    return reinterpret_cast<const sockaddr*>(&address);
}

Result<UniqueFd> make_socket(int flags) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0));
    if (!fd)
        return fail_errno("make a Unix socket", errno);
    return fd;
}

// Something is at the path already: takes it away if it is a socket that nobody answers at.
Result<void> clear_stale(const std::string& path, const sockaddr_un& address) {
    struct statx facts {};
    if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &facts) != 0) {
        if (errno == ENOENT)
            return {};
        return fail_errno_format(errno, "look at %s", path.c_str());
    }
    if (!S_ISSOCK(facts.stx_mode)) {
        return fail_format(ErrorCode::name_in_use,
                           "%s exists and is no socket: remove it or take another directory",
                           path.c_str());
    }
    CW_TRY_ASSIGN(const UniqueFd probe, make_socket(SOCK_NONBLOCK));
    const bool refused =
        ::connect(probe.get(), generic(address), sizeof address) != 0 && errno == ECONNREFUSED;
    if (!refused) {
        return fail_format(ErrorCode::name_in_use,
                           "somebody listens at %s already: stop it or take another directory",
                           path.c_str());
    }
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return fail_errno_format(errno, "remove the stale socket %s", path.c_str());
    }
    return {};
}

tl::unexpected<Error> connect_failed(const std::string& path, int err) {
    switch (err) {
        case ENOENT:
        case ENOTDIR:
            return fail_format(ErrorCode::no_adapter, "there is no socket %s", path.c_str());
        case ECONNREFUSED:
            return fail_format(ErrorCode::no_adapter, "nobody listens at %s", path.c_str());
        case EACCES:
        case EPERM:
            return fail_format(ErrorCode::denied,
                               "this user (uid %u) may not connect to %s: check the permissions of "
                               "the socket and of the directories above it",
                               static_cast<unsigned>(::geteuid()), path.c_str());
        case EPROTOTYPE:
            return fail_format(ErrorCode::invalid_argument,
                               "%s is a socket of another type, not an adapter's", path.c_str());
        case EAGAIN:
            return fail_format(ErrorCode::again,
                               "who listens at %s is too busy to take another connection: try "
                               "again later",
                               path.c_str());
        default:
            return fail_errno_format(err, "connect to %s", path.c_str());
    }
}

// Takes the first descriptor of the control messages, closes any other; how many there were.
std::size_t take_descriptors(msghdr& message, UniqueFd& first) noexcept {
    std::size_t count = 0;
    for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
         control = CMSG_NXTHDR(&message, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t bytes = control->cmsg_len - CMSG_LEN(0);
        for (std::size_t i = 0; i + sizeof(int) <= bytes; i += sizeof(int), ++count) {
            int raw = -1;
            std::memcpy(&raw, CMSG_DATA(control) + i, sizeof raw);
            UniqueFd fd(raw);
            if (!first)
                first = std::move(fd);
        }
    }
    return count;
}

// Waits until the socket can be read. Errors: timed_out, system.
Result<void> await_readable(int fd, std::optional<std::uint64_t> deadline_ns) {
    for (;;) {
        timespec left{};
        if (deadline_ns.has_value()) {
            const std::uint64_t now = monotonic_ns();
            if (now >= *deadline_ns)
                return fail(ErrorCode::timed_out, "no message came in time");
            const std::uint64_t ns = *deadline_ns - now;
            left.tv_sec = static_cast<time_t>(ns / 1'000'000'000u);
            left.tv_nsec = static_cast<long>(ns % 1'000'000'000u);
        }
        pollfd waiter{.fd = fd, .events = POLLIN, .revents = 0};
        const int ready = ::ppoll(&waiter, 1, deadline_ns.has_value() ? &left : nullptr, nullptr);
        if (ready > 0)
            return {};
        if (ready < 0 && errno != EINTR)
            return fail_errno("wait for a message", errno);
    }
}

}  // namespace

Result<UniqueFd> listen_at(const std::string& path, mode_t mode, int backlog) {
    CW_TRY_ASSIGN(const sockaddr_un address, address_of(path));
    CW_TRY(clear_stale(path, address));
    CW_TRY_ASSIGN(UniqueFd fd, make_socket(SOCK_NONBLOCK));
    if (::bind(fd.get(), generic(address), sizeof address) != 0) {
        if (errno == EADDRINUSE) {
            return fail_format(ErrorCode::name_in_use, "somebody made %s at the same moment",
                               path.c_str());
        }
        return fail_errno_format(errno, "bind %s", path.c_str());
    }
    // Nobody can connect before listen(): the file has its mode by then.
    if (::chmod(path.c_str(), mode) != 0 || ::listen(fd.get(), backlog) != 0) {
        const int err = errno;
        ::unlink(path.c_str());
        return fail_errno_format(err, "listen at %s", path.c_str());
    }
    return fd;
}

Result<UniqueFd> connect_to(const std::string& path, Blocking blocking) {
    CW_TRY_ASSIGN(const sockaddr_un address, address_of(path));
    CW_TRY_ASSIGN(UniqueFd fd, make_socket(blocking == Blocking::no ? SOCK_NONBLOCK : 0));
    // A full backlog makes connect() wait; this bounds it.
    timeval patience{.tv_sec = kConnectPatienceSeconds, .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    int err = 0;
    do {
        err = ::connect(fd.get(), generic(address), sizeof address) == 0 ? 0 : errno;
    } while (err == EINTR);
    if (err != 0)
        return connect_failed(path, err);
    patience = {};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (blocking == Blocking::no)
        CW_TRY(set_blocking(fd.get(), Blocking::yes));
    return fd;
}

Result<UniqueFd> accept_from(int listener) {
    for (;;) {
        UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (fd)
            return fd;
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EAGAIN)
            return fail(ErrorCode::again, "no connection waits");
        return fail_errno("accept a connection", errno);
    }
}

Result<std::pair<UniqueFd, UniqueFd>> make_socket_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        return fail_errno("make a socket pair", errno);
    }
    return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Result<void> set_blocking(int fd, Blocking blocking) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0)
        return fail_errno("fcntl F_GETFL", errno);
    const int wanted = blocking == Blocking::yes ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    if (wanted != flags && ::fcntl(fd, F_SETFL, wanted) != 0) {
        return fail_errno("fcntl F_SETFL", errno);
    }
    return {};
}

Result<void> send_message(int fd, std::span<const std::byte> message, int descriptor,
                          Blocking blocking) {
    iovec part{const_cast<std::byte*>(message.data()), message.size()};  // NOLINT: sendmsg reads
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (descriptor >= 0) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        cmsghdr* const rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
    }
    const int flags = MSG_NOSIGNAL | (blocking == Blocking::no ? MSG_DONTWAIT : 0);
    for (;;) {
        if (::sendmsg(fd, &header, flags) >= 0)
            return {};
        if (errno == EINTR)
            continue;
        if (errno == ENOTCONN || errno == ECONNREFUSED) {
            return fail(ErrorCode::peer_gone, "send a message: nobody is connected");
        }
        return fail_errno_format(errno, "send a message of %zu bytes", message.size());
    }
}

Result<Received> receive_message(int fd, std::span<std::byte> buffer, Blocking blocking,
                                 std::optional<std::uint64_t> deadline_ns) {
    iovec part{buffer.data(), buffer.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    for (;;) {
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control;
        // CMSG_LEN, not CMSG_SPACE: with the padding, the kernel would let in a second descriptor.
        header.msg_controllen = CMSG_LEN(sizeof(int));
        const ssize_t size = ::recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN && blocking == Blocking::yes) {
            CW_TRY(await_readable(fd, deadline_ns));
            continue;
        }
        if (size < 0 && errno == EAGAIN)
            return fail(ErrorCode::again, "no message waits");
        if (size < 0)
            return fail_errno("receive a message", errno);

        Received received;
        received.size = static_cast<std::size_t>(size);
        received.truncated = (header.msg_flags & MSG_TRUNC) != 0;
        const std::size_t count = take_descriptors(header, received.descriptor);
        const bool cut = (header.msg_flags & MSG_CTRUNC) != 0;
        received.too_many = count > 1 || (cut && count == 1);
        received.descriptor_lost = cut && count == 0;
        // An empty message with a descriptor is handed on: closing a stranger's file may hang,
        // which is for the caller to arrange.
        if (size == 0 && !received.descriptor)
            return fail(ErrorCode::peer_gone, "the other end closed the connection");
        return received;
    }
}

Result<Credentials> peer_credentials(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return fail_errno("read the peer's credentials", errno);
    }
    return Credentials{.pid = peer.pid, .uid = peer.uid, .gid = peer.gid};
}

Result<UniqueFd> peer_pidfd(int fd) {
    int raw = -1;
    socklen_t size = sizeof raw;
    if (::getsockopt(fd, SOL_SOCKET, kPeerPidfd, &raw, &size) == 0)
        return UniqueFd(raw);
    if (errno == ESRCH || errno == EINVAL)
        return fail(ErrorCode::peer_gone, "the peer's process has died");
    if (errno == ENODATA)
        return fail(ErrorCode::not_found, "the peer's process cannot be seen");
    if (errno != ENOPROTOOPT)
        return fail_errno("get the peer's pidfd", errno);

    // Before Linux 6.5: by number. Should that number be another process by now, its death says
    // nothing, and the end of the connection still does.
    CW_TRY_ASSIGN(const Credentials peer, peer_credentials(fd));
    if (peer.pid <= 0) {
        return fail(ErrorCode::not_found, "the peer's process cannot be seen from here");
    }
    UniqueFd pidfd(static_cast<int>(::syscall(kPidfdOpen, peer.pid, 0)));
    if (pidfd)
        return pidfd;
    if (errno == ENOSYS)
        return fail(ErrorCode::unsupported, "this kernel has no pidfds");
    if (errno == ESRCH)
        return fail(ErrorCode::peer_gone, "the peer's process has died");
    return fail_errno_format(errno, "pidfd_open %d", static_cast<int>(peer.pid));
}

}  // namespace causeway::platform
