// QueuePair: one end of a connection, in the partition that owns it. Posts descriptors, takes and
// checks completions, and ends what will never complete.
//
// Threading: one thread at a time, the one that uses its completion queue.
// Ownership: owns its queue memory; shares its partition and completion queue.
//
// Invariants:
//  1. Posting and taking make no system call (but for waking a sleeping mover), take no lock and
//     allocate nothing.
//  2. Every posted descriptor ends exactly once: by a completion of the executor that passed all
//     checks, or, once nothing more can come (the state says refused or closed and the rings are
//     empty, the adapter has gone, a completion broke the rules), by being flushed here.
//  3. No value in queue memory reaches an assertion or an index unchecked.
//  4. Completions taken and not yet reported to the executor never leave less room in a completion
//     ring than there are descriptors outstanding.
#pragma once

#include <causeway/causeway.h>

#include <algorithm>
#include <causeway/abi/control.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "client/direct_lane.hpp"
#include "client/partition.hpp"
#include "client/posting.hpp"
#include "client/slot_ledger.hpp"
#include "platform/mapping.hpp"
#include "shm/queue_pair_view.hpp"

namespace causeway::client {

class CompletionQueue;
class QueuePair;

// Where a queue pair stands in its completion queue, which alone uses this.
struct CompletionLink {
    enum class Place : std::uint8_t { cold, pending, hot };
    Place place = Place::cold;
    std::uint32_t index = 0;  // among all pairs of the queue
    std::uint32_t idle_polls = 0;
    QueuePair* next_pending = nullptr;
};

struct QueuePairTerms {
    std::uint32_t send_entries = 64;
    std::uint32_t receive_entries = 64;
    abi::Patience patience = abi::Patience::block;
    std::uint64_t patience_ns = 0;
    abi::Executor executor = abi::Executor::any;  // wanted
    void* user = nullptr;

    // Twice as many receive completions as receives, so that also with all receives posted the
    // executor need not be told of every completion that was taken (invariant 4 of QueuePair).
    [[nodiscard]] abi::QueuePairShape shape() const noexcept {
        return {send_entries, receive_entries, send_entries,
                std::min(2 * receive_entries, std::max(receive_entries, abi::kMaxRingEntries))};
    }
};

// What goes into a send queue.
struct SendOrder {
    abi::Opcode opcode;
    std::uint64_t id;
    std::uint32_t flags;      // CW_UNSIGNALED, CW_FENCE, CW_IMMEDIATE
    std::uint32_t immediate;  // with CW_IMMEDIATE
    const cw_remote* remote;  // null for Send
};

class QueuePair {
public:
    // Throws std::bad_alloc only. open() must succeed before anything else is called.
    QueuePair(std::shared_ptr<Partition> partition, std::shared_ptr<CompletionQueue> completions,
              const QueuePairTerms& terms);
    [[nodiscard]] Result<void> open();
    ~QueuePair();
    QueuePair(const QueuePair&) = delete;
    QueuePair& operator=(const QueuePair&) = delete;

    [[nodiscard]] bool here() const noexcept { return guard_.here(); }

    // ---- queue_pair_connect.cpp
    [[nodiscard]] Result<void> connect(const std::string& target, std::uint64_t timeout_ns);
    // Takes the connection that waits longest at `listener`. Errors: again (none does).
    [[nodiscard]] Result<void> accept_from(std::uint32_t listener);
    [[nodiscard]] abi::QueuePairState state() const noexcept;
    [[nodiscard]] ErrorCode reason() const noexcept;  // of refused and closed
    // What the adapter's policy says of such descriptors (abi::Opcode) toward the peer.
    [[nodiscard]] Result<std::string> explain(std::uint32_t opcode);
    [[nodiscard]] const char* peer() const noexcept { return peer_.c_str(); }
    [[nodiscard]] const char* executor() const noexcept;

    // ---- queue_pair_post.cpp: the thread's error text is set where one is returned
    [[nodiscard]] ErrorCode post_send(const SendOrder& order, const cw_slice* slices,
                                      std::uint32_t count) noexcept;
    [[nodiscard]] ErrorCode post_receive(const cw_slice* slices, std::uint32_t count,
                                         std::uint64_t id) noexcept;

    // Memory of the peer's for use without a descriptor, see DirectLane. Errors: unsupported (the
    // executor is not direct).
    [[nodiscard]] ErrorCode reach(const abi::AddressSegment& remote, std::uint64_t length,
                                  std::uint32_t rights, Reached& out) noexcept {
        return lane_ ? lane_->reach(remote, length, rights, out) : ErrorCode::unsupported;
    }

    // ---- queue_pair_take.cpp: for the completion queue
    // Takes up to `most` completions; fewer means that there are no more now.
    [[nodiscard]] int take(cw_completion* out, int most) noexcept;
    // Has take() certainly nothing to do? Looks at the rings only: what happens to the connection
    // is rung for.
    [[nodiscard]] bool quiet() const noexcept {
        return !receive_completions_.ready() &&
               (send_ledger_.outstanding() == 0 || !send_completions_.ready()) &&
               end_ == End::none && !changed_ && !waits();
    }
    // Direct: does a send of its own wait for the peer?
    [[nodiscard]] bool waits() const noexcept { return lane_ && lane_->waiting(); }
    // Is there, or may there be, something for take()?
    [[nodiscard]] bool ready() noexcept;
    // The adapter rang for this pair: its state may have changed.
    void note_change() noexcept { changed_ = true; }
    void note_adapter_gone() noexcept;
    // A new adapter is there, and may have changed what it changes.
    void note_return() noexcept {
        if (lane_)
            lane_->forget_grants();
    }
    // Direct: the connection goes on without an adapter.
    [[nodiscard]] bool survives_adapter() const noexcept {
        return lane_ && end_ == End::none && !partition_->adapter().closed();
    }
    // Direct, with no adapter to say so.
    [[nodiscard]] bool lost_its_peer() const noexcept {
        return survives_adapter() && lane_->peer_hung_up();
    }
    void note_peer_gone() noexcept;
    void set_polled(bool polled) noexcept {
        inbound_->polled.store(polled ? 1 : 0, std::memory_order_relaxed);
        if (inbound_ != layout_)
            layout_->polled.store(polled ? 1 : 0, std::memory_order_relaxed);
    }
    // Direct, before a look at everything and a sleep: a waiting sender asks its peer to ring.
    void announce_wait() noexcept {
        if (lane_)
            lane_->announce_wait();
    }
    [[nodiscard]] std::uint64_t deadline_ns() const noexcept {
        return lane_ ? lane_->deadline_ns() : UINT64_MAX;
    }
    // Tells the executor of all completions that were taken.
    void publish_all_read() noexcept;

    [[nodiscard]] std::uint32_t ready_bit() const noexcept { return created_.ready_bit; }
    CompletionLink link;
    cw_queue_pair* handle = nullptr;  // as the application knows it

private:
    enum class End : std::uint8_t {
        none,
        draining,  // no more will come, but the rings still hold completions
        flushing,  // the rings are not looked at any more
    };
    struct Piece {  // of a posted receive, by ring slot
        std::byte* at = nullptr;
        std::uint32_t length = 0;
        std::uint32_t handle = 0;
    };
    using CompletionRing = shm::CompletionConsumer;

    [[nodiscard]] Result<void> adopt_reply(const platform::UniqueFd& memory);
    [[nodiscard]] Result<void> settle();
    [[nodiscard]] Result<void> go_direct();
    void settle_late() noexcept;
    [[nodiscard]] Result<void> outcome_of(const std::string& target) const;
    // Waits until the state is neither idle nor connecting; false on time-out.
    [[nodiscard]] bool await_outcome(std::uint64_t timeout_ns);
    [[nodiscard]] ErrorCode ended_error() const noexcept;
    [[nodiscard]] ErrorCode check_open(abi::QueuePairState least) noexcept;
    // Is it connected, so that nothing needs a look before a post?
    [[nodiscard]] bool may_post() const noexcept {
        // SYNC(queue-pair-state): as in state().
        return settled_ && end_ == End::none &&
               layout_->state.load(std::memory_order_acquire) ==
                   static_cast<std::uint32_t>(abi::QueuePairState::connected);
    }
    [[nodiscard]] bool reclaim_sends(std::uint32_t entries) noexcept;
    [[nodiscard]] ErrorCode no_room(const SlotLedger& ledger, std::uint32_t entries,
                                    const char* full) const noexcept;
    [[nodiscard]] bool send_at_once(const SendOrder& order, cw_slice slice) noexcept;
    [[nodiscard]] ErrorCode post_send_list(const SendOrder& order, const cw_slice* slices,
                                           std::uint32_t count) noexcept;
    [[nodiscard]] bool post_receive_of_one(cw_slice slice, std::uint64_t id) noexcept;
    [[nodiscard]] ErrorCode post_receive_list(const cw_slice* slices, std::uint32_t count,
                                              std::uint64_t id) noexcept;
    void note_receive(std::uint64_t id, std::uint32_t length, std::uint32_t entries) noexcept;
    void note_simple(std::uint32_t length, std::uint32_t entries) noexcept;
    void remember_pieces(const Gather& gather, std::uint32_t slot) noexcept;
    void keep_room(std::uint32_t used, const CompletionRing& ring, std::uint64_t& published,
                   std::atomic<std::uint64_t>& shared) noexcept;

    [[nodiscard]] int take_any(cw_completion* out, int most) noexcept;
    [[nodiscard]] int take_rings(cw_completion* out, int most) noexcept;
    [[nodiscard]] int take_sends(cw_completion* out, int most) noexcept;
    [[nodiscard]] int take_receives(cw_completion* out, int most) noexcept;
    [[nodiscard]] bool accept_send(std::uint64_t first, cw_completion& out) noexcept;
    [[nodiscard]] bool accept_receive(std::uint64_t first, cw_completion& out) noexcept;
    [[nodiscard]] bool scatter(std::uint32_t slot, const SlotRecord& record,
                               std::uint32_t length) noexcept;
    [[nodiscard]] bool scatter_widely(std::uint32_t slot, const SlotRecord& record,
                                      std::uint32_t length) noexcept;
    [[nodiscard]] int flush(cw_completion* out, int most) noexcept;
    void begin_end(End end, abi::QueuePairState state, ErrorCode reason) noexcept;
    [[nodiscard]] bool state_says_ended() const noexcept;
    void publish_read(const CompletionRing& ring, std::uint64_t& published,
                      std::atomic<std::uint64_t>& shared, std::uint32_t least) noexcept;
    void report(const SlotRecord& record, abi::Status status, std::uint8_t opcode,
                cw_completion& out) const noexcept;

    // Used by every post and poll.
    ForkGuard guard_;
    abi::QueuePairLayout* layout_ = nullptr;
    abi::QueuePairLayout* inbound_ = nullptr;  // of the memory through which messages come
    std::unique_ptr<DirectLane> lane_;         // executor direct
    RegionIndex* regions_;
    shm::DescriptorProducer sends_;
    shm::DescriptorProducer receives_;
    CompletionRing send_completions_;
    CompletionRing receive_completions_;
    SlotLedger send_ledger_;
    SlotLedger receive_ledger_;
    WakerBell* mover_ = nullptr;
    std::uint64_t sends_read_ = 0;  // as last published in the layout
    std::uint64_t receives_read_ = 0;
    End end_ = End::none;
    bool changed_ = false;
    bool settled_ = false;  // connected, and the executor is known
    bool receives_first_ = false;
    abi::QueuePairState end_state_ = abi::QueuePairState::closed;  // with end_ not none
    ErrorCode end_reason_ = ErrorCode::none;
    std::uint64_t complex_receives_ = 0;  // up to here one may be that note_simple() cannot count
    std::uint32_t simple_room_ = 0;       // as last published
    std::vector<Piece> pieces_;

    QueuePairTerms terms_;
    std::shared_ptr<Partition> partition_;
    std::shared_ptr<CompletionQueue> completions_;
    platform::Mapping memory_;
    abi::CreateQueuePairReply created_{};
    bool is_open_ = false;
    std::string peer_;
    const char* executor_ = "";
};

}  // namespace causeway::client
