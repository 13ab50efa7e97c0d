// The goals of the project against the figures of one run, within one regime.
//
// Threading: all functions are pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/results.hpp"

namespace causeway::bench {

struct Verdict {
    std::string what;
    std::string goal;             // "at most 1.6x the cache-line bounce"
    std::optional<double> found;  // the ratio or figure that the goal is about; none: not measured
    std::string found_text;       // with the figures it was made of
    bool met = false;
};

[[nodiscard]] std::vector<Verdict> judge(const Results& results, Regime regime);

}  // namespace causeway::bench
