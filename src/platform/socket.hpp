// Unix sockets of type SEQPACKET: whole messages, at most one descriptor with each.
//
// Threading: all functions may be called from any thread.
//
// Invariants:
//  1. Every descriptor made or received here is close-on-exec.
//  2. A message brings at most one descriptor into this process: the kernel drops the others at the
//     door, however many a peer sends, and the receiver is told.
//  3. No call raises SIGPIPE.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::platform {

enum class Blocking { no, yes };

// A listening, non-blocking socket at `path`, its file with `mode`. A socket file that nobody
// answers at any more is replaced; name_in_use if somebody answers or another kind of file is
// there.
[[nodiscard]] Result<UniqueFd> listen_at(const std::string& path, mode_t mode, int backlog = 64);

// A blocking connection. Errors: no_adapter (nothing there, or nobody answers), denied
// (permissions), invalid_argument (path too long), again (the listener's backlog is full; with
// Blocking::no that is not waited for).
[[nodiscard]] Result<UniqueFd> connect_to(const std::string& path,
                                          Blocking blocking = Blocking::yes);

// A non-blocking connection from a listener. Errors: again (nobody waits), limit_reached
// (descriptors: accept again later), system.
[[nodiscard]] Result<UniqueFd> accept_from(int listener);

// A pair of connected, non-blocking SEQPACKET sockets.
[[nodiscard]] Result<std::pair<UniqueFd, UniqueFd>> make_socket_pair();

[[nodiscard]] Result<void> set_blocking(int fd, Blocking blocking);

// Sends one message, and with it a copy of `descriptor` unless that is -1. Whatever the socket's
// own mode, Blocking::no does not wait. Errors: again (only with Blocking::no, or by the socket's
// own mode), peer_gone, system.
[[nodiscard]] Result<void> send_message(int fd, std::span<const std::byte> message,
                                        int descriptor = -1, Blocking blocking = Blocking::no);

struct Received {
    std::size_t size = 0;          // bytes in the buffer
    bool truncated = false;        // the message was longer than the buffer
    UniqueFd descriptor;           // if one came
    bool too_many = false;         // more than one came; the others are closed
    bool descriptor_lost = false;  // one came, but this process has no room for it (RLIMIT_NOFILE)
};

// One message. With Blocking::yes it waits until `deadline_ns` of monotonic_ns(), nullopt = for
// ever. Errors: again (Blocking::no, nothing there), timed_out, peer_gone (end of the connection,
// or an empty message without descriptor, which nobody honest sends), system.
[[nodiscard]] Result<Received> receive_message(
    int fd, std::span<std::byte> buffer, Blocking blocking = Blocking::no,
    std::optional<std::uint64_t> deadline_ns = std::nullopt);

// What a user or group looks like that is not mapped in this user namespace.
inline constexpr std::uint32_t kOverflowId = 65534;

struct Credentials {
    pid_t pid;  // 0: not visible from this PID namespace
    uid_t uid;  // or kOverflowId
    gid_t gid;  // the same
};
// Of the process that connected (or listened), as it was then.
[[nodiscard]] Result<Credentials> peer_credentials(int fd);

// A pidfd of the process that connected: readable when it has died. From SO_PEERPIDFD (Linux 6.5)
// or, without that, pidfd_open. Errors: unsupported where the kernel has neither, peer_gone when it
// has died already, not_found when it cannot be seen.
[[nodiscard]] Result<UniqueFd> peer_pidfd(int fd);

}  // namespace causeway::platform
