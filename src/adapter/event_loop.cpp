#include "adapter/event_loop.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <utility>

namespace causeway::adapter {

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
    platform::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll)
        return fail_errno("epoll_create1", errno);
    return std::make_unique<EventLoop>(std::move(epoll));
}

Result<EventLoop::Watch> EventLoop::add(int fd, std::uint32_t events, Handler handler) {
    const Watch watch = next_++;
    epoll_event event{};
    event.events = events;
    event.data.u64 = watch;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0)
        return fail_errno("epoll_ctl", errno);
    entries_.emplace(watch, std::make_shared<Entry>(Entry{fd, events, std::move(handler)}));
    return watch;
}

void EventLoop::set_events(Watch watch, std::uint32_t events) noexcept {
    const auto found = entries_.find(watch);
    if (found == entries_.end() || found->second->events == events)
        return;
    epoll_event event{};
    event.events = events;
    event.data.u64 = watch;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, found->second->fd, &event) == 0)
        found->second->events = events;
}

void EventLoop::remove(Watch watch) noexcept {
    const auto found = entries_.find(watch);
    if (found == entries_.end())
        return;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second->fd, nullptr);
    entries_.erase(found);
}

Result<void> EventLoop::run_once(int timeout_ms) {
    std::array<epoll_event, 64> events{};
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
    if (count < 0) {
        if (errno == EINTR)
            return {};
        return fail_errno("epoll_wait", errno);
    }
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        const Watch watch = event.data.u64;  // a copy: the kernel's structure is packed
        const auto found = entries_.find(watch);
        if (found == entries_.end())
            continue;
        const std::shared_ptr<Entry> entry = found->second;  // outlives its own removal
        entry->handler(event.events);
    }
    return {};
}

}  // namespace causeway::adapter
