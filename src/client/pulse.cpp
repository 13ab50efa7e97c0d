#include "client/pulse.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>

#include "client/nap.hpp"

namespace causeway::client {

Result<void> Pulse::open() {
    set_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!set_)
        return fail_errno("epoll_create1 for a partition", errno);
    timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!timer_)
        return fail_errno("timerfd_create for a partition", errno);
    return watch(timer_.get());
}

void Pulse::at(std::uint64_t moment_ns) noexcept {
    if (!timer_)
        return;
    itimerspec when{};
    // Zero would be `off`; a moment that no timer can be set to is none that comes.
    when.it_value = timespec_of(std::clamp<std::uint64_t>(moment_ns, 1, INT64_MAX));
    (void)::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Pulse::off() noexcept {
    const itimerspec never{};
    if (timer_)
        (void)::timerfd_settime(timer_.get(), 0, &never, nullptr);
}

Result<void> Pulse::watch(int file) {
    epoll_event want{};
    want.events = EPOLLIN;
    if (set_ && ::epoll_ctl(set_.get(), EPOLL_CTL_ADD, file, &want) != 0)
        return fail_errno("watch what comes from the next adapter", errno);
    return {};
}

void Pulse::unwatch(int file) noexcept {
    if (set_)
        (void)::epoll_ctl(set_.get(), EPOLL_CTL_DEL, file, nullptr);
}

void Pulse::abandon() noexcept {
    (void)set_.release();
    (void)timer_.release();
}

}  // namespace causeway::client
