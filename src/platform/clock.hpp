// Clocks: nanoseconds since some point in the past, and the cheaper ticks of the processor.
//
// Threading: all functions may be called from any thread.
//
// Invariants:
//  1. monotonic_ns() never goes backwards. ticks() does not either where the processor's counter is
//     invariant (constant_tsc, nonstop_tsc); elsewhere ticks are monotonic_ns() itself.
#pragma once

#include <time.h>

#include <atomic>
#include <cstdint>

namespace causeway::platform {

[[nodiscard]] inline std::uint64_t monotonic_ns() noexcept {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(now.tv_nsec);
}

namespace detail {
enum TickSource : int { unknown, counter, clock };
extern constinit std::atomic<int> tick_source;
// Decides the source and calibrates, which takes about 5 ms once; then as ticks().
[[nodiscard]] std::uint64_t first_ticks() noexcept;
}  // namespace detail

// Calibrates now rather than within the first measurement. Call it once at start-up.
void calibrate_ticks() noexcept;

// Cheaper than monotonic_ns(); not a serializing read.
[[nodiscard]] inline std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
    const int source = detail::tick_source.load(std::memory_order_relaxed);
    if (source == detail::counter)
        return __builtin_ia32_rdtsc();
    if (source == detail::unknown)
        return detail::first_ticks();
#endif
    return monotonic_ns();
}
[[nodiscard]] std::uint64_t ticks_to_ns(std::uint64_t ticks) noexcept;
[[nodiscard]] std::uint64_t ns_to_ticks(std::uint64_t ns) noexcept;

}  // namespace causeway::platform
