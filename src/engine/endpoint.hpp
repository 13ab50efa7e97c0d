// What the engine needs to know of one end of a queue pair, whoever executes.
//
// Threading: belongs to the executing thread, except Counters, which others may read.
// Ownership: borrows queue memory and region table; they outlive it.
#pragma once

#include <algorithm>
#include <atomic>
#include <causeway/abi/control.hpp>
#include <causeway/abi/descriptor.hpp>
#include <causeway/abi/status.hpp>
#include <cstdint>
#include <optional>

#include "engine/region_table.hpp"
#include "engine/trace.hpp"
#include "shm/queue_pair_view.hpp"

namespace causeway::engine {

// What a sender does while its peer has posted no receive.
struct Patience {
    abi::Patience kind = abi::Patience::block;
    std::uint64_t limit_ns = 0;  // bounded
};

// One writer, any readers.
class Counter {
public:
    void add(std::uint64_t n) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t load() const noexcept {
        return value_.load(std::memory_order_relaxed);
    }

private:
    std::atomic<std::uint64_t> value_{0};
};

// Of what this end's own descriptors have caused.
struct alignas(abi::kCacheLine) Counters {
    Counter operations;
    Counter bytes;
    Counter errors;
    Counter stalls;  // waits for a receive, for room among completions, or for an Append's lock
    Counter stall_ns;
    Counter mover_ns;
};

inline constexpr std::uint8_t kAllPermitted = 0xff;
[[nodiscard]] constexpr std::uint8_t permission(abi::Opcode opcode) noexcept {
    return static_cast<std::uint8_t>(1u << static_cast<unsigned>(opcode));
}

// Who named a region: the partition that executes, or its peer, in a receive.
enum class Claim : std::uint8_t { own, peers };

// Direct executor: obtains regions of the peer that are not in the table yet (Fig 12, step 1203).
class RegionSource {
public:
    // success: the region is in the table now. denied: its owner or the policy does not grant it.
    // peer_gone: nobody is there any more who could. Anything else: there is no such region. None:
    // it cannot be said now, the descriptor has to wait (Step::waits_region). A peer can claim
    // without end: what that costs is for the source to bound.
    [[nodiscard]] virtual std::optional<abi::Status> obtain(std::uint32_t handle,
                                                            Claim claim) noexcept = 0;

protected:
    ~RegionSource() = default;
};

class Endpoint {
public:
    Endpoint(const shm::QueuePairView& view, const RegionTable& regions, Patience patience)
        : regions(&regions),
          patience(patience),
          sends(view.send_consumer()),
          receives(view.receive_consumer()),
          layout_(&view.layout()),
          send_completions_(view.send_completer()),
          receive_completions_(view.receive_completer()) {}

    const RegionTable* regions;
    RegionSource* source = nullptr;  // none: the table holds all there is
    Patience patience;
    std::uint32_t number = 0;  // of the queue pair, network-wide: who wrote a record
    Trace* trace = nullptr;    // none: nobody goes on in this executor's place
    shm::DescriptorConsumer sends;
    shm::DescriptorConsumer receives;
    Counters counters;
    // What policy lets this end's descriptors do: a bit by opcode. Another thread may change it.
    std::atomic<std::uint8_t> permitted{kAllPermitted};
    std::uint8_t refused = 0;  // the opcode that was denied last; for whoever writes it down
    bool dirty = false;        // completions were published of which the partition was not told yet

    // ---- trace.cpp: `trace` must be set
    // Notes how far a flow has come: as its sender, as its receiver.
    // SYNC(trace): all with release, so that they are made in this order: an executor that dies
    // among them leaves what find_...() can tell from what it leaves before and behind them.
    void note_sent() const noexcept {
        trace->sends.store(sends.consumed(), std::memory_order_release);
        trace->send_completions.store(send_completions_.produced(), std::memory_order_release);
    }
    void note_received() const noexcept {
        const std::uint64_t completions = receive_completions_.produced();
        trace->receives.store(receives.consumed() | completions << 63, std::memory_order_release);
        trace->receive_completions.store(completions, std::memory_order_release);
    }
    // Takes up where the trace ends, on the same rings.
    void go_on() noexcept;
    // Has a completion been published that the trace does not know yet? Then it counts from now on;
    // true if it is of the descriptor `sequence` of the sender, and not of the one before.
    [[nodiscard]] bool find_send_completion(std::uint64_t sequence,
                                            abi::Completion& found) noexcept;
    [[nodiscard]] bool find_receive_completion(std::uint64_t sequence,
                                               abi::Completion& found) noexcept;
    // How many descriptors the next send takes up, of which only its completion is left.
    [[nodiscard]] std::uint32_t send_chain() const noexcept;

    // A completion may be published only where the partition's published index leaves room. The
    // index is the partition's word: room() clamps it, a false one starves that partition only.
    [[nodiscard]] bool can_complete_send() noexcept {
        return has_room(send_completions_, send_completions_read_, layout_->send_completions_read);
    }
    [[nodiscard]] bool can_complete_receive() noexcept {
        return has_room(receive_completions_, receive_completions_read_,
                        layout_->receive_completions_read);
    }
    // Is the next receive one entry with room for `length` bytes, at most kMaxInline? Costs no look
    // at the entry, and one at the partition's count only when all that were known are used up. A
    // false word hurts the partition that wrote it: it gets completions that it did not post for.
    [[nodiscard]] bool simple_receive(std::uint64_t length) noexcept {
        if (receives.consumed() >= simple_receives_ && !look_for_simple_receives())
            return false;
        return length <= simple_room_;
    }
    // Of this end's descriptor that comes next in its send queue; the flow that goes from here.
    void complete_send(abi::Status status, std::uint8_t opcode, std::uint32_t length,
                       std::uint64_t offset) noexcept {
        const std::uint64_t head =
            shm::completion_head(static_cast<std::uint8_t>(status), opcode, 0, sends.next_slot());
        send_completions_.publish({head, length, offset, sends.consumed()}, nullptr, 0);
        dirty = true;
    }
    // Of this end's next receive, by the descriptor `sequence` of its peer.
    struct Arrival {
        abi::Status status;
        std::uint8_t opcode;  // abi::Opcode
        std::uint8_t flags;   // abi::completion_flag
        std::uint32_t length;
        std::uint32_t immediate;
        std::uint64_t sequence;
        const std::uint64_t* payload = nullptr;  // with kPayload: zero behind `length` bytes
    };
    void complete_receive(const Arrival& arrival) noexcept {
        const std::uint64_t head =
            shm::completion_head(static_cast<std::uint8_t>(arrival.status), arrival.opcode,
                                 arrival.flags, receives.next_slot());
        const std::uint32_t words = arrival.payload != nullptr ? (arrival.length + 7) / 8 : 0;
        receive_completions_.publish(
            {head, shm::word_of(arrival.length, arrival.immediate), 0, arrival.sequence},
            arrival.payload, words);
        dirty = true;
    }
    // Tells the partition which send slots are free again. Lazily: a quarter of a ring late at
    // most, which leaves nobody waiting, since a ring that looks full then really holds three
    // quarters. Where a chain may need the whole ring it is told at once.
    void publish_taken() noexcept {
        taken_published_ = sends.consumed();
        layout_->send_taken.store(taken_published_, std::memory_order_release);
    }
    void publish_taken_lazily() noexcept {
        const std::uint32_t late = sends.entries() <= abi::kMaxChain ? 1 : sends.entries() / 4;
        if (sends.consumed() - taken_published_ >= late)
            publish_taken();
    }

private:
    [[nodiscard]] bool look_for_simple_receives() noexcept {
        // SYNC(simple-receives): acquire, pairs with the release in client/queue_pair_post.cpp: the
        // room is that of these receives, or less.
        const std::uint64_t count = layout_->simple_receives.load(std::memory_order_acquire);
        // At most a ring ahead: anything else is not a count of this ring.
        if (count - receives.consumed() - 1 >= receives.entries())
            return false;
        simple_receives_ = count;
        simple_room_ =
            std::min(layout_->simple_room.load(std::memory_order_relaxed), abi::kMaxInline);
        return true;
    }
    [[nodiscard]] static bool has_room(const shm::CompletionProducer& producer,
                                       std::uint64_t& cached,
                                       const std::atomic<std::uint64_t>& published) noexcept {
        if (producer.room(cached) != 0)
            return true;
        // SYNC(completions-read): acquire, pairs with the partition's release after it has copied
        // the slots out; forbids overwriting a completion that is still being read.
        cached = published.load(std::memory_order_acquire);
        return producer.room(cached) != 0;
    }

    abi::QueuePairLayout* layout_;
    shm::CompletionProducer send_completions_;
    shm::CompletionProducer receive_completions_;
    std::uint64_t send_completions_read_ = 0;
    std::uint64_t receive_completions_read_ = 0;
    std::uint64_t taken_published_ = 0;
    std::uint64_t simple_receives_ = 0;
    std::uint32_t simple_room_ = 0;
};

}  // namespace causeway::engine
