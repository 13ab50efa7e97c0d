// A queue pair's way from idle to connected, and what its state says.
#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "base/fault_point.hpp"
#include "base/names.hpp"
#include "client/completion_queue.hpp"
#include "client/deadline.hpp"
#include "client/last_error.hpp"
#include "client/nap.hpp"
#include "client/queue_pair.hpp"

namespace causeway::client {
namespace {

constexpr std::uint64_t kSettleNs = 10'000'000'000;
constexpr std::uint64_t kAskAgainNs = 2'000'000;  // for a peer that is on its way back

[[nodiscard]] const char* executor_name(std::uint32_t executor) noexcept {
    switch (static_cast<abi::Executor>(executor)) {
        case abi::Executor::adapter:
            return "adapter";
        case abi::Executor::direct:
            return "direct";
        case abi::Executor::link:
            return "link";
        case abi::Executor::any:
            break;
    }
    return "";
}

[[nodiscard]] const char* state_name(abi::QueuePairState state) noexcept {
    switch (state) {
        case abi::QueuePairState::idle:
            return "idle";
        case abi::QueuePairState::connecting:
            return "connecting";
        case abi::QueuePairState::connected:
            return "connected";
        case abi::QueuePairState::refused:
            return "refused";
        case abi::QueuePairState::closed:
            break;
    }
    return "closed";
}

[[nodiscard]] tl::unexpected<Error> not_idle(abi::QueuePairState state) {
    return fail_format(ErrorCode::wrong_state,
                       "the queue pair is %s; only an idle one can be connected: create another",
                       state_name(state));
}

}  // namespace

abi::QueuePairState QueuePair::state() const noexcept {
    if (end_ != End::none)
        return end_state_;
    if (partition_->gone() && !survives_adapter())
        return abi::QueuePairState::closed;
    // SYNC(queue-pair-state): acquire, pairs with the executor's release: who sees the state sees
    // its reason and every completion that was published before it.
    const std::uint32_t state = layout_->state.load(std::memory_order_acquire);
    constexpr auto closed = static_cast<std::uint32_t>(abi::QueuePairState::closed);
    return static_cast<abi::QueuePairState>(state < closed ? state : closed);
}

ErrorCode QueuePair::reason() const noexcept {
    if (end_ != End::none)
        return end_reason_;
    if (partition_->gone() && !survives_adapter())
        return ErrorCode::adapter_gone;
    const std::uint32_t reason = layout_->reason.load(std::memory_order_relaxed);
    return reason == 0 || reason >= static_cast<std::uint32_t>(abi::kErrorCount)
               ? ErrorCode::wrong_state
               : static_cast<ErrorCode>(reason);
}

Result<void> QueuePair::connect(const std::string& target, std::uint64_t timeout_ns) {
    CW_TRY_ASSIGN(Target where, split_target(target));
    CW_TRY(partition_->usable());  // or the state would say closed, and not why
    if (const auto now = state(); now != abi::QueuePairState::idle)
        return not_idle(now);
    auto request = control::make<abi::ConnectRequest>(abi::Request::connect);
    request.queue_pair = created_.queue_pair;
    request.executor = static_cast<std::uint32_t>(terms_.executor);
    CW_TRY(store_text(request.target, target));
    const Deadline deadline(timeout_ns);
    auto reply = partition_->call<abi::ConnectReply>(request);
    while (!reply.has_value() && reply.error().code == ErrorCode::again &&
           deadline.left_ns() != 0) {
        (void)nap_on(-1, -1, std::min(deadline.left_ns(), kAskAgainNs));
        reply = partition_->call<abi::ConnectReply>(request);
    }
    CW_TRY(std::move(reply));
    CAUSEWAY_FAULT_POINT("client.connect.requested");
    executor_ = executor_name(reply->executor);
    peer_ = std::move(where.partition);
    if (timeout_ns == 0)
        return {};
    if (await_outcome(deadline.left_ns())) {
        CW_TRY(outcome_of(target));
        return settle();
    }
    return fail_format(
        ErrorCode::timed_out,
        "nobody accepted the connection to %s within %llu ms; the queue pair goes on "
        "connecting",
        target.c_str(), static_cast<unsigned long long>(timeout_ns / 1'000'000));
}

Result<void> QueuePair::outcome_of(const std::string& target) const {
    switch (state()) {
        case abi::QueuePairState::refused:
            return fail_format(reason(), "connecting to %s failed: %s", target.c_str(),
                               error_name(reason()));
        case abi::QueuePairState::closed:
            // It may have been connected long enough to bring a message.
            if (receive_completions_.ready())
                return {};
            return fail_format(reason(), "the connection to %s has ended already: %s",
                               target.c_str(), error_name(reason()));
        default:
            return {};
    }
}

bool QueuePair::await_outcome(std::uint64_t timeout_ns) {
    const Deadline deadline(timeout_ns);
    for (;;) {
        const std::uint32_t ticket = partition_->event_ticket();
        if (state() > abi::QueuePairState::connecting)
            return true;
        const std::uint64_t left = deadline.left_ns();
        if (left == 0)
            return false;
        (void)partition_->await_event(ticket, left);  // once it has gone, state() says closed
    }
}

Result<void> QueuePair::accept_from(std::uint32_t listener) {
    CW_TRY(partition_->usable());  // or the state would say closed, and not why
    if (const auto now = state(); now != abi::QueuePairState::idle)
        return not_idle(now);
    auto request = control::make<abi::AcceptRequest>(abi::Request::accept);
    request.listener = listener;
    request.queue_pair = created_.queue_pair;
    request.executor = static_cast<std::uint32_t>(terms_.executor);
    CW_TRY_ASSIGN(const auto reply, partition_->call<abi::AcceptReply>(request));
    CW_TRY_ASSIGN(peer_, load_name("partition", reply.peer));
    executor_ = executor_name(reply.executor);
    // A mover connects the two ends; until then nothing could be posted.
    if (await_outcome(kSettleNs))
        return settle();
    return fail_format(ErrorCode::timed_out,
                       "the adapter has not set up the accepted connection within %llu s",
                       static_cast<unsigned long long>(kSettleNs / 1'000'000'000));
}

const char* QueuePair::executor() const noexcept {
    if (end_ != End::none || state() != abi::QueuePairState::connected)
        return executor_;
    return executor_name(layout_->executor.load(std::memory_order_relaxed));
}

// Connected: takes over the executor that was chosen. Nothing to do where the connection has ended
// already.
Result<void> QueuePair::settle() {
    if (settled_ || state() != abi::QueuePairState::connected)
        return {};
    settled_ = true;
    const std::uint32_t executor = layout_->executor.load(std::memory_order_relaxed);
    executor_ = executor_name(executor);
    if (executor != static_cast<std::uint32_t>(abi::Executor::direct))
        return {};
    auto direct = go_direct();
    if (!direct.has_value())
        begin_end(End::flushing, abi::QueuePairState::closed, direct.error().code);
    return direct;
}

// What stands in the receive queue moves to where the peer executes. Nothing was taken from it: the
// adapter does not execute on a direct connection.
Result<void> QueuePair::go_direct() {
    const shm::QueuePairView own(memory_.data(), terms_.shape());
    CW_TRY_ASSIGN(lane_,
                  DirectLane::open(*partition_, *completions_, created_.queue_pair, own,
                                   sends_.produced(), {terms_.patience, terms_.patience_ns}));
    const shm::QueuePairView& inbound = lane_->inbound();
    inbound.copy_receives(own);
    receives_.move_to(inbound.receive_producer());
    receive_completions_ = inbound.receive_completions();
    inbound_ = &inbound.layout();
    inbound_->simple_room.store(simple_room_, std::memory_order_relaxed);
    inbound_->simple_receives.store(layout_->simple_receives.load(std::memory_order_relaxed),
                                    std::memory_order_relaxed);
    inbound_->polled.store(layout_->polled.load(std::memory_order_relaxed),
                           std::memory_order_relaxed);
    lane_->begin();
    lane_->run();  // what was posted while it was connecting
    completions_->note_own_work(*this);
    return {};
}

// For a connection that nobody waited for: at the first post or poll that finds it connected.
void QueuePair::settle_late() noexcept {
    if (partition_->adapter().standing() == Standing::away)
        return;  // who polls must not wait; its return comes here again
    try {
        if (auto settled = settle(); !settled.has_value())
            (void)set_error(settled.error());
    } catch (const std::bad_alloc&) {
        begin_end(End::flushing, abi::QueuePairState::closed, ErrorCode::no_memory);
    }
}

Result<std::string> QueuePair::explain(std::uint32_t opcode) {
    auto request = control::make<abi::ExplainRequest>(abi::Request::explain);
    request.queue_pair = created_.queue_pair;
    request.opcode = opcode;
    CW_TRY_ASSIGN(const auto reply, partition_->call<abi::ExplainReply>(request));
    CW_TRY_ASSIGN(const std::string_view text, load_text(reply.text));
    return std::string(text);
}

}  // namespace causeway::client
