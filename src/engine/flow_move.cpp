// The moving half of a flow: source and destination are known, the bytes go over in pieces, and a
// fault of either side's memory ends the descriptor with that side's error.
#include <algorithm>
#include <cstring>

#include "base/fault_point.hpp"
#include "engine/flow.hpp"
#include "platform/fault_guard.hpp"

namespace causeway::engine {

namespace flag = abi::descriptor_flag;
using abi::Opcode;
using abi::Status;

namespace {

enum class Faulted { nobody, source, target };

// Copies, and says whose memory was not there.
[[nodiscard]] Faulted guarded_copy(const Stretch& target, const Stretch& source,
                                   CopyKernel kernel) noexcept {
    platform::FaultInfo fault;
    if (platform::guarded([&] { copy(target.bytes, source.bytes, source.length, kernel); },
                          fault)) {
        return Faulted::nobody;
    }
    settle_stores();
    return source.holds(fault.address) ? Faulted::source : Faulted::target;
}

}  // namespace

// Collects a message of at most kMaxInline bytes into work_.payload.
bool Flow::gather_small() noexcept {
    work_.payload.fill(0);  // what stood behind the message is not the receiver's to see
    Side side = Side::local(*from_.regions, work_.list.data(), work_.segments);
    std::uint64_t done = 0;
    while (done < work_.length) {
        Stretch from;
        if (!side.stretch(work_.length - done, from))
            return false;
        const Stretch to{reinterpret_cast<std::byte*>(work_.payload.data()) + done, from.length};
        if (guarded_copy(to, from, CopyKernel::cached) != Faulted::nobody)
            return false;
        side.advance(from.length);
        done += from.length;
    }
    return true;
}

Step Flow::start_move(const StepContext& context) noexcept {
    const bool small = work_.length <= abi::kMaxInline && !is(Opcode::read);
    if (small && !work_.has(flag::kInline) && !gather_small()) {
        return finish(Status::local_protection);
    }
    if (small && is(Opcode::send))
        return finish(Status::success);  // it travels in the completion
    if (work_.length == 0)
        return finish(Status::success);

    const RegionTable& theirs = *to_.regions;
    const Side list = Side::local(*from_.regions, work_.list.data(), work_.segments);
    switch (static_cast<Opcode>(work_.control.opcode)) {
        case Opcode::send:
            source_ = list;
            target_ = Side::local(theirs, receive_.list.data(), receive_.segments);
            if (const auto reached = reach(target_, Claim::peers); reached != Status::success) {
                if (!reached)
                    return stalled(Step::waits_region);  // still in Phase::acquire
                if (*reached == Status::peer_gone)
                    return finish(*reached);
                return finish_receiver_fault(Status::local_protection, Status::remote_access);
            }
            break;
        case Opcode::read:
            source_ = Side::remote(theirs, work_.remote, work_.length, abi::right::kRemoteRead);
            target_ = list;
            break;
        default:  // write, append
            source_ = list;
            target_ =
                Side::remote(theirs, work_.remote, work_.length,
                             is(Opcode::append) ? abi::right::kAppend : abi::right::kRemoteWrite);
            break;
    }
    pace_.begin(context.copies, work_.length);
    phase_ = Phase::move;
    return move_piece(context);
}

Step Flow::move_piece(const StepContext& context) noexcept {
    const bool small = work_.length <= abi::kMaxInline && !is(Opcode::read);
    std::uint64_t left = std::min(context.piece, work_.length - moved_);
    Faulted faulted = Faulted::nobody;
    while (left != 0 && faulted == Faulted::nobody) {
        Stretch source{reinterpret_cast<std::byte*>(work_.payload.data()) + moved_, left};
        Stretch target;
        if (!small && !source_.stretch(left, source)) {
            faulted = Faulted::source;
        } else if (!target_.stretch(source.length, target)) {
            faulted = Faulted::target;
        } else {
            source.length = target.length;
            const CopyKernel kernel = pace_.start(context.copies, target.length);
            faulted = guarded_copy(target, source, kernel);
            pace_.finish(context.copies, target.length);
            source_.advance(target.length);
            target_.advance(target.length);
            moved_ += target.length;
            left -= target.length;
            CAUSEWAY_FAULT_POINT("engine.move.stretch");
        }
    }
    if (faulted == Faulted::nobody) {
        CAUSEWAY_FAULT_POINT("engine.move.piece");
        return moved_ == work_.length ? finish(Status::success) : Step::progress;
    }
    return finish_fault(faulted == Faulted::source);
}

Step Flow::finish_fault(bool of_source) noexcept {
    // Reading, the source is the peer's; otherwise the target is.
    const bool own = of_source != is(Opcode::read);
    if (own)
        return finish(Status::local_protection);
    if (is(Opcode::send)) {
        return finish_receiver_fault(Status::local_protection, Status::remote_access);
    }
    return finish(Status::remote_access);
}

// ---- the way of most messages, in one stretch

bool Flow::is_plain(const StepContext& context) const noexcept {
    return is(Opcode::send) && work_.segments == 1 && work_.length > abi::kMaxInline &&
           work_.length <= context.piece;
}

AtOnce Flow::send_plain(const PlainSend& send, const StepContext& context) noexcept {
    if (!from_.can_complete_send())
        return AtOnce::no;
    work_.control = {.opcode = static_cast<std::uint8_t>(Opcode::send),
                     .flags = send.flags,
                     .segments = 1,
                     .phase = 0,
                     .immediate = send.immediate,
                     .id = 0};
    work_.descriptors = 1;
    work_.segments = 1;
    work_.length = send.segment.length;
    work_.list[0] = send.segment;
    append_at_ = 0;
    return is_plain(context) ? move_at_once(context) : AtOnce::no;
}

// Of work_, which is_plain(), when nobody has to be waited for and nothing asked. The whole
// segments are translated, as acquire() and start_move() do it. Whatever is wrong is for these to
// find and say, `no`; but for a fault.
AtOnce Flow::move_at_once(const StepContext& context) noexcept {
    if (!to_.can_complete_receive() || take_receive(to_.receives, receive_) != Taken::work ||
        receive_.segments != 1 || work_.length > receive_.length) {
        return AtOnce::no;
    }
    const abi::DataSegment& out = work_.list[0];
    const abi::DataSegment& in = receive_.list[0];
    Translation source;
    Translation target;
    if (!from_.regions->translate_local(out.handle, out.address, out.length, source) ||
        !to_.regions->translate_local(in.handle, in.address, in.length, target)) {
        return AtOnce::no;
    }
    end_stall();
    pace_.begin(context.copies, out.length);
    const CopyKernel kernel = pace_.start(context.copies, out.length);
    const Faulted faulted =
        guarded_copy({target.bytes, out.length}, {source.bytes, out.length}, kernel);
    pace_.finish(context.copies, out.length);
    if (faulted == Faulted::nobody) {
        CAUSEWAY_FAULT_POINT("engine.plain.moved");
        complete_receiver(Status::success);
        CAUSEWAY_FAULT_POINT("engine.plain.receiver_completed");
        complete_sender(Status::success);
        return AtOnce::succeeded;
    }
    (void)finish_fault(faulted == Faulted::source);
    return AtOnce::failed;
}

}  // namespace causeway::engine
