// Going on in the place of an executor that has died (trace.hpp): what the rings hold beyond its
// trace is taken over, what they do not hold is done again.
#include "engine/trace.hpp"

#include <algorithm>

#include "engine/endpoint.hpp"
#include "engine/flow.hpp"

namespace causeway::engine {

using abi::Opcode;
using abi::Status;

void Endpoint::go_on() noexcept {
    sends.go_on_from(trace->sends.load(std::memory_order_relaxed));
    receives.go_on_from(trace->receives.load(std::memory_order_relaxed));
    send_completions_.go_on_from(trace->send_completions.load(std::memory_order_relaxed));
    receive_completions_.go_on_from(trace->receive_completions.load(std::memory_order_relaxed));
    taken_published_ = sends.consumed();
    layout_->send_taken.store(taken_published_, std::memory_order_release);
}

bool Endpoint::find_send_completion(std::uint64_t sequence) noexcept {
    abi::Completion found;
    if (!send_completions_.peek(found) || found.sequence != sequence)
        return false;
    send_completions_.skip();
    return true;
}

bool Endpoint::find_receive_completion(std::uint64_t sequence, abi::Completion& found) noexcept {
    if (!receive_completions_.peek(found) || found.sequence != sequence)
        return false;
    receive_completions_.skip();
    const bool chain = trace->chain_at.load(std::memory_order_relaxed) == receives.consumed();
    const std::uint64_t taken = chain ? trace->chain.load(std::memory_order_relaxed) : 1;
    receives.advance(
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(taken, 1, abi::kMaxChain)));
    return true;
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
// sender's, or both.
void Flow::go_on() noexcept {
    const std::uint64_t sequence = from_.sends.consumed();
    abi::Completion arrived{};
    const bool delivered = to_.find_receive_completion(sequence, arrived);
    const bool ended = from_.find_send_completion(sequence);
    const Trace& trace = *from_.trace;
    const bool appending = trace.append_of.load(std::memory_order_relaxed) == sequence + 1;
    if (!delivered && !ended) {
        redo_append_ = appending;
        return;
    }
    // The sender's own ring still holds it: the slot is free only behind send_taken.
    if (const Taken taken = take_send(from_.sends, work_);
        taken == Taken::none || taken == Taken::bad) {
        work_ = {};
        work_.descriptors = 1;
    }
    if (ended) {
        from_.sends.advance(work_.descriptors);
    } else {
        complete_sender(sender_status(static_cast<Status>(arrived.status)));
    }
    from_.note_sent();
    to_.note_received();
    from_.dirty = to_.dirty = true;
}

}  // namespace causeway::engine
