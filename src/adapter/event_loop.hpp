// EventLoop: epoll, and one handler per descriptor.
//
// Threading: the control thread. Ownership: borrows the descriptors; remove a watch before its
// descriptor is closed. Level-triggered: what a handler leaves unread comes again, behind the
// others that are ready.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::adapter {

class EventLoop {
public:
    using Watch = std::uint64_t;
    using Handler = std::function<void(std::uint32_t events)>;  // EPOLLIN, ...

    [[nodiscard]] static Result<std::unique_ptr<EventLoop>> create();
    explicit EventLoop(platform::UniqueFd epoll) noexcept : epoll_(std::move(epoll)) {}

    [[nodiscard]] Result<Watch> add(int fd, std::uint32_t events, Handler handler);
    // EPOLLHUP and EPOLLERR are reported whatever `events` says.
    void set_events(Watch watch, std::uint32_t events) noexcept;
    // Handlers of events that were fetched already are not called any more.
    void remove(Watch watch) noexcept;
    // Waits for events, at most `timeout_ms` (-1: for ever), and calls their handlers.
    [[nodiscard]] Result<void> run_once(int timeout_ms);

private:
    struct Entry {
        int fd;
        std::uint32_t events;
        Handler handler;
    };
    platform::UniqueFd epoll_;
    Watch next_ = 1;
    std::unordered_map<Watch, std::shared_ptr<Entry>> entries_;
};

}  // namespace causeway::adapter
