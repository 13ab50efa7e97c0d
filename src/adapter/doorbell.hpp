// The adapter's side of a doorbell: the sealed page, this end of its socketpair, and what is still
// to be handed to the partition.
//
// Threading: ring(), sleeping() and kick() from any thread; the waiter calls from one. The last
// owner may be on any thread, a mover's included: closing what may hang is left to `close_aside`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "adapter/journal_cells.hpp"
#include "base/result.hpp"
#include "platform/fd.hpp"
#include "platform/mapping.hpp"
#include "platform/wakeup.hpp"
#include "shm/doorbell.hpp"

namespace causeway::adapter {

// Takes a descriptor whose closing may hang for as long as a stranger pleases, and has it closed
// where that does no harm. May be called on any thread.
using CloseAside = std::function<void(platform::UniqueFd)>;

class Doorbell {
public:
    [[nodiscard]] static Result<std::shared_ptr<Doorbell>> create(CloseAside close_aside);
    // Takes over the page of one that an earlier daemon has made, with sockets of its own.
    [[nodiscard]] static Result<std::shared_ptr<Doorbell>> resume(const platform::UniqueFd& page,
                                                                  const JournaledFile& known,
                                                                  CloseAside close_aside);

    // Adapter as waker.
    void ring(std::uint32_t bit) noexcept {
        if (waker_.ring(bit) == shm::Kick::yes)
            kick();
    }
    // Whether the waiter sleeps, as of a point after everything that was published before.
    [[nodiscard]] shm::Kick sleeping() const noexcept { return waker_.sleeping(); }
    void kick() noexcept;
    // Adapter as waiter.
    [[nodiscard]] const shm::DoorbellWaiter& waiter() const noexcept { return waiter_; }
    [[nodiscard]] platform::WakeupSocket& socket() noexcept { return socket_; }

    // To be sent to the partition, once each: the page, and its end of the socketpair.
    platform::UniqueFd page_fd;
    platform::UniqueFd peer_socket_fd;

    Doorbell(platform::UniqueFd page_fd, platform::Mapping page, platform::WakeupSocket socket,
             platform::UniqueFd peer_socket_fd, CloseAside close_aside);
    ~Doorbell();

private:
    platform::Mapping page_;
    shm::DoorbellWaker waker_;
    shm::DoorbellWaiter waiter_;
    platform::WakeupSocket socket_;
    CloseAside close_aside_;
};

}  // namespace causeway::adapter
