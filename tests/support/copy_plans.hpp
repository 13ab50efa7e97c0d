// Copy plans for tests: by size alone, as no clock may decide what a test sees.
#pragma once

#include "engine/copy_plan.hpp"

namespace causeway::test {

// `large_from`: rep movsb from there on; `nontemporal_from`: stores around the caches.
[[nodiscard]] inline engine::CopyPlan copies_by_size(std::uint64_t large_from,
                                                     std::uint64_t nontemporal_from) {
    engine::CopyPlan plan = engine::default_copy_plan();
    if (engine::runs_here(engine::CopyKernel::rep_movsb))
        plan.large = engine::CopyKernel::rep_movsb;
    plan.large_from = large_from;
    plan.nontemporal_from = nontemporal_from;
    plan.nontemporal_least = nontemporal_from;
    plan.slow_below = 0;
    return plan;
}

}  // namespace causeway::test
