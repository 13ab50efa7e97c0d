// Campaign: every kernel in every cell, in turn, for as long as there is time.
//
// Threading: one thread.
//
// Invariants:
//  1. A sample counts only if the probes before and after it differ by at most a fifth and nobody
//     interrupted either thread: everything else was measured on two machines, or on a busy one.
#pragma once

#include <vector>

#include "base/result.hpp"
#include "calibrate/cell.hpp"

namespace causeway::calibrate {

struct CampaignOptions {
    unsigned sender = 0;  // cores
    unsigned receiver = 1;
    double seconds = 30;
    bool show_progress = false;  // on standard error
};

struct Campaign {
    std::vector<engine::CopyKernel> kernels;
    std::vector<Cell> cells;
    std::vector<Sample> samples;
    std::uint64_t bytes = 0;       // of source, and of target
    std::size_t other_regime = 0;  // samples discarded for the probes around them
    std::size_t disturbed = 0;     // samples discarded for an interruption
    std::size_t wrong = 0;         // samples after which the data was not right: must be none

    [[nodiscard]] std::size_t taken() const { return samples.size() + other_regime + disturbed; }
};

// Sizes from 4 KiB up, each with few buffers and with more than the caches hold.
[[nodiscard]] std::vector<Cell> all_cells(std::uint64_t bytes);

// Ends early, with what it has by then, when somebody asks to stop (cli::interrupted()).
[[nodiscard]] Result<Campaign> run_campaign(const CampaignOptions& options);

}  // namespace causeway::calibrate
