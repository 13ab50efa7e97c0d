// CopyPace: chooses the kernel of each piece, from the message's size and from how fast the last
// copies went.
//
// What a copy through the caches costs is decided by where the target's lines stand: in this
// core's reach, or in the cache of a far core that has just read them, or nowhere because more
// buffers rotate than the caches hold. None of that can be seen in a descriptor; the copy's own
// pace tells all of it (docs/adr/0004-copy-kernels.md). So:
//
//   cached -- too much in a row was slow --> around -- its stretch is over --> cached, on trial
//                                               \-- no faster either --> cached, more patient
//
// "Too much" is what the caches hold (twice CopyPlan::nontemporal_from): by then every buffer of a
// rotation that fits into them has been written once and would be near. Stretches double as long as
// trials fail, so that trials cost little.
//
// Threading: one thread, that of the flow. Ownership: none.
//
// Invariants:
//  1. Without slow_below in the plan no clock is read, and size alone decides.
//  2. Of small pieces only every eighth is timed; it counts for all eight.
#pragma once

#include <cstdint>

#include "engine/copy_plan.hpp"

namespace causeway::engine {

class CopyPace {
public:
    // A message of `length` bytes begins.
    void begin(const CopyPlan& plan, std::uint64_t length) noexcept {
        always_ = length >= plan.nontemporal_from;
        cached_ = plan.cached_kernel(length);
    }
    // The kernel for its next `length` bytes, which are then copied at once, and finish() follows.
    [[nodiscard]] CopyKernel start(const CopyPlan& plan, std::uint64_t length) noexcept {
        weight_ = 0;
        if (length < plan.nontemporal_least)
            return cached_;
        if (always_)
            return plan.nontemporal;
        if (plan.slow_below != 0)
            start_clock(length);
        return around_ ? plan.nontemporal : cached_;
    }
    void finish(const CopyPlan& plan, std::uint64_t length) noexcept {
        if (weight_ != 0)
            stop_clock(plan, length);
    }
    // The same with a time that the caller has: `length` bytes took `ns`.
    void note(const CopyPlan& plan, std::uint64_t length, std::uint64_t ns) noexcept;

    [[nodiscard]] bool around() const noexcept { return around_; }

private:
    struct Copied {
        std::uint64_t bytes = 0;
        std::uint64_t ns = 0;

        void add(std::uint64_t more, std::uint64_t took) noexcept {
            bytes += more;
            ns += took;
        }
        [[nodiscard]] std::uint64_t mb_per_s() const noexcept {
            return bytes * 1000 / (ns != 0 ? ns : 1);
        }
    };
    void start_clock(std::uint64_t length) noexcept;
    void stop_clock(const CopyPlan& plan, std::uint64_t length) noexcept;
    void judge_cached(const CopyPlan& plan) noexcept;
    void judge_around(const CopyPlan& plan) noexcept;
    void turn(bool around) noexcept;

    CopyKernel cached_ = CopyKernel::cached;
    bool always_ = false;
    bool around_ = false;
    std::uint8_t weight_ = 0;    // what the piece under way counts; 0: it is not timed
    std::uint8_t untimed_ = 0;   // small pieces since the last timed one
    std::uint8_t stretch_ = 0;   // of going around, see kLeastStretch
    std::uint8_t patience_ = 0;  // 1 << patience_ times what the caches hold may be slow
    std::uint64_t started_ = 0;  // ticks
    Copied window_;
    Copied run_;  // windows that were slow, one after the other; or of this stretch
    std::uint64_t skipped_bytes_ = 0;  // at the beginning of this stretch
    std::uint64_t cached_pace_ = 0;    // MB/s, when it went around
};

}  // namespace causeway::engine
