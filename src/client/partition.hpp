// Partition: what an application attached. Control calls, events, the doorbells of the movers, and
// the index of its regions; how it holds on to its adapter is the business of Attachment.
//
// Threading: all functions may be called from any thread.
// Ownership: shared by the handle and by everything that was made from it, so that closing the
// partition leaves those objects with something to stand on; the connection ends with close().
//
// Invariants:
//  1. Once gone() is true it stays true: the adapter has ended for good, or the partition was
//     closed.
//  2. In a forked child nothing here is used but the destructor, which then only frees memory.
#pragma once

#include <causeway/abi/control.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "client/attachment.hpp"
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
    void open(platform::Mapping page, platform::WakeupSocket socket) noexcept {
        page_ = std::move(page);
        waker_ = shm::DoorbellWaker(page_.at<abi::DoorbellLayout>());
        socket_ = std::move(socket);
    }
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

// A doorbell as the adapter hands it out. Kinds other than bells of direct peers are in the
// partition's holdings: the socket keeps its number, until close_doorbell().
struct OpenedDoorbell {
    std::uint32_t id = 0;
    std::uint32_t epoch = 0;  // of the adapter that knows it
    platform::Mapping page;
    platform::WakeupSocket socket;
};

class Partition : public std::enable_shared_from_this<Partition> {
public:
    // `socket` and `name` may be empty, as in cw_attach_options. `patience_ns`: how long the
    // adapter may stay away; none: as the environment says, or kAdapterPatienceNs.
    [[nodiscard]] static Result<std::shared_ptr<Partition>> attach(
        const std::string& socket, const std::string& name,
        std::optional<std::uint64_t> patience_ns = {});
    Partition(ForkGuard guard, control::Channel channel, std::string socket);
    ~Partition();
    Partition(const Partition&) = delete;
    Partition& operator=(const Partition&) = delete;

    // Ends the connection: the adapter forgets everything of this partition.
    void close() noexcept;

    [[nodiscard]] bool here() const noexcept { return guard_.here(); }
    [[nodiscard]] const ForkGuard& guard() const noexcept { return guard_; }
    [[nodiscard]] Attachment& adapter() noexcept { return attachment_; }
    [[nodiscard]] const Attachment& adapter() const noexcept { return attachment_; }
    [[nodiscard]] bool gone() const noexcept { return attachment_.standing() == Standing::gone; }

    // wrong_state once closed, adapter_gone once that has ended for good.
    [[nodiscard]] Result<void> usable() const { return attachment_.usable(name_); }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::string& socket() const noexcept { return attachment_.path(); }
    [[nodiscard]] std::uint64_t max_bytes() const noexcept { return terms_.max_bytes; }
    [[nodiscard]] RegionIndex& regions() noexcept { return regions_; }

    // A control request and its reply; see control::Channel::call. While the adapter is away it
    // waits for the next one, within the partition's patience.
    template<control::Message Reply, control::Message Request>
    [[nodiscard]] Result<Reply> call(const Request& request) {
        return attachment_.transact(
            [&](control::Channel& channel) { return channel.call<Reply>(request); });
    }

    // Events, as in EventWaiter: a ticket is taken, then looked, then waited.
    [[nodiscard]] std::uint32_t event_ticket() const noexcept { return events_.ticket(); }
    // adapter_gone: for good.
    [[nodiscard]] EventWaiter::Waited await_event(std::uint32_t ticket,
                                                  std::uint64_t limit_ns) noexcept;
    [[nodiscard]] int event_fd() const noexcept { return events_.event_fd(); }
    void process_events() noexcept;
    // As process_events(), but the application's loop still sees them at event_fd().
    void look_at_events() noexcept;
    [[nodiscard]] bool events_rung() const noexcept { return events_.rung(); }
    // See EventWaiter::subscribe.
    [[nodiscard]] Result<void> subscribe_to_events(int file) { return events_.subscribe(file); }
    void unsubscribe_from_events(int file) noexcept { events_.unsubscribe(file); }

    [[nodiscard]] Result<OpenedDoorbell> open_doorbell(abi::DoorbellKind kind, std::uint32_t index);
    void close_doorbell(std::uint32_t id) noexcept;
    // Of a bell between direct peers, which only the adapter of that epoch knows.
    void close_peer_doorbell(std::uint32_t id, std::uint32_t epoch) noexcept;
    // The doorbell of mover `index`, opened at first use.
    [[nodiscard]] Result<WakerBell*> mover_bell(std::uint32_t index);

    // The bell by which this partition rings a direct peer's completion queue; `number` as the
    // adapter of now gave it. Shared by all that ring it, and kept as long as that queue is there:
    // the adapter names the same bell to the next connection.
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
    [[nodiscard]] Result<void> introduce(const std::string& name, std::uint64_t patience_ns);

    ForkGuard guard_;
    EventWaiter events_;
    Attachment attachment_;
    std::string name_;
    abi::AttachReply terms_{};  // of the first adapter
    std::mutex registration_lock_;
    RegionIndex regions_;
    std::mutex movers_lock_;
    std::vector<std::unique_ptr<WakerBell>> movers_;  // guarded by movers_lock_
    struct PeerBell {
        std::shared_ptr<WakerBell> bell;
        std::uint32_t doorbell = 0;  // at the adapter
    };
    using BellNumber = std::pair<std::uint32_t, std::uint32_t>;  // epoch, and number in it
    std::mutex bell_opening_lock_;                               // before peers_lock_
    std::mutex peers_lock_;
    std::map<BellNumber, PeerBell> peer_bells_;     // guarded by peers_lock_
    std::vector<platform::UniqueFd> kept_sockets_;  // guarded by peers_lock_
};

// How long a partition waits for the next adapter, unless told otherwise.
inline constexpr std::uint64_t kAdapterPatienceNs = 10'000'000'000;
// $CAUSEWAY_ADAPTER_PATIENCE, in seconds, with or without a fraction; none: not set. Errors:
// invalid_argument.
[[nodiscard]] Result<std::optional<std::uint64_t>> patience_of_environment();

// Maps a doorbell page or queue memory that the adapter handed out: `size` bytes, sealed.
[[nodiscard]] Result<platform::Mapping> map_handed_out(const platform::UniqueFd& memory,
                                                       std::uint64_t size);

}  // namespace causeway::client
