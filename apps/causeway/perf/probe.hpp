// The state of the machine around a sample: how long a cache line takes from core to core, what a
// look at the clock costs, and what the machine is.
#pragma once

#include <optional>
#include <string>

#include "perf/plan.hpp"

namespace causeway::perf {

// Nanoseconds in which a cache line goes from one core to the other: two pinned threads pass a
// number to and fro. Nothing where the two cores are the same one or cannot be used.
[[nodiscard]] std::optional<double> bounce_ns(unsigned core, unsigned other);

// Of one call of the clock that times the samples.
[[nodiscard]] double clock_ns();

struct Machine {
    std::string cpu;
    std::string kernel;
    unsigned cores_online = 0;
    std::string commit;  // of this program's source; empty if not known
};
[[nodiscard]] Machine this_machine();

// Cores that were not named: the first ones that this program may run on, one for each part while
// there are enough of them; what then is left floats.
[[nodiscard]] Cores choose_cores();

}  // namespace causeway::perf
