// What every program under measurement has in common: its arguments, its samples as JSON lines, and
// the two ways to run it, by hand and by the laboratory.
//
// By hand:      bench_peer_unix --test latency --size 8 --repeat 5        five lines, one each
// sample By the lab:   bench_peer_unix ... --serve    a line when ready, then a line for every line
// that
//               comes in: `sample TOUCH SECONDS VERIFY`, as in `sample read 0.06 1`
//
// A line is an object; one with "error" is the last. Exit status: 0, 1 failed, 2 wrong usage.
//
// Threading: one thread. Ownership: everything belongs to run_peer and ends with it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "perf/plan.hpp"
#include "perf/rig.hpp"

namespace causeway::bench {

// Makes samples of one plan.
class Sampler {
public:
    Sampler() = default;
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;
    virtual ~Sampler() = default;
    [[nodiscard]] virtual Result<const perf::Outcome*> sample(const perf::SampleOrder& order) = 0;
    // Who moves the data.
    [[nodiscard]] virtual std::string executor() const = 0;
};

// One data path of a program.
struct Variant {
    std::string name;
    std::string what;  // for --help
    // The two processes' ends. May change the plan before anything else sees it.
    perf::MakeEndpoint make{};
    std::function<Result<void>(perf::Plan& plan)> prepare{};
    // Instead of two processes.
    std::function<Result<std::unique_ptr<Sampler>>(const perf::Plan& plan)> make_sampler{};
};

struct Program {
    std::string name;
    std::string what;
    std::vector<Variant> variants;  // the first is the default
};

[[nodiscard]] int run_peer(int argc, char** argv, const Program& program);

}  // namespace causeway::bench
