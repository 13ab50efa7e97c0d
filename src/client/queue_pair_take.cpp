// Taking completions: checking each against what was posted, and flushing what will never complete.
#include <algorithm>
#include <cstring>

#include "client/queue_pair.hpp"

namespace causeway::client {
namespace {

using abi::Opcode;
using abi::Status;
namespace cflag = abi::completion_flag;

[[nodiscard]] constexpr bool succeeded(const abi::Completion& c) noexcept {
    return c.status == static_cast<std::uint8_t>(Status::success);
}

}  // namespace

int QueuePair::take(cw_completion* out, int most) noexcept {
    int n = 0;
    if (end_ == End::none && lane_ && lane_->waiting()) {
        lane_->run();
        if (lane_->broken())
            begin_end(End::draining, abi::QueuePairState::closed, ErrorCode::protocol);
    }
    if (end_ != End::flushing) {
        n = take_rings(out, most);
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
    if (end_ == End::none) {
        begin_end(End::draining, abi::QueuePairState::closed, ErrorCode::adapter_gone);
    }
}

void QueuePair::begin_end(End end, abi::QueuePairState state, ErrorCode reason) noexcept {
    if (lane_)
        lane_->stop();
    end_ = end;
    end_state_ = state;
    end_reason_ = reason;
}

int QueuePair::take_rings(cw_completion* out, int most) noexcept {
    receives_first_ = !receives_first_;  // neither direction starves the other
    int n = receives_first_ ? take_receives(out, most) : take_sends(out, most);
    if (n < most) {
        n += receives_first_ ? take_sends(out + n, most - n) : take_receives(out + n, most - n);
    }
    return n;
}

int QueuePair::take_sends(cw_completion* out, int most) noexcept {
    int n = 0;
    abi::Completion c;
    while (n < most && end_ != End::flushing && send_completions_.peek(c)) {
        if (!accept_send(c, out[n])) {
            begin_end(End::flushing, abi::QueuePairState::closed, ErrorCode::protocol);
            break;
        }
        send_completions_.advance();
        ++n;
    }
    publish_read(send_completions_, sends_read_, layout_->send_completions_read,
                 send_completions_.entries() / 4);
    return n;
}

int QueuePair::take_receives(cw_completion* out, int most) noexcept {
    int n = 0;
    abi::Completion c;
    while (n < most && end_ != End::flushing && receive_completions_.peek(c)) {
        if (!accept_receive(c, out[n])) {
            begin_end(End::flushing, abi::QueuePairState::closed, ErrorCode::protocol);
            break;
        }
        receive_completions_.advance();
        ++n;
    }
    publish_read(receive_completions_, receives_read_, inbound_->receive_completions_read,
                 receive_completions_.entries() / 4);
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

cw_completion QueuePair::report(const SlotRecord& record, Status status,
                                std::uint8_t opcode) const noexcept {
    cw_completion out{};
    out.id = record.id;
    out.queue_pair = handle;
    out.user = terms_.user;
    out.status = static_cast<std::uint32_t>(status);
    out.opcode = opcode;
    return out;
}

// A send's completion says of which slot; the rest must fit what was posted there.
bool QueuePair::accept_send(const abi::Completion& c, cw_completion& out) noexcept {
    const SlotRecord* record = send_ledger_.find(c.slot);
    if (record == nullptr || c.status >= abi::kStatusCount || c.opcode != record->opcode ||
        c.flags != 0) {
        return false;
    }
    if (succeeded(c) && (record->silent || c.length > record->length))
        return false;
    out = report(*record, static_cast<Status>(c.status), c.opcode);
    out.length = succeeded(c) ? c.length : 0;
    if (c.opcode == static_cast<std::uint8_t>(Opcode::append))
        out.offset = c.offset;
    send_ledger_.end(c.slot);
    return true;
}

bool QueuePair::accept_receive(const abi::Completion& c, cw_completion& out) noexcept {
    const SlotRecord* record = receive_ledger_.find(c.slot);
    const bool receive = c.opcode == static_cast<std::uint8_t>(Opcode::receive);
    const bool write = c.opcode == static_cast<std::uint8_t>(Opcode::write);
    if (record == nullptr || c.status >= abi::kStatusCount || !(receive || write) ||
        (c.flags & ~cflag::kAll) != 0) {
        return false;
    }
    // A Write's bytes went to where its sender said, not into what was posted.
    if (succeeded(c) && receive && c.length > record->length)
        return false;
    Status status = static_cast<Status>(c.status);
    if ((c.flags & cflag::kPayload) != 0) {
        if (!receive || !succeeded(c) || c.length > abi::kMaxInline)
            return false;
        if (!scatter(c, *record))
            status = Status::local_protection;
    }
    out = report(*record, status, c.opcode);
    if (status == Status::success) {
        out.length = c.length;
        out.has_immediate = (c.flags & cflag::kImmediate) != 0 ? 1 : 0;
        out.immediate = out.has_immediate != 0 ? c.immediate : 0;
    }
    receive_ledger_.end(c.slot);
    return true;
}

// Places a message of at most record.length bytes into the posted slices; false if one of them is
// in a region that was closed meanwhile.
bool QueuePair::scatter(const abi::Completion& c, const SlotRecord& record) noexcept {
    const std::uint32_t mask = receive_ledger_.entries() - 1;
    const std::uint8_t* from = c.payload;
    std::uint32_t left = c.length;
    for (std::uint32_t d = 0; d < record.descriptors && left != 0; ++d) {
        const Piece* pieces = &pieces_[std::size_t{(c.slot + d) & mask} * abi::kMaxDataSegments];
        for (std::uint32_t j = 0; j < abi::kMaxDataSegments && left != 0; ++j) {
            const Piece& piece = pieces[j];
            const std::uint32_t length = std::min(piece.length, left);
            if (length == 0)
                continue;
            RegionSpan region;
            if (!regions_->find(piece.handle, region))
                return false;
            std::memcpy(piece.at, from, length);
            from += length;
            left -= length;
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
        out[n++] = report(record, status, record.opcode);
    }
    return n;
}

}  // namespace causeway::client
