// What a calibration shows: tables for people, JSON for programs.
//
// Threading: all functions are pure but for facts about the machine.
#pragma once

#include <string>

#include "calibrate/campaign.hpp"
#include "calibrate/fit.hpp"
#include "json.hpp"

namespace causeway::calibrate {

struct Outcome {
    CampaignOptions options{};
    Campaign campaign{};
    Measured measured{};
    Fit fit{};
    std::string saved;  // the file; empty: not saved
};

[[nodiscard]] std::string tables(const Outcome& outcome);
[[nodiscard]] nlohmann::json to_json(const Outcome& outcome);

}  // namespace causeway::calibrate
