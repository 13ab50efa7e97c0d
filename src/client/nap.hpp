// Sleeping on a wake-up socket without missing the end of the adapter.
//
// Threading: may be called from any thread.
#pragma once

#include <poll.h>

#include <cstdint>
#include <ctime>

namespace causeway::client {

[[nodiscard]] inline timespec timespec_of(std::uint64_t ns) noexcept {
    timespec out{};
    out.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
    out.tv_nsec = static_cast<long>(ns % 1'000'000'000);
    return out;
}

enum class Nap { woken, timed_out, adapter_gone };

// Sleeps until `socket` is readable, `limit_ns` have passed, or the adapter hangs up either the
// socket or `liveness`, a descriptor of the control connection (whose replies are not looked at).
// A signal handler that ran counts as woken. Drains nothing.
[[nodiscard]] inline Nap nap_on(int socket, int liveness, std::uint64_t limit_ns) noexcept {
    constexpr short kEnd = POLLHUP | POLLERR | POLLNVAL;
    pollfd files[2] = {{.fd = socket, .events = POLLIN, .revents = 0},
                       {.fd = liveness, .events = 0, .revents = 0}};
    const timespec limit = timespec_of(limit_ns);
    const int ready = ::ppoll(files, 2, &limit, nullptr);
    if (ready == 0)
        return Nap::timed_out;
    if (ready < 0)
        return Nap::woken;  // EINTR
    if (((files[0].revents | files[1].revents) & kEnd) != 0)
        return Nap::adapter_gone;
    return Nap::woken;
}

}  // namespace causeway::client
