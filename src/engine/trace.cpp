// Going on in the place of an executor that has died (trace.hpp): what the rings hold beyond its
// trace is taken over, what they do not hold is done again.
#include "engine/trace.hpp"

#include <algorithm>

#include "engine/endpoint.hpp"
#include "engine/flow.hpp"

namespace causeway::engine {

using abi::Status;

namespace {

[[nodiscard]] std::uint32_t chain_length(const std::atomic<std::uint64_t>& noted) noexcept {
    return static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(noted.load(std::memory_order_relaxed), 1, abi::kMaxChain));
}

}  // namespace

void Endpoint::go_on() noexcept {
    sends.go_on_from(trace->sends.load(std::memory_order_relaxed));
    receives.go_on_from(trace->receives.load(std::memory_order_relaxed) & ~Trace::kOddCompletions);
    send_completions_.go_on_from(trace->send_completions.load(std::memory_order_relaxed));
    receive_completions_.go_on_from(trace->receive_completions.load(std::memory_order_relaxed));
    taken_published_ = sends.consumed();
    layout_->send_taken.store(taken_published_, std::memory_order_release);
}

bool Endpoint::find_send_completion(std::uint64_t sequence, abi::Completion& found) noexcept {
    if (!send_completions_.peek(found))
        return false;
    send_completions_.skip();
    return found.sequence == sequence;
}

bool Endpoint::find_receive_completion(std::uint64_t sequence, abi::Completion& found) noexcept {
    if (!receive_completions_.peek(found))
        return false;
    receive_completions_.skip();
    // Its receive may be noted already: the last thing that was.
    const bool odd =
        (trace->receives.load(std::memory_order_relaxed) & Trace::kOddCompletions) != 0;
    if (odd != ((receive_completions_.produced() & 1) != 0)) {
        const bool chain = trace->chain_at.load(std::memory_order_relaxed) == receives.consumed();
        receives.advance(chain ? chain_length(trace->chain) : 1);
    }
    return found.sequence == sequence;
}

std::uint32_t Endpoint::send_chain() const noexcept {
    return trace->send_chain_at.load(std::memory_order_relaxed) == sends.consumed()
               ? chain_length(trace->send_chain)
               : 1;
}

namespace {

// What the sender is told of a message that ended at its receiver like this.
[[nodiscard]] Status sender_status(Status receiver) noexcept {
    switch (receiver) {
        case Status::success:
            return Status::success;
        case Status::local_length:
            return Status::remote_length;
        default:
            return Status::remote_access;
    }
}

}  // namespace

// The rings may know of one descriptor more than the trace: its receiver's completion, its
// sender's, or both. Where the trace was cut off while it was written they know of one whose sender
// is noted already.
void Flow::go_on() noexcept {
    const std::uint64_t sequence = from_.sends.consumed();
    const Trace& trace = *from_.trace;
    failed_since_fence_ = trace.failed.load(std::memory_order_relaxed) != 0;
    abi::Completion arrived{};
    abi::Completion sent{};
    const bool delivered = to_.find_receive_completion(sequence, arrived);
    const bool ended = from_.find_send_completion(sequence, sent);
    if (ended) {
        // Its slots may hold later descriptors: whoever has taken the completion may use them.
        from_.sends.advance(from_.send_chain());
        note_failure(static_cast<Status>(sent.status));
        if (static_cast<Status>(sent.status) == Status::bad_descriptor)
            break_off(from_);
    } else if (delivered && static_cast<Status>(arrived.status) == Status::bad_descriptor) {
        break_off(to_);
    } else if (delivered) {
        // The slots are free only behind send_taken: the descriptor still stands there.
        if (const Taken taken = take_send(from_.sends, work_);
            taken == Taken::none || taken == Taken::bad) {
            work_ = {};
            work_.descriptors = 1;
        }
        complete_sender(sender_status(static_cast<Status>(arrived.status)));
    } else {
        redo_append_ = trace.append_of.load(std::memory_order_relaxed) == sequence + 1;
    }
    if (phase_ != Phase::broken) {
        from_.note_sent();
        to_.note_received();
    }
    from_.dirty = to_.dirty = true;
}

// The last executor died after it had found this and before it had closed the queue pair.
void Flow::break_off(Endpoint& guilty) noexcept {
    blame_ = &guilty;
    phase_ = Phase::broken;
}

}  // namespace causeway::engine
