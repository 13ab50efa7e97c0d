// A flow: one direction of a queue pair, and the engine that executes its descriptors. Translate,
// check, obtain the destination, move, complete on both sides (Fig 11, steps 1101-1107): every
// executor runs this code, on the endpoints that it is allowed to see.
//
//   from.sends -> take_send -> acquire (receive, rights, Append's lock) -> move, piece by piece
//              -> receiver's completion -> sender's completion
//
// The Sends of most applications need no wait and no question: send_small() and send_plain() take
// them over the same steps in one stretch, or leave everything as it was.
//
// Threading: one executing thread. Ownership: borrows both endpoints.
//
// Invariants:
//  1. One step does at most one piece of one descriptor; between steps the flow holds handles and
//     offsets, never pointers.
//  2. The receiver's completion is published before the sender's; both carry the sequence.
//  3. A descriptor that fails ends with a status; only one that breaks the format ends the queue
//     pair, and only on the side that wrote it (blame()).
//  4. An Append holds its region's lock from obtaining the offset to moving the last byte; the
//     offset advances only on success, so a failed Append leaves no gap. In an exportable region it
//     holds a reserved record instead, which a failure leaves closed.
#pragma once

#include <causeway/abi/completion.hpp>
#include <causeway/abi/status.hpp>
#include <cstdint>
#include <optional>

#include "engine/copy_pace.hpp"
#include "engine/endpoint.hpp"
#include "engine/format.hpp"
#include "engine/side.hpp"

namespace causeway::engine {

enum class Step : std::uint8_t {
    idle,           // nothing is posted
    progress,       // a piece was moved or a descriptor ended; there may be more
    waits_receive,  // the peer has posted no receive
    waits_room,     // a partition has not taken its completions
    waits_lock,     // Append: another flow holds the region's lock, or the log's end is far
    waits_region,   // its source cannot say now whether the peer's region can be had
    broken,         // one side broke the format: close the queue pair, see blame()
};

struct StepContext {
    // Monotonic, read at most some microseconds ago; 0: the clock is read when it matters.
    std::uint64_t now_ns = 0;
    CopyPlan copies{};
    std::uint64_t piece = 256 << 10;  // bytes at most in one step
};

// A Send of at most kMaxInline bytes, which travels in its receive's completion.
struct SmallSend {
    std::uint8_t flags;  // abi::descriptor_flag: kSignaled and kImmediate
    std::uint32_t immediate;
    std::uint32_t length;
    const std::uint64_t* payload;  // zero behind `length` bytes
};

// A Send of one segment, which does not travel in its receive's completion.
struct PlainSend {
    std::uint8_t flags;  // abi::descriptor_flag: kSignaled and kImmediate
    std::uint32_t immediate;
    abi::DataSegment segment;  // of the sender's
};

// What came of a Send that was to be executed in one stretch.
enum class AtOnce : std::uint8_t {
    no,  // nothing has changed: it has to be taken from the queue
    succeeded,
    failed,  // it has ended with an error, of which its sender hears
};

class Flow {
public:
    // `id` is not zero and unique among the flows that may Append to the same region.
    Flow(Endpoint& from, Endpoint& to, std::uint64_t id) noexcept : from_(from), to_(to), id_(id) {}
    Flow(const Flow&) = delete;
    Flow& operator=(const Flow&) = delete;

    // Never inlined into its caller's frame: it is left by a fault only inside its own guards.
    [[nodiscard]] Step step(const StepContext& context) noexcept;

    // Executes a Send in one stretch, for a receive that needs no look: the way of most messages.
    // It is the next in `from`'s send queue, whether it stands there or is known to the caller
    // only, and nothing is under way. False: nothing has changed, it has to be taken from the
    // queue.
    [[nodiscard]] bool send_small(const SmallSend& send) noexcept {
        if (!from_.can_complete_send() || !to_.can_complete_receive() ||
            !to_.simple_receive(send.length)) {
            return false;
        }
        end_stall();
        deliver(send);
        to_.receives.advance(1);
        from_.counters.operations.add(1);
        from_.counters.bytes.add(send.length);
        if ((send.flags & abi::descriptor_flag::kSignaled) != 0) {
            from_.complete_send(abi::Status::success, static_cast<std::uint8_t>(abi::Opcode::send),
                                send.length, 0);
        }
        from_.sends.advance(1);
        return true;
    }

    // The same for a Send of at most a piece and a receive of one segment each, in regions that are
    // known here.
    [[nodiscard]] AtOnce send_plain(const PlainSend& send, const StepContext& context) noexcept;

    // Before the first step, where both endpoints take the place of earlier ones: ends what those
    // had ended on one side only (trace.cpp).
    void go_on() noexcept;

    // Is a descriptor under way, or waiting?
    [[nodiscard]] bool busy() const noexcept { return phase_ != Phase::none; }
    // When a wait for the receiver ends with receiver_not_ready; UINT64_MAX: never.
    [[nodiscard]] std::uint64_t deadline_ns() const noexcept { return deadline_ns_; }
    [[nodiscard]] Endpoint* blame() const noexcept { return blame_; }
    // Gives up what is under way (the queue pair is being closed): frees an Append's lock.
    void abandon() noexcept;

private:
    enum class Phase : std::uint8_t { none, acquire, move, broken };

    [[nodiscard]] Step begin(const StepContext& context) noexcept;
    [[nodiscard]] Step acquire(const StepContext& context) noexcept;
    [[nodiscard]] Step acquire_receive() noexcept;
    [[nodiscard]] Step acquire_append() noexcept;
    [[nodiscard]] Region* append_target() const noexcept;
    void note_append() const noexcept;
    void note_failure(abi::Status status) noexcept;
    void break_off(Endpoint& guilty) noexcept;
    [[nodiscard]] bool redo_append(Region& region) noexcept;
    [[nodiscard]] Step reserve_record(Region& region) noexcept;
    [[nodiscard]] bool end_append(abi::Status status) noexcept;
    [[nodiscard]] Step start_move(const StepContext& context) noexcept;
    [[nodiscard]] Step move_piece(const StepContext& context) noexcept;
    [[nodiscard]] bool gather_small() noexcept;
    [[nodiscard]] bool is_plain(const StepContext& context) const noexcept;
    [[nodiscard]] AtOnce move_at_once(const StepContext& context) noexcept;
    [[nodiscard]] Step finish_fault(bool of_source) noexcept;
    [[nodiscard]] Step finish(abi::Status status) noexcept;
    [[nodiscard]] Step finish_receiver_fault(abi::Status receiver, abi::Status sender) noexcept;
    // The receiver hears of a message that travels in the completion.
    void deliver(const SmallSend& send) noexcept {
        namespace cflag = abi::completion_flag;
        const bool immediate = (send.flags & abi::descriptor_flag::kImmediate) != 0;
        to_.complete_receive({.status = abi::Status::success,
                              .opcode = static_cast<std::uint8_t>(abi::Opcode::receive),
                              .flags = static_cast<std::uint8_t>(
                                  cflag::kPayload | (immediate ? cflag::kImmediate : 0)),
                              .length = send.length,
                              .immediate = immediate ? send.immediate : 0,
                              .sequence = from_.sends.consumed(),
                              .payload = send.payload});
    }
    [[nodiscard]] SmallSend small_send() const noexcept;
    [[nodiscard]] Step stalled(Step why) noexcept;
    void end_stall() noexcept {
        if (stalled_since_ns_ != 0)
            count_stall();
    }
    void count_stall() noexcept;
    [[nodiscard]] bool out_of_patience() noexcept;
    void complete_receiver(abi::Status status) noexcept;
    void complete_sender(abi::Status status) noexcept;
    [[nodiscard]] bool is_permitted() const noexcept;
    [[nodiscard]] Step refuse() noexcept;
    [[nodiscard]] bool needs_receive() const noexcept;
    [[nodiscard]] std::optional<abi::Status> reach(const Side& side, Claim claim) noexcept;
    [[nodiscard]] std::uint64_t now() noexcept;
    [[nodiscard]] bool is(abi::Opcode opcode) const noexcept {
        return work_.control.opcode == static_cast<std::uint8_t>(opcode);
    }

    Endpoint& from_;
    Endpoint& to_;
    const std::uint64_t id_;
    Phase phase_ = Phase::none;
    bool failed_since_fence_ = false;
    bool has_receive_ = false;
    bool has_lock_ = false;
    bool has_record_ = false;
    bool redo_append_ = false;  // the next descriptor, where the trace says
    Endpoint* blame_ = nullptr;
    std::uint64_t now_ns_ = 0;            // of the current step
    std::uint64_t stalled_since_ns_ = 0;  // 0: not stalled
    std::uint64_t deadline_ns_ = UINT64_MAX;
    std::uint64_t moved_ = 0;      // bytes of the current descriptor
    std::uint64_t append_at_ = 0;  // offset in the destination region
    CopyPace pace_;
    Side source_;
    Side target_;
    Work work_;
    Work receive_;  // valid while has_receive_
};

}  // namespace causeway::engine
