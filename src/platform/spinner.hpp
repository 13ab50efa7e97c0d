// Spinner: how to wait a moment for a word in memory, also where there are more waiters than cores.
//
//     Spinner spinner;
//     while (nothing there) spinner.spin();
//     spinner.reset();
//
// Threading: one thread. Keep one per thread and loop: it learns.
//
// Each spin() is a pause; after a number of them comes one sched_yield, whose duration tells
// whether somebody else wanted this core. If nobody did (it came back at once), the next stretch
// doubles, to kMostPolls: a spinner with a core of its own hardly ever enters the kernel. If
// somebody did, the stretch drops to kLeastPolls: spinners that share a core alternate fast.
#pragma once

#include <cstdint>

#include "platform/cpu.hpp"

namespace causeway::platform {

class Spinner {
public:
    static constexpr std::uint32_t kLeastPolls = 2;
    static constexpr std::uint32_t kMostPolls = 2048;

    // After a poll that found nothing.
    void spin() noexcept {
        if (polls_++ < stretch_) {
            cpu_relax();
            return;
        }
        yield();
    }
    // After a poll that found something. What was learned about the core stays.
    void reset() noexcept { polls_ = 0; }

    // Does it look as if somebody else wants this core?
    [[nodiscard]] bool crowded() const noexcept { return stretch_ <= kLeastPolls; }
    [[nodiscard]] std::uint32_t stretch() const noexcept { return stretch_; }
    [[nodiscard]] std::uint64_t yields() const noexcept { return yields_; }

private:
    void yield() noexcept;

    std::uint32_t polls_ = 0;
    std::uint32_t stretch_ = 64;
    std::uint64_t yields_ = 0;
};

}  // namespace causeway::platform
