// Spinner: how to wait a moment for a word in memory, also where there are more waiters than cores.
//
//     Spinner spinner;
//     while (nothing there) spinner.spin();
//     spinner.reset();
//
// Threading: one thread. Keep one per thread and loop: it learns.
//
// Each spin() is a pause. When a wait has lasted kFirstNs comes a sched_yield, whose duration tells
// whether somebody else wanted this core. If nobody did (it came back at once), the next comes
// after twice that, and so on to kMostNs. If somebody did, one comes after every kLeastPolls:
// spinners that share a core alternate fast, also in the waits that follow. By time, not by polls:
// a poll of a whole unit takes many times as long as that of a ring, and whoever was woken on the
// core of its peer must give it back soon, whatever an earlier wait has shown.
//
// Who serves several parties, and has so much to do that it never waits, calls worked() instead of
// reset(): a party that shares its core would else wait for the scheduler's slice to end.
#pragma once

#include <cstdint>

#include "platform/clock.hpp"
#include "platform/cpu.hpp"

namespace causeway::platform {

class Spinner {
public:
    static constexpr std::uint32_t kLeastPolls = 2;
    static constexpr std::uint32_t kPollsPerLook = 8;  // at the clock
    static constexpr std::uint64_t kFirstNs = 4'000;
    static constexpr std::uint64_t kMostNs = 64'000;
    static constexpr std::uint64_t kWorkNs = 3'000;  // between yields of one that works, if crowded

    // After a poll that found nothing.
    void spin() noexcept {
        cpu_relax();
        if (++polls_ % (crowded_ ? kLeastPolls : kPollsPerLook) == 0)
            look();
    }
    // After a poll that found something. Whether the core is crowded stays known.
    void reset() noexcept {
        polls_ = 0;
        until_ = 0;
        stretch_ns_ = 0;
    }

    // After a poll that found something, if others wait meanwhile.
    void worked() noexcept {
        reset();
        if (ticks() >= work_until_)
            yield_work();
    }

    // Does it look as if somebody else wants this core?
    [[nodiscard]] bool crowded() const noexcept { return crowded_; }
    // Between the yields of this wait; 0: there was none yet.
    [[nodiscard]] std::uint64_t stretch_ns() const noexcept { return stretch_ns_; }
    [[nodiscard]] std::uint64_t yields() const noexcept { return yields_; }

private:
    void look() noexcept {
        if (crowded_ || ticks() >= until_)
            yield();
    }
    void yield() noexcept;
    void yield_work() noexcept;
    void give_away() noexcept;

    bool crowded_ = false;
    std::uint32_t polls_ = 0;
    std::uint64_t until_ = 0;  // ticks: no yield before; 0: this wait has just begun
    std::uint64_t stretch_ns_ = 0;
    std::uint64_t yields_ = 0;
    std::uint64_t work_until_ = 0;  // ticks
};

}  // namespace causeway::platform
