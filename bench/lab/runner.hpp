// Runner: one contestant in one group, ready to be asked for samples.
//
// Threading: one thread. Ownership: its processes end with it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "lab/contestants.hpp"
#include "lab/results.hpp"

namespace causeway::bench {

// What runners need to know of the run.
struct Surroundings {
    std::string directory;  // of the programs under measurement
    unsigned sender = 0;    // cores
    unsigned receiver = 1;
    std::string adapter_socket{};
    std::string without_roudi{};  // why iceoryx's daemon does not run; empty: it does
    double warm_up = 0.015;       // seconds, in front of a sample
};

class Runner {
public:
    Runner() = default;
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;
    virtual ~Runner() = default;
    // Waits until it can be measured, and lets it prove that the data is right.
    [[nodiscard]] virtual Result<void> get_ready() = 0;
    // Without a regime and probes: those are the campaign's.
    [[nodiscard]] virtual Result<Sample> sample(perf::Touch touch, double seconds) = 0;
};

// Starts the processes; they set themselves up while others start.
[[nodiscard]] Result<std::unique_ptr<Runner>> start_runner(const Contestant& contestant,
                                                           const Group& group,
                                                           const Surroundings& around);
// A peer's own benchmark (tools.cpp).
[[nodiscard]] Result<std::unique_ptr<Runner>> start_tool(const Contestant& contestant,
                                                         const Group& group,
                                                         const Surroundings& around);

// Why a contestant cannot be measured on this machine; empty if it can.
[[nodiscard]] std::string why_absent(const Contestant& contestant, const Surroundings& around);

// Of peers that Debian does not have: whether they are here all the same.
[[nodiscard]] std::vector<std::string> remarks_on_others();

}  // namespace causeway::bench
