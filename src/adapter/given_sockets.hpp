// Sockets at which a service manager listens for the daemon (the protocol of sd_listen_fds(3)): who
// connects before the daemon runs, or between two of them, waits there instead of failing.
//
// Threading: control thread. Ownership: owns each socket until it is taken.
//
// Invariants:
//  1. Every socket here listens, is a Unix socket of type SEQPACKET, and has a path.
//  2. None blocks, and none is inherited by a program that the daemon would start.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::adapter {

inline constexpr int kFirstGivenSocket = 3;

class GivenSockets {
public:
    // $LISTEN_FDS sockets, counted from `first`, if $LISTEN_PID names this process; none where the
    // variables are not set, or meant for another process. The variables are removed.
    // Errors: invalid_argument (a variable that makes no sense, a descriptor that is no such
    // socket).
    [[nodiscard]] static Result<GivenSockets> from_environment(int first = kFirstGivenSocket);

    // The socket whose file is the one at `path`, however either path is written; an empty one
    // where none is.
    [[nodiscard]] platform::UniqueFd take(const std::string& path);

    // One that was taken is not needed now.
    void give_back(std::string path, platform::UniqueFd fd) {
        sockets_.push_back({.path = std::move(path), .fd = std::move(fd)});
    }

    // Errors: invalid_argument if a socket is left that nobody took: nobody would ever answer
    // there.
    [[nodiscard]] Result<void> check_all_taken(const std::string& runtime_directory) const;

private:
    struct Socket {
        std::string path;
        platform::UniqueFd fd;
    };
    [[nodiscard]] Result<void> add(int fd);

    std::vector<Socket> sockets_;
};

}  // namespace causeway::adapter
