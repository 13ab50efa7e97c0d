// The four rings of a queue pair's end, seen from their producer or their consumer.
//
// Threading: each view belongs to one thread. Ownership: the views borrow the mapped memory.
//
// Invariants:
//  1. Sizes and indices are private to the view; nothing in shared memory moves them except the
//     phase of the very next slot.
//  2. A consumer copies a slot once and acts on the copy.
//  3. A producer writes a slot only if its caller has made sure that the slot is free.
#pragma once

#include <array>
#include <bit>
#include <causeway/abi/completion.hpp>
#include <causeway/abi/descriptor.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "shm/line.hpp"

namespace causeway::shm {

// The words of a completion before its payload.
using Head = std::array<std::uint64_t, 4>;
static_assert(sizeof(Head) == offsetof(abi::Completion, payload));

// Where entry `index` of a ring lies.
class RingView {
public:
    RingView() = default;
    RingView(std::byte* base, std::uint32_t entries) noexcept
        : base_(base), mask_(entries - 1), shift_(std::countr_zero(entries)) {}

    [[nodiscard]] std::uint32_t entries() const noexcept { return mask_ + 1; }
    [[nodiscard]] std::uint32_t slot_of(std::uint64_t index) const noexcept {
        return static_cast<std::uint32_t>(index) & mask_;
    }
    [[nodiscard]] std::byte* at(std::uint64_t index) const noexcept {
        return base_ + std::size_t{slot_of(index)} * abi::kCacheLine;
    }
    // abi::phase_of_lap.
    [[nodiscard]] std::uint8_t phase(std::uint64_t index) const noexcept {
        return static_cast<std::uint8_t>((index >> shift_) + 1);
    }

private:
    std::byte* base_ = nullptr;
    std::uint32_t mask_ = ~0U;  // of no ring: no entries
    std::int32_t shift_ = 0;
};

// Produces entries of one kind (abi::Descriptor or abi::Completion).
template<typename Entry>
class Producer {
public:
    Producer() = default;
    Producer(std::byte* base, std::uint32_t entries) noexcept : ring_(base, entries) {}

    // Entries produced so far; the next one goes to slot next_slot().
    [[nodiscard]] std::uint64_t produced() const noexcept { return next_; }
    [[nodiscard]] std::uint32_t next_slot() const noexcept { return ring_.slot_of(next_); }
    [[nodiscard]] std::uint32_t entries() const noexcept { return ring_.entries(); }
    // Slots that are free given how many entries the consumer says it has taken. Whatever it says,
    // the result is at most entries().
    [[nodiscard]] std::uint32_t room(std::uint64_t consumed) const noexcept {
        const std::uint64_t used = next_ - consumed;
        return used >= ring_.entries() ? 0 : static_cast<std::uint32_t>(ring_.entries() - used);
    }

    // Goes on in another ring of the same size, to which this one's slots were copied.
    void move_to(const Producer& other) noexcept { ring_ = other.ring_; }

    void publish(Entry entry) noexcept { publish(std::span<Entry>(&entry, 1)); }

    // Publishes a chain: the head's first word goes last, so a reader sees the whole or nothing.
    void publish(std::span<Entry> chain) noexcept {
        std::uint64_t head = 0;
        for (std::size_t i = chain.size(); i-- > 0;) {
            const std::uint64_t index = next_ + i;
            set_phase(chain[i], ring_.phase(index));
            const Line line = std::bit_cast<Line>(chain[i]);
            store_body(ring_.at(index), line);
            if (i == 0) {
                head = line[0];
            } else {
                store_first(ring_.at(index), line[0]);
            }
        }
        store_first(ring_.at(next_), head);
        next_ += chain.size();
    }
    // A completion that its producer has put together in words, the first of them without a phase,
    // and of its payload `count` words. What the slot had behind them stays: nobody looks at it.
    void publish(const Head& head, const std::uint64_t* payload,
                 std::uint32_t count) noexcept requires std::same_as<Entry, abi::Completion> {
        std::byte* const slot = ring_.at(next_);
#pragma GCC unroll 4
        for (std::size_t i = 1; i < head.size(); ++i)
            store_word(slot, i, head[i]);
        for (std::uint32_t i = 0; i < count; ++i)
            store_word(slot, head.size() + i, payload[i]);
        store_first(slot, head[0] | std::uint64_t{ring_.phase(next_)} << kPhaseShift);
        ++next_;
    }
    // An entry of its own that its producer has put together in words, without a phase.
    void publish(const Line& line) noexcept {
        std::byte* const slot = ring_.at(next_);
        store_body(slot, line);
        store_first(slot, line[0] | std::uint64_t{ring_.phase(next_)} << kPhaseShift);
        ++next_;
    }
    // Goes on from `index`, on what an earlier producer has left.
    void go_on_from(std::uint64_t index) noexcept { next_ = index; }
    // Has an earlier producer published the next entry already? Then `out` is a copy.
    [[nodiscard]] bool peek(Entry& out) const noexcept {
        const std::byte* slot = ring_.at(next_);
        const std::uint64_t first = load_first(slot);
        if (phase_of(first) != ring_.phase(next_))
            return false;
        out = snapshot<Entry>(slot, first);
        return true;
    }
    // Leaves a slot as it is: an entry that is over before a consumer in the same process sees it.
    void skip() noexcept { ++next_; }

private:
    static void set_phase(abi::Descriptor& entry, std::uint8_t phase) noexcept {
        entry.control.phase = phase;
    }
    static void set_phase(abi::Completion& entry, std::uint8_t phase) noexcept {
        entry.phase = phase;
    }

    RingView ring_;
    std::uint64_t next_ = 0;
};

// Consumes entries of one kind.
template<typename Entry>
class Consumer {
public:
    Consumer() = default;
    Consumer(std::byte* base, std::uint32_t entries) noexcept : ring_(base, entries) {}

    // Entries consumed so far; the next one stands in slot next_slot().
    [[nodiscard]] std::uint64_t consumed() const noexcept { return next_; }
    [[nodiscard]] std::uint32_t next_slot() const noexcept { return ring_.slot_of(next_); }
    [[nodiscard]] std::uint32_t entries() const noexcept { return ring_.entries(); }
    [[nodiscard]] bool ready() const noexcept { return ready(0); }
    // Whether the entry `ahead` places after the next one is published.
    [[nodiscard]] bool ready(std::uint32_t ahead) const noexcept {
        return phase_of(load_first(ring_.at(next_ + ahead))) == ring_.phase(next_ + ahead);
    }
    // Copies the entry `ahead` places after the next one; false if it is not published. A second
    // peek may see something else: act on one copy.
    [[nodiscard]] bool peek(Entry& out, std::uint32_t ahead = 0) const noexcept {
        const std::byte* slot = ring_.at(next_ + ahead);
        const std::uint64_t first = load_first(slot);
        if (phase_of(first) != ring_.phase(next_ + ahead))
            return false;
        out = snapshot<Entry>(slot, first);
        return true;
    }
    // The same in words, the phase among them.
    [[nodiscard]] bool peek(Line& out, std::uint32_t ahead = 0) const noexcept {
        const std::byte* slot = ring_.at(next_ + ahead);
        const std::uint64_t first = load_first(slot);
        if (phase_of(first) != ring_.phase(next_ + ahead))
            return false;
        out = snapshot<Line>(slot, first);
        return true;
    }
    // The first word of the next entry, by which it is published; false if it is not.
    [[nodiscard]] bool peek_first(std::uint64_t& first) const noexcept {
        first = load_first(ring_.at(next_));
        return phase_of(first) == ring_.phase(next_);
    }
    // Another word of it, after peek_first(): each is to be loaded once.
    [[nodiscard]] std::uint64_t word(std::size_t i) const noexcept {
        return load_word(ring_.at(next_), i);
    }
    // Has the line of the entry `ahead` places on brought to this core.
    void prepare(std::uint32_t ahead) const noexcept {
        __builtin_prefetch(ring_.at(next_ + ahead), 0);
    }
    void advance(std::uint32_t count = 1) noexcept { next_ += count; }
    // Goes on from `index`, in the place of an earlier consumer.
    void go_on_from(std::uint64_t index) noexcept { next_ = index; }

private:
    RingView ring_;
    std::uint64_t next_ = 0;
};

using DescriptorProducer = Producer<abi::Descriptor>;
using DescriptorConsumer = Consumer<abi::Descriptor>;
using CompletionProducer = Producer<abi::Completion>;
using CompletionConsumer = Consumer<abi::Completion>;

}  // namespace causeway::shm
