#include "adapter/notify.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/names.hpp"
#include "platform/fd.hpp"

namespace causeway::adapter {

Result<void> notify_manager(std::string_view state) {
    const char* path = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): never set
    if (path == nullptr || *path == '\0')
        return {};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = std::strlen(path);
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof address.sun_path) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("NOTIFY_SOCKET is '{}', which is no address of a Unix socket",
                                printable(path)));
    }
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';  // abstract
    const platform::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket)
        return fail_errno("socket for NOTIFY_SOCKET", errno);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    if (::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), size) < 0)
        return fail_errno_format(errno, "send to NOTIFY_SOCKET %s", printable(path).c_str());
    return {};
}

Result<void> notify_ready_fd(int fd) {
    const platform::UniqueFd owned(fd);
    ssize_t written = 0;
    do {
        written = ::write(owned.get(), "\n", 1);
    } while (written < 0 && errno == EINTR);
    if (written < 0)
        return fail_errno_format(errno, "write to --ready-fd %d", fd);
    return {};
}

}  // namespace causeway::adapter
