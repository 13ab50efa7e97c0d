#include "engine/copy_pace.hpp"

#include <algorithm>

#include "platform/clock.hpp"

namespace causeway::engine {
namespace {

constexpr std::uint64_t kWindow = std::uint64_t{1} << 20;  // bytes that are judged together
constexpr std::uint64_t kSmall = std::uint64_t{32} << 10;  // pieces of which few are timed
constexpr std::uint8_t kEach = 8;
constexpr std::uint64_t kLeastPace = 500;  // MB/s; slower was interrupted
constexpr std::uint8_t kMostStretch = 5;   // 128 times what the caches hold: a trial costs 1 to 2%
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
        if (++skipped_ < kEach) {
            weight_ = 0;
            return;
        }
        skipped_ = 0;
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
    window_bytes_ += length;
    window_ns_ += ns;
    if (window_bytes_ < kWindow)
        return;
    judge(plan, window_bytes_ * 1000 / std::max<std::uint64_t>(window_ns_, 1));
    window_bytes_ = 0;
    window_ns_ = 0;
}

void CopyPace::judge(const CopyPlan& plan, std::uint64_t pace) noexcept {
    const std::uint64_t held = held_by_caches(plan);
    if (around_) {
        since_ += window_bytes_;
        // The first ones throw the lines out of the caches; then it has to pay.
        if (since_ > held && pace * 5 < std::uint64_t{cached_pace_} * 6) {
            patience_ = std::min<std::uint8_t>(patience_ + 1, kMostPatience);
            go_back();
        } else if (since_ > (held * 4) << stretch_) {
            stretch_ = std::min<std::uint8_t>(stretch_ + 1, kMostStretch);
            go_back();
        }
        return;
    }
    if (pace >= plan.slow_below) {
        since_ = 0;
        stretch_ = 0;
        patience_ = 0;
        return;
    }
    since_ += window_bytes_;
    if (since_ > held << patience_)
        go_around(pace);
}

void CopyPace::go_around(std::uint64_t pace) noexcept {
    around_ = true;
    cached_pace_ = static_cast<std::uint32_t>(pace);
    since_ = 0;
}

void CopyPace::go_back() noexcept {
    around_ = false;
    since_ = 0;
}

}  // namespace causeway::engine
