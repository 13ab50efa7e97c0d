// Sleeping on a wake-up socket without missing the end of the adapter.
//
// Threading: may be called from any thread.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>

namespace causeway::client {

[[nodiscard]] inline timespec timespec_of(std::uint64_t ns) noexcept {
    timespec out{};
    out.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
    out.tv_nsec = static_cast<long>(ns % 1'000'000'000);
    return out;
}

enum class Nap { woken, timed_out, adapter_gone };

// Sleeps until one of `sockets` is readable, `limit_ns` have passed, or the adapter hangs up either
// the first of them, which is its own, or `liveness`, a descriptor of the control connection (whose
// replies are not looked at). A signal handler that ran counts as woken. Drains nothing.
[[nodiscard]] inline Nap nap_on(std::span<const int> sockets, int liveness,
                                std::uint64_t limit_ns) noexcept {
    constexpr short kEnd = POLLHUP | POLLERR | POLLNVAL;
    constexpr std::size_t kMost = 16;
    pollfd files[kMost];
    std::size_t count = 0;
    files[count++] = {.fd = liveness, .events = 0, .revents = 0};
    for (std::size_t i = 0; i < sockets.size() && count < kMost; ++i)
        files[count++] = {.fd = sockets[i], .events = POLLIN, .revents = 0};
    const timespec limit = timespec_of(limit_ns);
    const int ready = ::ppoll(files, count, &limit, nullptr);
    if (ready == 0)
        return Nap::timed_out;
    if (ready < 0)
        return Nap::woken;  // EINTR
    if (((files[0].revents | (count > 1 ? files[1].revents : 0)) & kEnd) != 0)
        return Nap::adapter_gone;
    return Nap::woken;
}
[[nodiscard]] inline Nap nap_on(int socket, int liveness, std::uint64_t limit_ns) noexcept {
    return nap_on(std::span<const int>(&socket, 1), liveness, limit_ns);
}

}  // namespace causeway::client
