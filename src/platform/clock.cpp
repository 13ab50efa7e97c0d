#include "platform/clock.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace causeway::platform {

namespace detail {

constinit std::atomic<int> tick_source{unknown};

}  // namespace detail

namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kOne = std::uint64_t{1} << 32;  // of 32.32 fixed point
std::atomic<std::uint64_t> ns_per_tick{kOne};
std::atomic<std::uint64_t> ticks_per_ns{kOne};

std::uint64_t scale(std::uint64_t value, std::uint64_t factor) noexcept {
    return static_cast<std::uint64_t>((static_cast<Wide>(value) * factor) >> 32);
}

#if defined(__x86_64__)

bool counter_is_invariant() noexcept {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    return __get_cpuid(0x80000007u, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}

struct Moment {
    std::uint64_t ns;
    std::uint64_t counter;
};

// Both clocks at one moment: the tightest of several tries, so that an interrupt does not count.
Moment both_clocks() noexcept {
    Moment best{};
    std::uint64_t tightest = UINT64_MAX;
    for (int i = 0; i < 16; ++i) {
        const std::uint64_t before = __builtin_ia32_rdtsc();
        const std::uint64_t ns = monotonic_ns();
        const std::uint64_t after = __builtin_ia32_rdtsc();
        if (after - before >= tightest)
            continue;
        tightest = after - before;
        best = Moment{ns, before + (after - before) / 2};
    }
    return best;
}

detail::TickSource calibrate() noexcept {
    if (!counter_is_invariant())
        return detail::clock;
    const Moment start = both_clocks();
    while (monotonic_ns() - start.ns < 5'000'000) {}
    const Moment end = both_clocks();
    const std::uint64_t ns = end.ns - start.ns;
    const std::uint64_t counted = end.counter - start.counter;
    if (ns == 0 || counted < ns / 16)
        return detail::clock;  // slower than any processor
    ns_per_tick.store(static_cast<std::uint64_t>((static_cast<Wide>(ns) << 32) / counted),
                      std::memory_order_relaxed);
    ticks_per_ns.store(static_cast<std::uint64_t>((static_cast<Wide>(counted) << 32) / ns),
                       std::memory_order_relaxed);
    return detail::counter;
}

#else

detail::TickSource calibrate() noexcept { return detail::clock; }

#endif

}  // namespace

void calibrate_ticks() noexcept {
    // A function-local static: threads that come meanwhile wait for the one that calibrates, and
    // all see its factors.
    static const detail::TickSource source = calibrate();
    detail::tick_source.store(source, std::memory_order_relaxed);
}

std::uint64_t detail::first_ticks() noexcept {
    calibrate_ticks();
    return ticks();
}

std::uint64_t ticks_to_ns(std::uint64_t ticks) noexcept {
    calibrate_ticks();
    return scale(ticks, ns_per_tick.load(std::memory_order_relaxed));
}

std::uint64_t ns_to_ticks(std::uint64_t ns) noexcept {
    calibrate_ticks();
    return scale(ns, ticks_per_ns.load(std::memory_order_relaxed));
}

}  // namespace causeway::platform
