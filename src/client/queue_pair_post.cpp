// Posting: from the caller's slices into the rings.
#include <algorithm>
#include <cstring>

#include "base/fault_point.hpp"
#include "client/completion_queue.hpp"
#include "client/last_error.hpp"
#include "client/queue_pair.hpp"

namespace causeway::client {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Opcode;

[[nodiscard]] constexpr std::uint32_t allowed_flags(Opcode opcode) noexcept {
    const bool immediate = opcode == Opcode::send || opcode == Opcode::write;
    return CW_UNSIGNALED | CW_FENCE | (immediate ? CW_IMMEDIATE : 0U);
}

[[nodiscard]] abi::ControlSegment control_of(const SendOrder& order) noexcept {
    abi::ControlSegment control{};
    control.opcode = static_cast<std::uint8_t>(order.opcode);
    control.id = order.id;
    if ((order.flags & CW_UNSIGNALED) == 0)
        control.flags |= flag::kSignaled;
    if ((order.flags & CW_FENCE) != 0)
        control.flags |= flag::kFence;
    if ((order.flags & CW_IMMEDIATE) != 0) {
        control.flags |= flag::kImmediate;
        control.immediate = order.immediate;
    }
    return control;
}

}  // namespace

// Why an ended queue pair takes nothing.
ErrorCode QueuePair::ended_error() const noexcept {
    if (state() == abi::QueuePairState::refused) {
        return set_error(ErrorCode::wrong_state,
                         "the queue pair's connection was refused: close it and connect another");
    }
    switch (reason()) {
        case ErrorCode::peer_gone:
            return set_error(ErrorCode::peer_gone,
                             "the peer of the queue pair has gone: close it and connect another");
        case ErrorCode::adapter_gone:
            return set_error(ErrorCode::adapter_gone,
                             "the adapter has ended the connection: close the partition and attach "
                             "anew");
        case ErrorCode::protocol:
            return set_error(ErrorCode::wrong_state,
                             "the queue pair was closed because something in its queues broke the "
                             "protocol");
        default:
            return set_error(ErrorCode::wrong_state,
                             "the queue pair is closed: create and connect another");
    }
}

// Is the state `least` or further, and has it not ended?
ErrorCode QueuePair::check_open(abi::QueuePairState least) noexcept {
    if (end_ != End::none)
        return ended_error();
    const std::uint32_t state = layout_->state.load(std::memory_order_acquire);
    if (state > static_cast<std::uint32_t>(abi::QueuePairState::connected))
        return ended_error();
    if (state < static_cast<std::uint32_t>(least)) {
        return set_error(ErrorCode::wrong_state,
                         "the queue pair is idle: connect it or accept with it before sending");
    }
    if (!settled_ && state == static_cast<std::uint32_t>(abi::QueuePairState::connected)) {
        settle_late();
        if (end_ != End::none)
            return end_reason_;
    }
    return ErrorCode::none;
}

ErrorCode QueuePair::no_room(const SlotLedger& ledger, std::uint32_t entries,
                             const char* full) const noexcept {
    if (entries > ledger.entries()) {
        return set_error(ErrorCode::invalid_argument,
                         "the list takes %llu entries of a queue that has %llu: create the queue "
                         "pair with more, or post fewer slices",
                         entries, ledger.entries());
    }
    return set_error(ErrorCode::again, full, ledger.outstanding());
}

// Silent sends end without a completion: the executor's count says how far it is. Only while no
// completion waits to be taken, since one of these may say that a silent send failed.
bool QueuePair::reclaim_sends(std::uint32_t entries) noexcept {
    // SYNC(send-taken): acquire, pairs with the executor's release: who sees the count sees the
    // completions of everything before it, so that ready() below cannot miss a failure.
    const std::uint64_t taken = layout_->send_taken.load(std::memory_order_acquire);
    if (!send_completions_.ready())
        send_ledger_.done_with(taken);
    return entries <= send_ledger_.free();
}

// Invariant 4: with `used` entries in flight or waiting to be taken, are the entries taken but not
// reported too many for the completion ring?
void QueuePair::keep_room(std::uint32_t used, const CompletionRing& ring, std::uint64_t& published,
                          std::atomic<std::uint64_t>& shared) noexcept {
    if (used + (ring.consumed() - published) <= ring.entries())
        return;
    publish_read(ring, published, shared, 1);
}

// The way of most messages on a direct connection: no descriptor is written, the lane completes the
// peer's receive at once. False: nothing was done, and whoever finds out why says so.
[[gnu::flatten]] bool QueuePair::send_at_once(const SendOrder& order, cw_slice slice) noexcept {
    const bool silent = (order.flags & CW_UNSIGNALED) != 0;
    if (!may_post() || (order.flags & ~(CW_UNSIGNALED | CW_IMMEDIATE)) != 0 ||
        (send_ledger_.free() == 0 && !reclaim_sends(1))) {
        return false;
    }
    RegionSpan region;
    std::uint64_t offset = 0;
    if (slice.length != 0 && !locate(*regions_, slice, region, offset))
        return false;
    if (!silent) {
        keep_room(send_ledger_.used() + 1, send_completions_, sends_read_,
                  layout_->send_completions_read);
    }
    std::uint8_t flags = silent ? std::uint8_t{0} : flag::kSignaled;
    if ((order.flags & CW_IMMEDIATE) != 0)
        flags |= flag::kImmediate;
    auto done = engine::AtOnce::no;
    if (slice.length <= abi::kMaxInline) {
        SmallMessage message;
        load_small(slice.address, slice.length, message);
        if (lane_->send_small({flags, order.immediate, slice.length, message.data()}))
            done = engine::AtOnce::succeeded;
    } else {
        const abi::DataSegment segment{slice.length, slice.handle, region.registered + offset};
        done = lane_->send_plain({flags, order.immediate, segment});
    }
    if (done == engine::AtOnce::no)
        return false;
    sends_.skip();
    if (silent && done == engine::AtOnce::succeeded) {
        send_ledger_.pass();
    } else {
        send_ledger_.post({.id = order.id,
                           .length = slice.length,
                           .opcode = static_cast<std::uint8_t>(Opcode::send),
                           .silent = silent});
        completions_->note_own_work(*this);
    }
    return true;
}

ErrorCode QueuePair::post_send(const SendOrder& order, const cw_slice* slices,
                               std::uint32_t count) noexcept {
    if (lane_ && order.opcode == Opcode::send && count == 1 && slices != nullptr &&
        send_at_once(order, *slices)) {
        return ErrorCode::none;
    }
    return post_send_list(order, slices, count);
}

ErrorCode QueuePair::post_send_list(const SendOrder& order, const cw_slice* slices,
                                    std::uint32_t count) noexcept {
    if (const auto code = check_open(abi::QueuePairState::connecting); code != ErrorCode::none) {
        return code;
    }
    if ((order.flags & ~allowed_flags(order.opcode)) != 0) {
        return set_error(ErrorCode::invalid_argument,
                         "flags %llu of a post: some mean nothing for this operation; combine "
                         "CW_UNSIGNALED and CW_FENCE, and for Send and Write CW_IMMEDIATE",
                         order.flags);
    }
    Gather gather;
    if (const auto code = check_slices(*regions_, slices, count, gather); code != ErrorCode::none) {
        return code;
    }
    const Inlining inlining = order.opcode == Opcode::read ? Inlining::never : Inlining::when_small;
    const std::uint32_t entries = entries_of(gather, inlining);
    if (entries > send_ledger_.free() && !reclaim_sends(entries)) {
        return no_room(send_ledger_, entries,
                       "queue pair is full: %llu sends outstanding; take completions first");
    }

    abi::Descriptor chain[abi::kMaxChain];
    abi::AddressSegment remote{};
    if (order.remote != nullptr) {
        remote = {order.remote->handle, order.remote->generation,
                  order.opcode == Opcode::append ? 0 : order.remote->address};
    }
    build(control_of(order), remote, gather, inlining, chain);
    keep_room(send_ledger_.used() + entries, send_completions_, sends_read_,
              layout_->send_completions_read);
    sends_.publish({chain, entries});
    CAUSEWAY_FAULT_POINT("client.send.published");
    send_ledger_.post({.id = order.id,
                       .length = static_cast<std::uint32_t>(gather.length),
                       .opcode = static_cast<std::uint8_t>(order.opcode),
                       .descriptors = static_cast<std::uint8_t>(entries),
                       .silent = (order.flags & CW_UNSIGNALED) != 0});
    if (lane_) {
        lane_->posted(entries);
        completions_->note_own_work(*this);
        return ErrorCode::none;
    }
    // SYNC(attention): pairs with the executor's fence between giving up polling and its second
    // look (adapter/mover_sleep.cpp): either it finds this descriptor, or this load finds that it
    // must be rung for. Without the fence both could miss each other and the descriptor would lie
    // there.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if ((layout_->attention.load(std::memory_order_relaxed) & abi::attention::kPolled) == 0) {
        mover_->ring(created_.doorbell_bit);
    }
    return ErrorCode::none;
}

// The way of most receives. False: nothing was done, and whoever finds out why says so.
[[gnu::flatten]] bool QueuePair::post_receive_of_one(cw_slice slice, std::uint64_t id) noexcept {
    RegionSpan region;
    std::uint64_t offset = 0;
    if (!may_post() || receive_ledger_.free() == 0 || slice.length == 0 ||
        !locate(*regions_, slice, region, offset) || (lane_ && !region.exportable())) {
        return false;
    }
    Piece* const pieces = &pieces_[std::size_t{receives_.next_slot()} * abi::kMaxDataSegments];
    pieces[0] = {static_cast<std::byte*>(slice.address), slice.length, slice.handle};
    pieces[1] = {};
    keep_room(receive_ledger_.used() + 1, receive_completions_, receives_read_,
              inbound_->receive_completions_read);
    constexpr auto opcode = static_cast<std::uint8_t>(Opcode::receive);
    receives_.publish(shm::Line{shm::descriptor_head(opcode, 0, 1), id, 0, 0,
                                shm::word_of(slice.length, slice.handle),
                                region.registered + offset, 0, 0});
    note_receive(id, slice.length, 1);
    return true;
}

ErrorCode QueuePair::post_receive(const cw_slice* slices, std::uint32_t count,
                                  std::uint64_t id) noexcept {
    if (count == 1 && slices != nullptr && post_receive_of_one(*slices, id))
        return ErrorCode::none;
    return post_receive_list(slices, count, id);
}

ErrorCode QueuePair::post_receive_list(const cw_slice* slices, std::uint32_t count,
                                       std::uint64_t id) noexcept {
    if (const auto code = check_open(abi::QueuePairState::idle); code != ErrorCode::none) {
        return code;
    }
    Gather gather;
    if (const auto code = check_slices(*regions_, slices, count, gather); code != ErrorCode::none) {
        return code;
    }
    if (lane_ && !gather.exportable) {
        return set_error(ErrorCode::invalid_argument,
                         "a receive in a region that is not exportable, on a direct connection: "
                         "register the region with CW_ACCESS_EXPORTABLE, or ask for executor "
                         "adapter");
    }
    const std::uint32_t entries = entries_of(gather, Inlining::never);
    if (entries > receive_ledger_.free()) {
        return no_room(receive_ledger_, entries,
                       "queue pair is full: %llu receives posted; take completions first");
    }

    remember_pieces(gather, receives_.next_slot());
    keep_room(receive_ledger_.used() + entries, receive_completions_, receives_read_,
              inbound_->receive_completions_read);
    abi::Descriptor chain[abi::kMaxChain];
    abi::ControlSegment control{};
    control.opcode = static_cast<std::uint8_t>(Opcode::receive);
    control.id = id;
    build(control, {}, gather, Inlining::never, chain);
    receives_.publish({chain, entries});
    note_receive(id, static_cast<std::uint32_t>(gather.length), entries);
    return ErrorCode::none;
}

// A receive was published: keeps it in the ledger, and tells whoever waits for it.
void QueuePair::note_receive(std::uint64_t id, std::uint32_t length,
                             std::uint32_t entries) noexcept {
    CAUSEWAY_FAULT_POINT("client.receive.published");
    receive_ledger_.post({.id = id,
                          .length = length,
                          .opcode = static_cast<std::uint8_t>(Opcode::receive),
                          .descriptors = static_cast<std::uint8_t>(entries)});
    note_simple(length, entries);
    if (lane_) {
        layout_->tally.posted.store(receive_ledger_.outstanding(), std::memory_order_relaxed);
        lane_->tell_sender();
        return;
    }
    // SYNC(attention): as in post_send().
    std::atomic_thread_fence(std::memory_order_seq_cst);
    constexpr std::uint32_t mask = abi::attention::kPolled | abi::attention::kWantsReceive;
    if ((layout_->attention.load(std::memory_order_relaxed) & mask) ==
        abi::attention::kWantsReceive) {
        mover_->ring(created_.doorbell_bit);
    }
}

// Says how many receives an executor may take without a look at them, and what room each of them
// has at least. While one that takes several entries is outstanding the count stands still.
void QueuePair::note_simple(std::uint32_t length, std::uint32_t entries) noexcept {
    const std::uint64_t posted = receives_.produced();
    if (entries != 1)
        complex_receives_ = posted;
    const std::uint32_t room = std::min(length, abi::kMaxInline);
    // More only where all receives before this one have been used up.
    if (room < simple_room_ || (room > simple_room_ && receive_ledger_.outstanding() == 1)) {
        simple_room_ = room;
        inbound_->simple_room.store(room, std::memory_order_relaxed);
    }
    if (receive_ledger_.oldest() < complex_receives_)
        return;
    // SYNC(simple-receives): release, pairs with the acquire in engine/endpoint.hpp: who counts a
    // receive in may complete it, finds it posted, and knows its room.
    inbound_->simple_receives.store(posted, std::memory_order_release);
}

// Messages that come inside a completion are placed by this library: it keeps the list.
void QueuePair::remember_pieces(const Gather& gather, std::uint32_t slot) noexcept {
    const std::uint32_t mask = receive_ledger_.entries() - 1;
    std::uint32_t i = 0;
    do {
        Piece* pieces = &pieces_[std::size_t{slot} * abi::kMaxDataSegments];
        for (std::uint32_t j = 0; j < abi::kMaxDataSegments; ++j, ++i) {
            pieces[j] = i < gather.count ? Piece{const_cast<std::byte*>(gather.bytes[i]),
                                                 gather.list[i].length, gather.list[i].handle}
                                         : Piece{};
        }
        slot = (slot + 1) & mask;
    } while (i < gather.count);
}

}  // namespace causeway::client
