#include "engine/flow.hpp"

#include <algorithm>
#include <utility>

#include "base/fault_point.hpp"
#include "engine/record_log.hpp"
#include "platform/clock.hpp"
#include "platform/fault_guard.hpp"

namespace causeway::engine {

namespace flag = abi::descriptor_flag;
using abi::Opcode;
using abi::Status;

Step Flow::step(const StepContext& context) noexcept {
    now_ns_ = context.now_ns;
    switch (phase_) {
        case Phase::none:
            return begin(context);
        case Phase::acquire:
            return acquire(context);
        case Phase::move:
            return move_piece(context);
        case Phase::broken:
            return Step::broken;
    }
    return Step::idle;
}

Step Flow::begin(const StepContext& context) noexcept {
    if (!from_.sends.ready())
        return Step::idle;
    if (!from_.can_complete_send())
        return stalled(Step::waits_room);
    moved_ = 0;
    append_at_ = 0;
    const Taken taken = take_send(from_.sends, work_);
    if (taken == Taken::none)
        return Step::idle;
    CAUSEWAY_FAULT_POINT("engine.send.taken");
    if (taken == Taken::bad) {
        complete_sender(Status::bad_descriptor);
        blame_ = &from_;
        return Step::broken;
    }
    if (work_.has(flag::kFence)) {
        if (failed_since_fence_)
            return finish(Status::flushed);
    }
    if (taken == Taken::too_long)
        return finish(Status::local_length);
    if (!is_permitted())
        return refuse();
    if (is(Opcode::send) && work_.has(flag::kInline) && send_small(small_send()))
        return Step::progress;
    if (is_plain(context) && move_at_once(context) != AtOnce::no)
        return Step::progress;
    if (is(Opcode::nop))
        return finish(Status::success);
    phase_ = Phase::acquire;
    return acquire(context);
}

bool Flow::is_permitted() const noexcept {
    return (from_.permitted.load(std::memory_order_relaxed) >> work_.control.opcode & 1u) != 0;
}

Step Flow::refuse() noexcept {
    from_.refused = work_.control.opcode;
    return finish(Status::denied);
}

bool Flow::needs_receive() const noexcept {
    return is(Opcode::send) || (is(Opcode::write) && work_.has(flag::kImmediate));
}

// Obtains what the destination side has to give: rights, a posted receive, Append's lock and
// offset. May be entered again after a wait, so it looks at everything anew.
Step Flow::acquire(const StepContext& context) noexcept {
    const RegionTable& own = *from_.regions;
    if (!work_.has(flag::kInline) && !Side::local(own, work_.list.data(), work_.segments).check()) {
        return finish(Status::local_protection);
    }
    if (is(Opcode::write) || is(Opcode::read)) {
        const std::uint32_t right =
            is(Opcode::write) ? abi::right::kRemoteWrite : abi::right::kRemoteRead;
        const auto reached =
            reach(Side::remote(*to_.regions, work_.remote, work_.length, right), Claim::own);
        if (!reached)
            return stalled(Step::waits_region);
        if (*reached != Status::success)
            return finish(*reached);
    }
    if (is(Opcode::append)) {
        if (const Step step = acquire_append(); step != Step::progress)
            return step;
        if (phase_ == Phase::none)
            return Step::progress;  // it has ended
    }
    if (needs_receive()) {
        if (const Step step = acquire_receive(); step != Step::progress)
            return step;
        if (phase_ == Phase::none)
            return Step::progress;
    }
    end_stall();
    deadline_ns_ = UINT64_MAX;
    return start_move(context);
}

// Is all of the peer's side within regions that are known here, or can be obtained? None: it cannot
// be said now.
std::optional<Status> Flow::reach(const Side& side, Claim claim) noexcept {
    if (side.check())
        return Status::success;
    if (to_.source == nullptr)
        return Status::remote_access;
    Status refused = Status::remote_access;
    bool known = true;
    side.each_unknown([&](std::uint32_t handle) {
        const auto why = to_.source->obtain(handle, claim);
        if (why == Status::denied || why == Status::peer_gone)
            refused = *why;
        known = known && why.has_value();
    });
    if (!known)
        return std::nullopt;
    return side.check() ? Status::success : refused;
}

std::uint64_t Flow::now() noexcept {
    if (now_ns_ == 0)
        now_ns_ = platform::monotonic_ns();
    return now_ns_;
}

Step Flow::acquire_receive() noexcept {
    // A receiver that takes no completions is as slow as one that posts no receives.
    const bool room = to_.can_complete_receive();
    const std::uint64_t needed = is(Opcode::write) ? 0 : work_.length;
    if (room && needed <= abi::kMaxInline && to_.simple_receive(needed)) {
        receive_.descriptors = 1;
        has_receive_ = true;
        CAUSEWAY_FAULT_POINT("engine.receive.taken");
        return Step::progress;
    }
    switch (room ? take_receive(to_.receives, receive_) : Taken::none) {
        case Taken::none:
            if (out_of_patience())
                return finish(Status::receiver_not_ready);
            return stalled(room ? Step::waits_receive : Step::waits_room);
        case Taken::bad:
        case Taken::too_long:
            complete_receiver(Status::bad_descriptor);
            blame_ = &to_;
            return Step::broken;
        case Taken::work:
            break;
    }
    has_receive_ = true;
    CAUSEWAY_FAULT_POINT("engine.receive.taken");
    if (is(Opcode::write))
        return Step::progress;  // the data goes elsewhere
    if (work_.length > receive_.length) {
        return finish_receiver_fault(Status::local_length, Status::remote_length);
    }
    return Step::progress;
}

Step Flow::acquire_append() noexcept {
    Region* region = append_target();
    if (region == nullptr) {
        const auto reached =
            reach(Side::remote(*to_.regions, work_.remote, 0, abi::right::kAppend), Claim::own);
        if (!reached)
            return stalled(Step::waits_region);
        region = append_target();
        if (region == nullptr)
            return finish(*reached == Status::success ? Status::remote_access : *reached);
    }
    if (redo_append(*region))
        return Step::progress;
    if ((region->rights & abi::right::kExportable) != 0)
        return reserve_record(*region);
    if (!has_lock_) {
        std::uint64_t free = 0;
        // SYNC(append-lock): acquire, pairs with the release in end_append(); forbids two flows to
        // obtain the same offset.
        if (!region->append_lock.compare_exchange_strong(free, id_, std::memory_order_acquire)) {
            return stalled(Step::waits_lock);
        }
        has_lock_ = true;
        CAUSEWAY_FAULT_POINT("engine.append.locked");
    }
    append_at_ = region->append_offset.load(std::memory_order_relaxed);
    if (work_.length > region->length || append_at_ > region->length - work_.length) {
        return finish(Status::remote_length);
    }
    // From here on it is a write to where the offset points.
    work_.remote.address = region->address + append_at_;
    note_append();
    return Step::progress;
}

// Whoever goes on in this executor's place finds where the data goes.
void Flow::note_append() const noexcept {
    if (from_.trace == nullptr)
        return;
    Trace& trace = *from_.trace;
    trace.append_of.store(0, std::memory_order_relaxed);
    trace.append_region.store(work_.remote.handle, std::memory_order_relaxed);
    trace.append_at.store(append_at_, std::memory_order_relaxed);
    trace.append_length.store(work_.length, std::memory_order_relaxed);
    // SYNC(trace): last, with release: who finds the index finds the rest.
    trace.append_of.store(from_.sends.consumed() + 1, std::memory_order_release);
}

// An Append that an earlier executor has begun keeps its place, which was kept for it (the region's
// offset stands behind it).
bool Flow::redo_append(Region& region) noexcept {
    if (!std::exchange(redo_append_, false))
        return false;
    const Trace& trace = *from_.trace;
    if (trace.append_of.load(std::memory_order_relaxed) != from_.sends.consumed() + 1)
        return false;  // that one has ended before it came to this
    const std::uint64_t at = trace.append_at.load(std::memory_order_relaxed);
    const bool same = trace.append_region.load(std::memory_order_relaxed) == work_.remote.handle &&
                      trace.append_length.load(std::memory_order_relaxed) == work_.length;
    if (!same || work_.length > region.length || at > region.length - work_.length)
        return false;
    if ((region.rights & abi::right::kExportable) != 0) {
        // Noted before it was reserved, perhaps never.
        RecordLog log(region.base, region.length, region.append_offset);
        if (!platform::guarded([&] {
                has_record_ = log.recognize(at - abi::kRecordHeader,
                                            static_cast<std::uint32_t>(work_.length), from_.number);
            }) ||
            !has_record_)
            return false;
    }
    append_at_ = at;
    work_.remote.address = region.address + at;
    return true;
}

Region* Flow::append_target() const noexcept {
    return to_.regions->find_remote(work_.remote, abi::right::kAppend);
}

// A region that others write without the adapter has no lock: the record's header is the
// reservation (abi/append_log.hpp).
Step Flow::reserve_record(Region& region) noexcept {
    if (has_record_)
        return Step::progress;
    RecordLog log(region.base, region.length, region.append_offset);
    auto reserved = RecordLog::Reserved::full;
    std::uint64_t at = 0;
    const auto length = static_cast<std::uint32_t>(work_.length);
    const auto note = [&] {
        append_at_ = at + abi::kRecordHeader;
        note_append();
    };
    if (!platform::guarded([&] { reserved = log.reserve(length, from_.number, at, note); }))
        return finish(Status::remote_access);
    if (reserved == RecordLog::Reserved::full)
        return finish(Status::remote_length);
    if (reserved == RecordLog::Reserved::more)
        return Step::waits_lock;  // others have their turn meanwhile
    has_record_ = true;
    CAUSEWAY_FAULT_POINT("engine.append.reserved");
    work_.remote.address = region.address + append_at_;
    return Step::progress;
}

// Lets go of what an Append holds. The record or offset counts only if the descriptor succeeded;
// false: it did not count after all.
bool Flow::end_append(Status status) noexcept {
    bool counted = true;
    Region* region = append_target();
    if (has_lock_ && region != nullptr) {
        if (status == Status::success)
            region->append_offset.store(append_at_ + work_.length, std::memory_order_relaxed);
        region->append_lock.store(0, std::memory_order_release);  // SYNC(append-lock)
    }
    if (has_record_ && region != nullptr) {
        RecordLog log(region->base, region->length, region->append_offset);
        const auto state =
            status == Status::success ? abi::RecordState::committed : abi::RecordState::closed;
        const bool whole = platform::guarded([&] {
            counted = log.end(append_at_ - abi::kRecordHeader,
                              static_cast<std::uint32_t>(work_.length), from_.number, state);
        });
        counted = counted && whole;
    }
    has_lock_ = false;
    has_record_ = false;
    return counted;
}

// Has the sender waited for the receiver as long as it wanted to? The first question starts the
// wait.
bool Flow::out_of_patience() noexcept {
    const Patience& patience = from_.patience;
    if (patience.kind == abi::Patience::error)
        return true;
    if (patience.kind == abi::Patience::block)
        return false;
    if (deadline_ns_ == UINT64_MAX) {
        deadline_ns_ = now() + std::min(patience.limit_ns, UINT64_MAX - now());
    }
    return deadline_ns_ <= now();
}

Step Flow::stalled(Step why) noexcept {
    if (stalled_since_ns_ == 0) {
        stalled_since_ns_ = now();
        from_.counters.stalls.add(1);
    }
    return why;
}

void Flow::count_stall() noexcept {
    from_.counters.stall_ns.add(now() - stalled_since_ns_);
    stalled_since_ns_ = 0;
}

Step Flow::finish_receiver_fault(Status receiver, Status sender) noexcept {
    complete_receiver(receiver);
    return finish(sender);
}

// Ends the current descriptor: the receiver hears first, then the sender. A receive that was looked
// at for a message whose sender failed stays posted.
Step Flow::finish(Status status) noexcept {
    if (has_receive_ && status == Status::success)
        complete_receiver(status);
    CAUSEWAY_FAULT_POINT("engine.receiver.completed");
    has_receive_ = false;
    if ((has_lock_ || has_record_) && !end_append(status) && status == Status::success)
        status = Status::remote_access;
    CAUSEWAY_FAULT_POINT("engine.append.ended");
    complete_sender(status);
    CAUSEWAY_FAULT_POINT("engine.sender.completed");
    phase_ = Phase::none;
    deadline_ns_ = UINT64_MAX;
    end_stall();
    return Step::progress;
}

SmallSend Flow::small_send() const noexcept {
    return {work_.control.flags, work_.control.immediate, static_cast<std::uint32_t>(work_.length),
            work_.payload.data()};
}

void Flow::complete_receiver(Status status) noexcept {
    if (receive_.descriptors > 1 && to_.trace != nullptr) {
        to_.trace->chain.store(receive_.descriptors, std::memory_order_relaxed);
        to_.trace->chain_at.store(to_.receives.consumed(), std::memory_order_release);
    }
    if (status == Status::success && is(Opcode::send) && work_.length <= abi::kMaxInline) {
        deliver(small_send());
    } else {
        const bool whole = status == Status::success;
        const bool immediate = whole && work_.has(flag::kImmediate);
        to_.complete_receive(
            {.status = status,
             .opcode =
                 static_cast<std::uint8_t>(is(Opcode::write) ? Opcode::write : Opcode::receive),
             .flags = immediate ? abi::completion_flag::kImmediate : std::uint8_t{0},
             .length = whole ? static_cast<std::uint32_t>(work_.length) : 0,
             .immediate = immediate ? work_.control.immediate : 0,
             .sequence = from_.sends.consumed()});
    }
    to_.receives.advance(receive_.descriptors);
}

void Flow::complete_sender(Status status) noexcept {
    from_.counters.operations.add(1);
    if (status == Status::success) {
        from_.counters.bytes.add(work_.length);
    } else {
        from_.counters.errors.add(1);
    }
    if (work_.descriptors > 1 && from_.trace != nullptr) {
        from_.trace->send_chain.store(work_.descriptors, std::memory_order_relaxed);
        from_.trace->send_chain_at.store(from_.sends.consumed(), std::memory_order_release);
    }
    if (status != Status::success || work_.has(flag::kSignaled)) {
        from_.complete_send(
            status, work_.control.opcode,
            status == Status::success ? static_cast<std::uint32_t>(work_.length) : 0, append_at_);
        note_failure(status);
    }
    from_.sends.advance(work_.descriptors);
}

// What fails makes the next fence flush; what that has flushed lies before it, not behind it.
void Flow::note_failure(Status status) noexcept {
    if (status == Status::success)
        return;
    failed_since_fence_ = status != Status::flushed;
    if (from_.trace != nullptr)
        from_.trace->failed.store(failed_since_fence_ ? 1 : 0, std::memory_order_release);
}

void Flow::abandon() noexcept {
    if (has_lock_ || has_record_)
        (void)end_append(Status::flushed);
    has_receive_ = false;
    phase_ = Phase::none;
}

}  // namespace causeway::engine
