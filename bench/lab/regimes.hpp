// The machine's speeds. The cores of a virtual machine move between cache domains for seconds at a
// time, and everything between two cores is then several times slower. So every sample stands
// between two probes of a cache line's way from core to core, and is compared with others of its
// own regime only.
//
// Threading: all functions are pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace causeway::bench {

enum class Regime { near, far };
inline constexpr Regime kRegimes[] = {Regime::near, Regime::far};
[[nodiscard]] std::string_view name(Regime regime);

// Two cores that share a cache pass a line in under this, others do not (nanoseconds).
inline constexpr double kNearBelow = 130;
// Probes around a sample that differ by more tell that the regime changed within it.
inline constexpr double kMostDifference = 0.2;

// Nanoseconds of a cache line's way, before and after.
struct Bracket {
    double before = 0;
    double after = 0;

    [[nodiscard]] double mean() const { return (before + after) / 2; }
    // Nothing: the sample is to be discarded.
    [[nodiscard]] std::optional<Regime> regime(double near_below) const;
};

}  // namespace causeway::bench
