#include "lab/regimes.hpp"

#include <algorithm>
#include <cmath>

namespace causeway::bench {

std::string_view name(Regime regime) { return regime == Regime::near ? "near" : "far"; }

std::optional<Regime> Bracket::regime(double near_below) const {
    if (std::abs(before - after) > kMostDifference * std::min(before, after))
        return std::nullopt;
    return mean() < near_below ? Regime::near : Regime::far;
}

}  // namespace causeway::bench
