#include "io/network/netns.hpp"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <span>
#include <vector>

#include "base/names.hpp"
#include "platform/socket.hpp"

namespace causeway::io::network {

namespace {

using platform::UniqueFd;

constexpr std::size_t kMostReport = 2048;

Result<UniqueFd> open_namespace(const std::string& where) {
    const bool process =
        std::all_of(where.begin(), where.end(), [](char c) { return c >= '0' && c <= '9'; });
    std::string path = where;
    if (process)
        path = "/proc/" + where + "/ns/net";
    else if (where.find('/') == std::string::npos)
        path = "/run/netns/" + where;
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd)
        return fd;
    const int err = errno;
    const std::string shown = printable(where);
    if (err == ENOENT && process)
        return fail_format(ErrorCode::not_found, "network namespace of process %s: there is none",
                           shown.c_str());
    if (err == ENOENT)
        return fail_format(ErrorCode::not_found,
                           "network namespace %s: there is no %s; name a process, a path as "
                           "/proc/77/ns/net, or one of `ip netns`",
                           shown.c_str(), printable(path).c_str());
    return fail_errno_format(err, "network namespace %s: open %s", shown.c_str(),
                             printable(path).c_str());
}

tl::unexpected<Error> fail_enter(const std::string& where, int err) {
    const std::string shown = printable(where);
    if (err == EINVAL || err == ENOTTY)
        return fail_format(ErrorCode::invalid_argument, "%s is not a network namespace",
                           shown.c_str());
    if (err == EPERM)
        return fail_format(ErrorCode::denied,
                           "network namespace %s may not be entered: that takes CAP_SYS_ADMIN, or "
                           "a namespace that the same user made",
                           shown.c_str());
    return fail_errno_format(err, "enter network namespace %s", shown.c_str());
}

// Of the child: this does not come back.
Result<void> enter(const std::string& where) {
    CW_TRY_ASSIGN(const UniqueFd network, open_namespace(where));
    if (::setns(network.get(), CLONE_NEWNET) == 0)
        return {};
    if (errno != EPERM)
        return fail_enter(where, errno);
    const UniqueFd user(::ioctl(network.get(), NS_GET_USERNS));
    if (!user)
        return fail_enter(where, errno);
    // EINVAL: it is our own already, and we are not mighty enough in it.
    if (::setns(user.get(), CLONE_NEWUSER) != 0)
        return fail_enter(where, EPERM);
    if (::setns(network.get(), CLONE_NEWNET) != 0)
        return fail_enter(where, errno);
    return {};
}

// A report is the error's code and text; with code none, the descriptor comes with it.
void report(int socket, const Result<UniqueFd>& result) {
    const ErrorCode code = result.has_value() ? ErrorCode::none : result.error().code;
    std::vector<std::byte> bytes(sizeof code);
    std::memcpy(bytes.data(), &code, sizeof code);
    if (!result.has_value()) {
        const std::string& text = result.error().text;
        const std::size_t size = std::min(text.size(), kMostReport - sizeof code);
        bytes.resize(sizeof code + size);
        std::memcpy(bytes.data() + sizeof code, text.data(), size);
    }
    (void)platform::send_message(socket, bytes, result.has_value() ? result->get() : -1,
                                 platform::Blocking::yes);
}

[[noreturn]] void be_child(int socket, const std::string& where,
                           const std::function<Result<UniqueFd>()>& open) noexcept {
    try {
        const Result<void> entered = enter(where);
        report(socket,
               entered.has_value() ? open() : Result<UniqueFd>(tl::unexpected(entered.error())));
    } catch (const std::exception&) {
        ::_exit(1);
    }
    ::_exit(0);
}

Result<UniqueFd> take_report(int socket) {
    std::vector<std::byte> bytes(kMostReport);
    CW_TRY_ASSIGN(platform::Received received,
                  platform::receive_message(socket, bytes, platform::Blocking::yes));
    ErrorCode code{};
    if (received.size < sizeof code)
        return fail(ErrorCode::system, "a report of no length");
    std::memcpy(&code, bytes.data(), sizeof code);
    if (code != ErrorCode::none)
        return fail(code, std::string(reinterpret_cast<const char*>(bytes.data()) + sizeof code,
                                      received.size - sizeof code));
    if (!received.descriptor)
        return fail(ErrorCode::limit_reached,
                    "no room for another descriptor: raise the limit (ulimit -n)");
    return std::move(received.descriptor);
}

}  // namespace

Result<UniqueFd> open_within(const std::string& where,
                             const std::function<Result<UniqueFd>()>& open) {
    if (where.empty())
        return open();
    CW_TRY_ASSIGN(auto sockets, platform::make_socket_pair());
    const pid_t child = ::fork();
    if (child < 0)
        return fail_errno("fork, to enter a network namespace", errno);
    if (child == 0)
        be_child(sockets.second.get(), where, open);
    sockets.second.reset();
    Result<UniqueFd> result = take_report(sockets.first.get());
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {}
    if (!result.has_value() && result.error().code == ErrorCode::peer_gone)
        return fail_format(ErrorCode::system, "the process that entered network namespace %s died",
                           printable(where).c_str());
    return result;
}

}  // namespace causeway::io::network
