#include "engine/copy_pace.hpp"

#include <algorithm>

#include "platform/clock.hpp"

namespace causeway::engine {
namespace {

constexpr std::uint64_t kWindow = std::uint64_t{1} << 20;  // bytes that are judged together
constexpr std::uint64_t kSmall = std::uint64_t{32} << 10;  // pieces of which few are timed
constexpr std::uint8_t kEach = 8;
constexpr std::uint64_t kLeastPace = 500;   // MB/s; slower was interrupted
constexpr std::uint64_t kLeastStretch = 4;  // times what the caches hold
constexpr std::uint8_t kMostStretch = 5;    // times 32: a trial costs 1 to 2%
constexpr std::uint8_t kMostPatience = 6;

// Two buffers of the size from which one copy has outgrown the caches.
constexpr std::uint64_t held_by_caches(const CopyPlan& plan) noexcept {
    constexpr std::uint64_t kMost = std::uint64_t{512} << 20;
    constexpr std::uint64_t kUnknown = std::uint64_t{32} << 20;
    return 2 *
           (plan.nontemporal_from == kNever ? kUnknown : std::min(plan.nontemporal_from, kMost));
}

}  // namespace

void CopyPace::start_clock(std::uint64_t length) noexcept {
    weight_ = 1;
    if (length < kSmall) {
        if (++untimed_ < kEach) {
            weight_ = 0;
            return;
        }
        untimed_ = 0;
        weight_ = kEach;
    }
    started_ = platform::ticks();
}

void CopyPace::stop_clock(const CopyPlan& plan, std::uint64_t length) noexcept {
    const std::uint64_t ns = platform::ticks_to_ns(platform::ticks() - started_);
    note(plan, length * weight_, ns * weight_);
}

void CopyPace::note(const CopyPlan& plan, std::uint64_t length, std::uint64_t ns) noexcept {
    if (ns * kLeastPace > length * 1000)
        return;
    window_.add(length, ns);
    if (window_.bytes < kWindow)
        return;
    if (around_)
        judge_around(plan);
    else
        judge_cached(plan);
    window_ = {};
}

void CopyPace::judge_cached(const CopyPlan& plan) noexcept {
    if (window_.mb_per_s() >= plan.slow_below) {
        run_ = {};
        stretch_ = 0;
        patience_ = 0;
        return;
    }
    run_.add(window_.bytes, window_.ns);
    if (run_.bytes > held_by_caches(plan) << patience_) {
        cached_pace_ = run_.mb_per_s();
        turn(true);
    }
}

void CopyPace::judge_around(const CopyPlan& plan) noexcept {
    // The first ones also throw the lines out of the caches: they are counted, not judged.
    const std::uint64_t held = held_by_caches(plan);
    if (skipped_bytes_ < held) {
        skipped_bytes_ += window_.bytes;
        return;
    }
    run_.add(window_.bytes, window_.ns);
    if (run_.bytes < (held * kLeastStretch) << stretch_)
        return;
    if (run_.mb_per_s() * 10 < cached_pace_ * 11) {
        patience_ = std::min<std::uint8_t>(patience_ + 1, kMostPatience);
    } else {
        stretch_ = std::min<std::uint8_t>(stretch_ + 1, kMostStretch);
        patience_ = 0;
    }
    turn(false);
}

void CopyPace::turn(bool around) noexcept {
    around_ = around;
    run_ = {};
    skipped_bytes_ = 0;
}

}  // namespace causeway::engine
