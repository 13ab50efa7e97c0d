// Partition: the attachment to one adapter. Control calls, events, the doorbells of the movers, and
// the index of its regions.
//
// Threading: all functions may be called from any thread.
// Ownership: shared by the handle and by everything that was made from it, so that closing the
// partition leaves those objects with something to stand on; the connection ends with close().
//
// Invariants:
//  1. One control request is under way at a time (channel_lock_).
//  2. Once gone() is true it stays true: the adapter has ended, or the partition was closed.
//  3. In a forked child nothing here is used but the destructor, which then only frees memory.
#pragma once

#include <causeway/abi/control.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "client/event_waiter.hpp"
#include "client/fork_guard.hpp"
#include "client/region_index.hpp"
#include "control/channel.hpp"
#include "platform/fd.hpp"
#include "platform/mapping.hpp"
#include "platform/wakeup.hpp"
#include "shm/doorbell.hpp"

namespace causeway::client {

// This side of a doorbell at which somebody else waits: a mover, or a direct peer's completion
// queue.
class WakerBell {
public:
    WakerBell(platform::Mapping page, platform::WakeupSocket socket) noexcept
        : page_(std::move(page)),
          waker_(page_.at<abi::DoorbellLayout>()),
          socket_(std::move(socket)) {}

    // From any thread.
    void ring(std::uint32_t bit) noexcept {
        if (waker_.ring(bit) == shm::Kick::yes)
            (void)socket_.notify();
    }
    // Whether the waiter sleeps, as of a point after everything that was published before.
    [[nodiscard]] shm::Kick sleeping(shm::Ordering ordering) const noexcept {
        return waker_.sleeping(ordering);
    }
    void kick() noexcept { (void)socket_.notify(); }
    void abandon() noexcept {
        (void)page_.release();
        (void)socket_.release().release();
    }
    [[nodiscard]] bool hung_up() const noexcept { return socket_.hung_up(); }
    [[nodiscard]] platform::WakeupSocket& socket() noexcept { return socket_; }

private:
    platform::Mapping page_;
    shm::DoorbellWaker waker_;
    platform::WakeupSocket socket_;
};

// A doorbell as the adapter hands it out.
struct OpenedDoorbell {
    std::uint32_t id = 0;
    platform::Mapping page;
    platform::WakeupSocket socket;
};

class Partition : public std::enable_shared_from_this<Partition> {
public:
    // `socket` and `name` may be empty, as in cw_attach_options.
    [[nodiscard]] static Result<std::shared_ptr<Partition>> attach(const std::string& socket,
                                                                   const std::string& name);
    Partition(ForkGuard guard, control::Channel channel, std::string socket);
    ~Partition();
    Partition(const Partition&) = delete;
    Partition& operator=(const Partition&) = delete;

    // Ends the connection: the adapter forgets everything of this partition.
    void close() noexcept;

    [[nodiscard]] bool here() const noexcept { return guard_.here(); }
    [[nodiscard]] const ForkGuard& guard() const noexcept { return guard_; }
    [[nodiscard]] bool gone() const noexcept { return gone_.load(std::memory_order_acquire); }
    // Notes that the adapter has ended.
    void note_gone() noexcept;
    // A descriptor that hangs up with the adapter; valid as long as this object.
    [[nodiscard]] int liveness() const noexcept { return liveness_.get(); }

    // wrong_state once closed, adapter_gone once that has ended.
    [[nodiscard]] Result<void> usable() const;
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::string& socket() const noexcept { return socket_; }
    [[nodiscard]] std::uint64_t max_bytes() const noexcept { return terms_.max_bytes; }
    [[nodiscard]] RegionIndex& regions() noexcept { return regions_; }
    [[nodiscard]] EventWaiter& events() noexcept { return events_; }

    // A control request and its reply; see control::Channel::call.
    template<control::Message Reply, control::Message Request>
    [[nodiscard]] Result<Reply> call(const Request& request, int descriptor = -1,
                                     platform::UniqueFd* received = nullptr) {
        const std::lock_guard lock(channel_lock_);
        CW_TRY(usable());
        return checked(channel_->call<Reply>(request, descriptor, received));
    }
    template<control::Message Request>
    [[nodiscard]] Result<void> call_empty(const Request& request,
                                          platform::UniqueFd* received = nullptr) {
        const std::lock_guard lock(channel_lock_);
        CW_TRY(usable());
        return checked(channel_->call_empty(request, -1, received));
    }

    [[nodiscard]] Result<OpenedDoorbell> open_doorbell(abi::DoorbellKind kind, std::uint32_t index);
    void close_doorbell(std::uint32_t id) noexcept;
    // The doorbell of mover `index`, opened at first use.
    [[nodiscard]] Result<WakerBell*> mover_bell(std::uint32_t index);

    // The bell by which this partition rings a direct peer's completion queue; `number` as the
    // adapter gave it. Shared by all that ring it, and kept as long as that queue is there: the
    // adapter names the same bell to the next connection.
    [[nodiscard]] Result<std::shared_ptr<WakerBell>> peer_bell(std::uint32_t number);
    void release_peer_bell(std::shared_ptr<WakerBell> bell) noexcept;

    // Ends a socket whose other end a peer had. Where the peer has left descriptors in it, closing
    // it could wait for as long as the peer likes: such an end is kept until the process exits.
    void put_away(platform::WakeupSocket& socket);
    // limit_reached once peers have done that too often for more of their sockets to be taken.
    [[nodiscard]] Result<void> may_take_sockets();

    // Held while the parts of one region are registered, which must not mix with another's.
    [[nodiscard]] std::mutex& registration_lock() noexcept { return registration_lock_; }

private:
    void forget_hung_up_bells();
    [[nodiscard]] Result<void> introduce(const std::string& name);

    template<typename T>
    [[nodiscard]] Result<T> checked(Result<T> result) {
        if (!channel_->open())
            note_gone();
        return result;
    }

    ForkGuard guard_;
    // Guarded by channel_lock_. Apart, so that a forked child can leave it alone.
    std::unique_ptr<control::Channel> channel_;
    platform::UniqueFd liveness_;
    std::string socket_;
    std::string name_;
    abi::AttachReply terms_{};
    std::atomic<bool> gone_{false};
    std::atomic<bool> closed_{false};
    std::mutex channel_lock_;
    std::mutex registration_lock_;
    RegionIndex regions_;
    EventWaiter events_;
    std::mutex movers_lock_;
    std::vector<std::unique_ptr<WakerBell>> movers_;  // guarded by movers_lock_
    struct PeerBell {
        std::shared_ptr<WakerBell> bell;
        std::uint32_t doorbell = 0;  // at the adapter
    };
    std::mutex peers_lock_;
    std::map<std::uint32_t, PeerBell> peer_bells_;  // by number; guarded by peers_lock_
    std::vector<platform::UniqueFd> kept_sockets_;  // guarded by peers_lock_
};

// Maps a doorbell page or queue memory that the adapter handed out: `size` bytes, sealed.
[[nodiscard]] Result<platform::Mapping> map_handed_out(const platform::UniqueFd& memory,
                                                       std::uint64_t size);

}  // namespace causeway::client
