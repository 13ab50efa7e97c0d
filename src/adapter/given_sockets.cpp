#include "adapter/given_sockets.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "base/names.hpp"
#include "platform/socket.hpp"

namespace causeway::adapter {
namespace {

constexpr int kMostSockets = 256;

// The variable's value, which is removed; nullopt where it is not set.
std::optional<std::string> take_variable(const char* name) {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): at start
    if (value == nullptr)
        return std::nullopt;
    std::string text = value;
    ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe)
    return text;
}

Result<int> number_in(const char* variable, std::string_view text, int most) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 1 || number > most) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} is '{}', which is no number from 1 to {}: a service manager "
                                "sets it; unset it where none is there",
                                variable, printable(text), most));
    }
    return number;
}

std::optional<int> socket_option(int fd, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(fd, SOL_SOCKET, option, &value, &size) != 0)
        return std::nullopt;
    return value;
}

// Empty where it has none.
std::string path_of(int fd) {
    sockaddr_un address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        address.sun_family != AF_UNIX || size <= offsetof(sockaddr_un, sun_path) ||
        address.sun_path[0] != '/')
        return {};
    const std::size_t most = size - offsetof(sockaddr_un, sun_path);
    return {address.sun_path, ::strnlen(address.sun_path, most)};
}

bool same_file(const std::string& one, const std::string& other) {
    struct stat first {};
    struct stat second {};
    return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

}  // namespace

Result<GivenSockets> GivenSockets::from_environment(int first) {
    const auto process = take_variable("LISTEN_PID");
    const auto count = take_variable("LISTEN_FDS");
    (void)take_variable("LISTEN_FDNAMES");
    GivenSockets given;
    if (!process || !count)
        return given;
    CW_TRY_ASSIGN(const int pid, number_in("LISTEN_PID", *process, 1 << 30));
    if (pid != ::getpid())
        return given;  // left by a process further up
    CW_TRY_ASSIGN(const int sockets, number_in("LISTEN_FDS", *count, kMostSockets));
    for (int fd = first; fd < first + sockets; ++fd)
        CW_TRY(given.add(fd));
    return given;
}

Result<void> GivenSockets::add(int fd) {
    if (::fcntl(fd, F_GETFD) < 0) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("LISTEN_FDS counts descriptor {}, which is not open: the service "
                                "manager and the program between it and this one must hand it on",
                                fd));
    }
    std::string path = path_of(fd);
    if (socket_option(fd, SO_TYPE) != SOCK_SEQPACKET || socket_option(fd, SO_ACCEPTCONN) != 1 ||
        path.empty()) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("descriptor {} from the service manager is no listening Unix "
                                "socket of type SEQPACKET with a path: write "
                                "ListenSequentialPacket=PATH into the socket unit",
                                fd));
    }
    platform::UniqueFd owned(fd);
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return fail_errno("fcntl F_SETFD", errno);
    CW_TRY(platform::set_blocking(fd, platform::Blocking::no));
    sockets_.push_back({.path = std::move(path), .fd = std::move(owned)});
    return {};
}

platform::UniqueFd GivenSockets::take(const std::string& path) {
    for (auto socket = sockets_.begin(); socket != sockets_.end(); ++socket) {
        if (same_file(socket->path, path)) {
            platform::UniqueFd fd = std::move(socket->fd);
            sockets_.erase(socket);
            return fd;
        }
    }
    return {};
}

Result<void> GivenSockets::check_all_taken(const std::string& runtime_directory) const {
    if (sockets_.empty())
        return {};
    return fail(ErrorCode::invalid_argument,
                fmt::format("the service manager listens at {}, which is no entrance of this "
                            "adapter: its sockets are in {}. Let ListenSequentialPacket= and "
                            "--runtime-dir agree; if they do, the socket's file was taken away: "
                            "restart the socket unit",
                            printable(sockets_.front().path), runtime_directory));
}

}  // namespace causeway::adapter
