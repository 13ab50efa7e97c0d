// The direct executor of one queue pair (Fig 12): this partition's own library runs the engine on
// what it posted, copies straight into the peer's memory, and receives through memory that only the
// two peers map.
//
//   post_send -> send queue (own memory) -> run(): engine::Flow -> peer's inbound memory
//             \-> send_small(), send_plain(), while nothing stands in the queue -/
//   peer's library -> own inbound memory -> QueuePair::take
//
// Threading: the thread of the queue pair.
// Ownership: owns both inbound mappings; shares the bells and the peer's granted regions. Borrows
// queue memory, completion queue and partition, which outlive it.
//
// Invariants:
//  1. What the peer can write is its own inbound memory, this end's inbound memory and the regions
//     granted to it. The send queue and its completions are in neither: nobody makes this library
//     execute what it did not post.
//  2. A sender that waits and is about to sleep says so in the peer's inbound memory first
//     (announce_wait), then looks again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "client/partition.hpp"
#include "client/peer_bells.hpp"
#include "client/peer_memory.hpp"
#include "engine/flow.hpp"
#include "platform/mapping.hpp"
#include "shm/queue_pair_view.hpp"

namespace causeway::client {

class CompletionQueue;

class DirectLane final : private engine::RegionSource {
public:
    // Of the connected queue pair `queue_pair`, whose memory is `own`; `posted` entries stand in
    // its send queue.
    [[nodiscard]] static Result<std::unique_ptr<DirectLane>> open(
        Partition& partition, CompletionQueue& completions, std::uint32_t queue_pair,
        const shm::QueuePairView& own, std::uint64_t posted, engine::Patience patience);
    ~DirectLane();
    DirectLane(const DirectLane&) = delete;
    DirectLane& operator=(const DirectLane&) = delete;

    // ---- receiving
    // The memory through which the peer's messages come.
    [[nodiscard]] const shm::QueuePairView& inbound() const noexcept { return inbound_; }
    // The receives stand in it: the peer may send.
    void begin() noexcept;
    // Receives were posted or completions taken: wakes the peer's sender if it sleeps for that.
    void tell_sender() noexcept {
        // SYNC(attention): pairs with the fence or barrier after announce_wait(): either the
        // sender's second look finds what was posted, or this load finds that it must be rung for.
        shm::order(ordering_);
        if ((inbound_layout_.attention.load(std::memory_order_relaxed) &
             abi::attention::kWantsReceive) != 0) {
            peer_bell_->ring(peer_ready_bit_);
        }
    }
    // How what this end publishes is ordered before its look at what the peer waits for.
    [[nodiscard]] shm::Ordering ordering() const noexcept { return ordering_; }

    // ---- sending
    // One more descriptor of `entries` entries stands in the send queue: executes what is posted,
    // until all is done or it has to wait.
    void posted(std::uint32_t entries) noexcept {
        posted_ += entries;
        run();
    }
    void run() noexcept;
    // Executes a Send that is not in the send queue, but takes up one entry of it, at once. False:
    // nothing has happened, it has to be posted.
    [[nodiscard]] bool send_small(const engine::SmallSend& send) noexcept {
        if (!free() || !flow_.send_small(send))
            return false;
        note_sent();
        return true;
    }
    // The same for one that is copied into the peer's receive, and may fail on the way.
    [[nodiscard]] engine::AtOnce send_plain(const engine::PlainSend& send) noexcept;
    // Is something posted that could not be executed yet?
    [[nodiscard]] bool waiting() const noexcept { return last_ != engine::Step::idle; }
    // May run() get further than the last time?
    [[nodiscard]] bool can_run() noexcept;
    void announce_wait() noexcept;
    // Memory of the peer's for use without a descriptor, which has `rights`. Errors: again (it
    // cannot be asked for now), denied (it is not granted), peer_gone.
    [[nodiscard]] ErrorCode reach(const abi::AddressSegment& remote, std::uint64_t length,
                                  std::uint32_t rights, Reached& out) noexcept;
    // Until when it waits at most; UINT64_MAX: the peer decides.
    [[nodiscard]] std::uint64_t deadline_ns() const noexcept { return flow_.deadline_ns(); }
    // The peer posted what breaks the format, or claims regions that it does not have.
    [[nodiscard]] bool broken() const noexcept { return last_ == engine::Step::broken; }
    // A new adapter is there: what the peer deregistered meanwhile it cannot have told.
    void forget_grants() noexcept;
    // Has the peer ended its side of the bell that it rings? Known only once somebody has tried.
    [[nodiscard]] bool peer_hung_up() const noexcept;
    // The queue pair has ended: nothing is executed any more.
    void stop() noexcept;
    void abandon() noexcept;

private:
    struct Side {
        platform::Mapping memory;
        shm::QueuePairView view;
        abi::OpenDirectReply terms;
    };
    DirectLane(Partition& partition, CompletionQueue& completions, std::uint32_t queue_pair,
               const shm::QueuePairView& own, std::uint64_t posted, engine::Patience patience,
               Side inbound, Side peer, BellShare bell_in, std::shared_ptr<WakerBell> peer_bell,
               std::shared_ptr<PeerMemory> peer_memory);
    [[nodiscard]] static Result<Side> fetch(Partition& partition, std::uint32_t queue_pair,
                                            abi::DirectSide which);
    [[nodiscard]] std::optional<abi::Status> obtain(std::uint32_t handle,
                                                    engine::Claim claim) noexcept override;
    [[nodiscard]] bool can_ask() const noexcept;
    [[nodiscard]] bool peer_is_open() noexcept;
    // May a send be executed that does not stand in the queue? Everything that does has ended.
    [[nodiscard]] bool free() const noexcept {
        return last_ == engine::Step::idle && peer_open_ && !stopped_;
    }
    void note_sent() noexcept {
        ++posted_;
        from_.publish_taken_lazily();
        tell_listings();
        tell_receiver();
    }
    void heed_revocations() noexcept;
    void tell_receiver() noexcept {
        // SYNC(polled): the ordering in sleeping() pairs with the peer's between clearing `polled`
        // (or announcing sleep) and its second look at the rings.
        const shm::Kick asleep = peer_bell_->sleeping(ordering_);
        if (peer_layout_.polled.load(std::memory_order_relaxed) == 0) {
            peer_bell_->ring(peer_ready_bit_);
        } else if (asleep == shm::Kick::yes) {
            peer_bell_->kick();
        }
    }
    // The adapter sees nothing of what a direct end does: the end tells it.
    void tell_listings() noexcept {
        const engine::Counters& counters = from_.counters;
        abi::Tally& tally = own_layout_.tally;
        tally.operations.store(counters.operations.load(), std::memory_order_relaxed);
        tally.bytes.store(counters.bytes.load(), std::memory_order_relaxed);
    }
    void tell_of_trouble() noexcept;

    Partition& partition_;
    CompletionQueue& completions_;
    const std::uint32_t queue_pair_;
    const BellShare bell_in_;
    const std::uint32_t peer_ready_bit_;
    const bool barriers_;  // this process is reached by the peer's barriers, and makes its own
    shm::Ordering ordering_ = shm::Ordering::fence;
    bool peer_open_ = false;
    bool announced_ = false;
    bool stopped_ = false;
    bool peer_overdid_ = false;  // see PeerMemory::overdone()
    std::uint32_t revocations_ = 0;
    std::uint64_t told_stalls_ = 0;
    std::uint64_t posted_;  // send entries so far: what is in the ring beyond it is from before
    engine::Step last_ = engine::Step::idle;
    std::shared_ptr<WakerBell> peer_bell_;
    std::shared_ptr<PeerMemory> peer_memory_;
    platform::Mapping inbound_memory_;
    platform::Mapping peer_inbound_memory_;
    shm::QueuePairView inbound_;
    abi::QueuePairLayout& own_layout_;      // of the queue pair's memory
    abi::QueuePairLayout& inbound_layout_;  // of this end's inbound memory
    abi::QueuePairLayout& peer_layout_;     // of the peer's inbound memory
    engine::Endpoint from_;
    engine::Endpoint to_;
    engine::StepContext context_;
    engine::Flow flow_;
};

}  // namespace causeway::client
