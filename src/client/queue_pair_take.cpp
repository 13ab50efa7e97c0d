// Taking completions: checking each against what was posted, and flushing what will never complete.
#include <algorithm>
#include <cstring>

#include "client/queue_pair.hpp"

namespace causeway::client {
namespace {

using abi::Opcode;
using abi::Status;
namespace cflag = abi::completion_flag;

constexpr std::size_t kPayload = offsetof(abi::Completion, payload) / 8;  // its first word
constexpr std::uint32_t kAhead = 4;  // completions of a stream that are fetched before their turn

// Of a completion, the fields that share its first word.
struct Head {
    explicit constexpr Head(std::uint64_t first) noexcept
        : status(static_cast<std::uint8_t>(first)),
          opcode(static_cast<std::uint8_t>(first >> 8)),
          flags(static_cast<std::uint8_t>(first >> 16)),
          slot(static_cast<std::uint32_t>(first >> 32)) {}

    [[nodiscard]] constexpr bool succeeded() const noexcept {
        return status == static_cast<std::uint8_t>(Status::success);
    }
    std::uint8_t status;
    std::uint8_t opcode;
    std::uint8_t flags;
    std::uint32_t slot;
};

}  // namespace

int QueuePair::take(cw_completion* out, int most) noexcept {
    // A receiver only: the way of most completions. What ends the pair is looked at the next time.
    if (end_ == End::none && !changed_ && send_ledger_.outstanding() == 0 && !waits())
        return take_receives(out, most);
    return take_any(out, most);
}

int QueuePair::take_any(cw_completion* out, int most) noexcept {
    int n = 0;
    if (end_ == End::none && lane_ && lane_->waiting()) {
        lane_->run();
        if (lane_->broken())
            begin_end(End::draining, abi::QueuePairState::closed, ErrorCode::protocol);
    }
    if (end_ != End::flushing) {
        n = take_rings(out, most);
        if (!changed_ && end_ == End::none)
            return n;
        if (n < most && changed_ && end_ == End::none) {
            changed_ = false;
            if (state_says_ended()) {
                begin_end(End::draining, state(), reason());
                n += take_rings(out + n, most - n);
            } else if (!settled_) {
                settle_late();
            }
        }
        if (n < most && end_ == End::draining) {
            // All that will ever come has been taken, so the silent sends before this succeeded.
            send_ledger_.done_with(layout_->send_taken.load(std::memory_order_relaxed));
            end_ = End::flushing;
        }
    }
    if (end_ == End::flushing)
        n += flush(out + n, most - n);
    return n;
}

bool QueuePair::ready() noexcept {
    if (end_ == End::flushing) {
        return send_ledger_.outstanding() + receive_ledger_.outstanding() != 0;
    }
    if (end_ == End::draining)
        return true;
    if (state_says_ended())
        changed_ = true;
    return changed_ || send_completions_.ready() || receive_completions_.ready() ||
           (lane_ && lane_->can_run());
}

bool QueuePair::state_says_ended() const noexcept {
    return state() > abi::QueuePairState::connected;
}

void QueuePair::note_adapter_gone() noexcept {
    if (end_ == End::none && !survives_adapter()) {
        begin_end(End::draining, abi::QueuePairState::closed, ErrorCode::adapter_gone);
    }
}

void QueuePair::note_peer_gone() noexcept {
    if (end_ == End::none)
        begin_end(End::draining, abi::QueuePairState::closed, ErrorCode::peer_gone);
}

void QueuePair::begin_end(End end, abi::QueuePairState state, ErrorCode reason) noexcept {
    if (lane_)
        lane_->stop();
    end_ = end;
    end_state_ = state;
    end_reason_ = reason;
}

int QueuePair::take_rings(cw_completion* out, int most) noexcept {
    if (send_ledger_.outstanding() == 0)
        return take_receives(out, most);
    receives_first_ = !receives_first_;  // neither direction starves the other
    int n = receives_first_ ? take_receives(out, most) : take_sends(out, most);
    if (n < most && end_ != End::flushing) {
        n += receives_first_ ? take_sends(out + n, most - n) : take_receives(out + n, most - n);
    }
    return n;
}

int QueuePair::take_sends(cw_completion* out, int most) noexcept {
    int n = 0;
    std::uint64_t first = 0;
    while (n < most && send_completions_.peek_first(first)) {
        if (!accept_send(first, out[n])) {
            begin_end(End::flushing, abi::QueuePairState::closed, ErrorCode::protocol);
            break;
        }
        send_completions_.advance();
        ++n;
    }
    if (n != 0) {
        publish_read(send_completions_, sends_read_, layout_->send_completions_read,
                     send_completions_.entries() / 4);
    }
    return n;
}

[[gnu::flatten]] int QueuePair::take_receives(cw_completion* out, int most) noexcept {
    int n = 0;
    std::uint64_t first = 0;
    while (n < most && receive_completions_.peek_first(first)) {
        if (n != 0)  // a stream: what comes next is on its way, or stands there
            receive_completions_.prepare(kAhead);
        if (!accept_receive(first, out[n])) {
            begin_end(End::flushing, abi::QueuePairState::closed, ErrorCode::protocol);
            break;
        }
        receive_completions_.advance();
        ++n;
    }
    if (n != 0) {
        publish_read(receive_completions_, receives_read_, inbound_->receive_completions_read,
                     receive_completions_.entries() / 4);
    }
    return n;
}

// Reports what was taken, if it is at least `least` more than reported before. Lazily: the line is
// read by the executor with every completion.
void QueuePair::publish_read(const CompletionRing& ring, std::uint64_t& published,
                             std::atomic<std::uint64_t>& shared, std::uint32_t least) noexcept {
    if (ring.consumed() - published < least)
        return;
    published = ring.consumed();
    // SYNC(completions-read): release, pairs with the executor's acquire (engine/endpoint.hpp):
    // forbids it to overwrite a slot that is still being copied out.
    shared.store(published, std::memory_order_release);
    if (lane_)
        lane_->tell_sender();
}

void QueuePair::publish_all_read() noexcept {
    publish_read(send_completions_, sends_read_, layout_->send_completions_read, 1);
    publish_read(receive_completions_, receives_read_, inbound_->receive_completions_read, 1);
}

void QueuePair::report(const SlotRecord& record, Status status, std::uint8_t opcode,
                       cw_completion& out) const noexcept {
    out.id = record.id;
    out.queue_pair = handle;
    out.user = terms_.user;
    out.status = static_cast<std::uint32_t>(status);
    out.opcode = opcode;
    out.length = 0;
    out.immediate = 0;
    out.has_immediate = 0;
    out.reserved = 0;
    out.offset = 0;
}

// A send's completion says of which slot; the rest must fit what was posted there.
bool QueuePair::accept_send(std::uint64_t first, cw_completion& out) noexcept {
    const Head c(first);
    const auto length = static_cast<std::uint32_t>(send_completions_.word(1));
    const SlotRecord* record = send_ledger_.find(c.slot);
    if (record == nullptr || c.status >= abi::kStatusCount || c.opcode != record->opcode ||
        c.flags != 0) {
        return false;
    }
    if (c.succeeded() && (record->silent || length > record->length))
        return false;
    report(*record, static_cast<Status>(c.status), c.opcode, out);
    if (c.succeeded())
        out.length = length;
    if (c.opcode == static_cast<std::uint8_t>(Opcode::append))
        out.offset = send_completions_.word(2);
    send_ledger_.end(c.slot);
    return true;
}

bool QueuePair::accept_receive(std::uint64_t first, cw_completion& out) noexcept {
    const Head c(first);
    const std::uint64_t second = receive_completions_.word(1);
    const auto length = static_cast<std::uint32_t>(second);
    const SlotRecord* record = receive_ledger_.find(c.slot);
    const bool receive = c.opcode == static_cast<std::uint8_t>(Opcode::receive);
    const bool write = c.opcode == static_cast<std::uint8_t>(Opcode::write);
    if (record == nullptr || c.status >= abi::kStatusCount || !(receive || write) ||
        (c.flags & ~cflag::kAll) != 0) {
        return false;
    }
    // A Write's bytes went to where its sender said, not into what was posted.
    if (c.succeeded() && receive && length > record->length)
        return false;
    Status status = static_cast<Status>(c.status);
    if ((c.flags & cflag::kPayload) != 0) {
        if (!receive || !c.succeeded() || length > abi::kMaxInline)
            return false;
        if (!scatter(c.slot, *record, length))
            status = Status::local_protection;
    }
    report(*record, status, c.opcode, out);
    if (status == Status::success) {
        out.length = length;
        if ((c.flags & cflag::kImmediate) != 0) {
            out.has_immediate = 1;
            out.immediate = static_cast<std::uint32_t>(second >> 32);
        }
    }
    receive_ledger_.end(c.slot);
    return true;
}

// Places the message in the next completion, of at most record.length bytes, into the posted
// slices; false if one of them is in a region that was closed meanwhile.
bool QueuePair::scatter(std::uint32_t slot, const SlotRecord& record,
                        std::uint32_t length) noexcept {
    const auto word = [this](std::uint32_t i) { return receive_completions_.word(kPayload + i); };
    const Piece* first = &pieces_[std::size_t{slot} * abi::kMaxDataSegments];
    if (length <= first->length) {
        RegionSpan region;
        if (length != 0 && !regions_->find(first->handle, region))
            return false;
        store_small(first->at, length, word);
        return true;
    }
    return scatter_widely(slot, record, length);
}

// The same over several slices, out of the way of those that have one.
[[gnu::noinline]] bool QueuePair::scatter_widely(std::uint32_t slot, const SlotRecord& record,
                                                 std::uint32_t length) noexcept {
    SmallMessage message;
    for (std::uint32_t i = 0; i < message.size(); ++i)
        message[i] = receive_completions_.word(kPayload + i);
    RegionSpan region;
    const auto* from = reinterpret_cast<const std::byte*>(message.data());
    const std::uint32_t mask = receive_ledger_.entries() - 1;
    for (std::uint32_t d = 0; d < record.descriptors && length != 0; ++d) {
        const Piece* pieces = &pieces_[std::size_t{(slot + d) & mask} * abi::kMaxDataSegments];
        for (std::uint32_t j = 0; j < abi::kMaxDataSegments && length != 0; ++j) {
            const Piece& piece = pieces[j];
            const std::uint32_t here = std::min(piece.length, length);
            if (here == 0)
                continue;
            if (!regions_->find(piece.handle, region))
                return false;
            std::memcpy(piece.at, from, here);
            from += here;
            length -= here;
        }
    }
    return true;
}

// Ends the outstanding descriptors, sends first, each in the order of posting.
int QueuePair::flush(cw_completion* out, int most) noexcept {
    const Status status = end_reason_ == ErrorCode::peer_gone ? Status::peer_gone : Status::flushed;
    int n = 0;
    SlotRecord record;
    while (n < most && (send_ledger_.take_oldest(record) || receive_ledger_.take_oldest(record))) {
        report(record, status, record.opcode, out[n++]);
    }
    return n;
}

}  // namespace causeway::client
