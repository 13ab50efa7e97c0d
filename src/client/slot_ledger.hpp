// SlotLedger: what this process has posted into one ring and not yet seen the end of.
//
// Everything here is private memory: the executor's word is only ever checked against it.
//
// Threading: the queue pair's thread. Ownership: owns its records.
//
// Invariants:
//  1. Entries [oldest, next) of the ring are in use, at most as many as the ring has; `oldest` is
//     the head of a chain that has not ended, or equals `next`.
//  2. A posted descriptor ends exactly once: end() and take_oldest() find it at most once.
//  3. Descriptors end in the order in which they were posted, so the end of one means that all
//     silent ones (posted unsignaled) before it have succeeded.
#pragma once

#include <cstdint>
#include <vector>

namespace causeway::client {

struct SlotRecord {
    std::uint64_t id = 0;          // the caller's
    std::uint32_t length = 0;      // bytes that were posted
    std::uint8_t opcode = 0;       // abi::Opcode
    std::uint8_t descriptors = 1;  // ring entries of the chain
    bool silent = false;           // succeeds without a completion
};

class SlotLedger {
public:
    explicit SlotLedger(std::uint32_t entries) : slots_(entries), mask_(entries - 1) {}

    [[nodiscard]] std::uint32_t entries() const noexcept { return mask_ + 1; }
    [[nodiscard]] std::uint32_t used() const noexcept {
        return static_cast<std::uint32_t>(next_ - oldest_);
    }
    [[nodiscard]] std::uint32_t free() const noexcept { return entries() - used(); }
    // Index of the oldest entry that is in use.
    [[nodiscard]] std::uint64_t oldest() const noexcept { return oldest_; }
    // Descriptors of which no end is known.
    [[nodiscard]] std::uint32_t outstanding() const noexcept { return outstanding_; }

    // Notes a chain at the ring's next slot. There must be room.
    void post(const SlotRecord& record) noexcept {
        Slot& slot = slots_[slot_of(next_)];
        slot.record = record;
        slot.in_flight = true;
        next_ += record.descriptors;
        silent_ += record.silent ? 1 : 0;
        ++outstanding_;
    }
    // Passes over the ring's next slot: a descriptor of one entry, which ended well while it was
    // posted and of which nobody is to hear. There must be room.
    void pass() noexcept {
        if (outstanding_ == 0) {
            oldest_ = ++next_;
            return;
        }
        Slot& slot = slots_[slot_of(next_++)];
        slot.record.descriptors = 1;
        slot.in_flight = false;
    }
    // The outstanding descriptor whose head stands in `slot`; null if there is none. Any number may
    // be asked for.
    [[nodiscard]] const SlotRecord* find(std::uint32_t slot) const noexcept {
        return slot <= mask_ && slots_[slot].in_flight ? &slots_[slot].record : nullptr;
    }
    // Ends the descriptor in `slot`, which find() has found, and the silent ones before it.
    void end(std::uint32_t slot) noexcept {
        const std::uint32_t ahead = (slot - slot_of(oldest_)) & mask_;
        if (silent_ != 0)
            succeed_silent(oldest_ + ahead);
        retire(slots_[slot]);
        sweep();
    }
    // The executor has said that it is done with the first `taken` entries, and no completion of
    // these waits to be taken: the silent ones among them have succeeded. Any number may be said.
    void done_with(std::uint64_t taken) noexcept {
        if (silent_ == 0 || taken - oldest_ > next_ - oldest_)
            return;
        succeed_silent(taken);
        sweep();
    }
    // Ends the oldest outstanding descriptor, whatever it is; false if there is none.
    [[nodiscard]] bool take_oldest(SlotRecord& out) noexcept {
        if (outstanding_ == 0)
            return false;
        Slot& slot = slots_[slot_of(oldest_)];
        out = slot.record;
        retire(slot);
        sweep();
        return true;
    }

private:
    struct Slot {
        SlotRecord record;
        bool in_flight = false;  // head of a chain that has not ended
    };
    [[nodiscard]] std::uint32_t slot_of(std::uint64_t index) const noexcept {
        return static_cast<std::uint32_t>(index) & mask_;
    }
    // Ends the silent ones whose head comes before entry `end`, which is not past `next_`.
    void succeed_silent(std::uint64_t end) noexcept {
        for (std::uint64_t i = oldest_; i < end;) {
            Slot& slot = slots_[slot_of(i)];
            i += slot.record.descriptors;
            if (slot.in_flight && slot.record.silent && i <= end)
                retire(slot);
        }
    }
    void retire(Slot& slot) noexcept {
        slot.in_flight = false;
        silent_ -= slot.record.silent ? 1 : 0;
        --outstanding_;
    }
    void sweep() noexcept {
        while (oldest_ != next_ && !slots_[slot_of(oldest_)].in_flight) {
            oldest_ += slots_[slot_of(oldest_)].record.descriptors;
        }
    }

    std::vector<Slot> slots_;
    std::uint32_t mask_;
    std::uint32_t outstanding_ = 0;
    std::uint32_t silent_ = 0;  // of the outstanding ones
    std::uint64_t oldest_ = 0;
    std::uint64_t next_ = 0;
};

}  // namespace causeway::client
