// FairQueue: whose request comes next. Each party has a queue of its own; they take turns by what
// their requests cost (deficit round robin), a party of twice the weight getting twice as much, and
// none more than its limits.
//
// Source: M. Shreedhar and G. Varghese, "Efficient fair queuing using deficit round robin" (1995);
// the limits are token buckets.
//
// Threading: one thread.
//
// Invariants:
//  1. A party that has nothing queued has no claim on later turns.
//  2. A request that is longer than the bytes that a limit lets through at once passes when the
//     bucket is full, and leaves a debt.
//  3. A request that is served in parts is limited once, and takes a turn for each part.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace causeway::io::block {

// What a party may have. 0: without limit.
struct Allowance {
    std::uint32_t weight = 1;    // at least 1
    std::uint64_t requests = 0;  // per second
    std::uint64_t bytes = 0;     // per second
};

class FairQueue {
public:
    using Party = std::uint32_t;
    // A part of a request. The first of its party's stays queued until the last part.
    struct Turn {
        std::uint32_t item = 0;
        std::uint64_t bytes = 0;
        bool last = true;
    };
    static constexpr std::uint64_t kRequestCost = 4096;     // in bytes: of one that moves nothing
    static constexpr std::uint64_t kQuantum = 8192;         // bytes that weight 1 gets in a turn
    static constexpr std::uint64_t kBurstNs = 100'000'000;  // that a limit saves up, at most
    static constexpr std::uint64_t kTogetherNs = 100'000'000;  // between turns of several
    static constexpr std::uint64_t kLatelyNs = 1'000'000'000;

    // All throw std::bad_alloc only.
    [[nodiscard]] Party add(const Allowance& allowance, std::uint64_t now_ns);
    void remove(Party party) noexcept;  // with what it has queued
    void push(Party party, std::uint32_t item, std::uint64_t bytes);
    // In front, and past the limits: what had its first turn already, in vain.
    void push_again(Party party, std::uint32_t item, std::uint64_t bytes);
    // At most so many bytes of the next one; none: nothing is queued that may go now.
    [[nodiscard]] std::optional<Turn> pop(std::uint64_t now_ns,
                                          std::uint64_t most = UINT64_MAX) noexcept;
    // After a turn that was not the last: the rest of that request is done as well, or is not to
    // be done now.
    enum class Rest : std::uint8_t { done, left };
    void take_rest(Party party, Rest rest) noexcept;
    // Have several parties had turns by turns lately?
    [[nodiscard]] bool shared(std::uint64_t now_ns) const noexcept {
        return now_ns < shared_until_ns_;
    }
    // When pop() may have something again where it had nothing; UINT64_MAX: after a push().
    [[nodiscard]] std::uint64_t next_moment() const noexcept { return next_ns_; }
    [[nodiscard]] bool empty() const noexcept { return queued_ == 0; }
    // Takes out the queued items of a party for which `is_its(item)` holds.
    template<typename F>
    void drop(Party party, F&& is_its) {
        auto& items = parties_[party]->items;
        const auto before = items.size();
        std::erase_if(items, [&](const Item& item) { return is_its(item.number); });
        queued_ -= before - items.size();
    }

private:
    struct Item {
        std::uint32_t number;
        std::uint64_t bytes;  // left
        bool begun;           // has had a turn: the limits know of it
    };
    // Tokens come at `rate` per second; they may be owed.
    struct Bucket {
        std::uint64_t rate = 0;
        std::int64_t tokens = 0;
        std::uint64_t at_ns = 0;
        void fill(std::uint64_t now_ns) noexcept;
        // 0: may go now. Else: when.
        [[nodiscard]] std::uint64_t wait_until(std::int64_t wanted, std::uint64_t now_ns) noexcept;
        [[nodiscard]] std::int64_t most() const noexcept;
    };
    struct Lane {
        Allowance allowance;
        std::int64_t deficit = 0;  // bytes; below zero: had more than its turn
        std::deque<Item> items{};
        Bucket requests{};
        Bucket bytes{};
    };
    static void begin(Lane& lane, Item& item) noexcept;  // its first turn
    void note_turn(std::uint64_t now_ns) noexcept;
    [[nodiscard]] std::uint64_t limited_until(Lane& lane, std::uint64_t now_ns) const noexcept;

    std::vector<std::unique_ptr<Lane>> parties_;  // null: free
    std::size_t turn_ = 0;
    bool fresh_turn_ = true;  // its quantum has not been added yet
    std::size_t queued_ = 0;
    std::size_t last_ = SIZE_MAX;   // who had the last turn
    std::uint64_t changed_ns_ = 0;  // when it was another's before; 0: never yet
    std::uint64_t shared_until_ns_ = 0;
    std::uint64_t next_ns_ = UINT64_MAX;
};

}  // namespace causeway::io::block
