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
// Between the first two different cores of a measurement.
[[nodiscard]] std::optional<double> bounce_ns(const Cores& cores);

// Of one call of the clock that times the samples.
[[nodiscard]] double clock_ns();

struct Machine {
    std::string cpu;
    std::string kernel;
    unsigned cores_online = 0;
    std::string commit;  // of this program's source, see commit.hpp
};
[[nodiscard]] Machine this_machine();

// Cores where none were named. With three or more each part gets one. With two, Causeway's mover,
// which works most, gets one and the two partitions share the other; the ends of a Unix socket,
// which do all the work themselves, get one each. With one nothing is bound.
[[nodiscard]] Cores choose_cores(Peer peer = Peer::causeway);

}  // namespace causeway::perf
