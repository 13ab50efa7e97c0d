// Measurements as a table and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "perf/measure.hpp"

namespace causeway::perf {

[[nodiscard]] std::string table_of(const Measurement& measurement);
[[nodiscard]] nlohmann::json json_of(const Measurement& measurement);

// How much better the first is: above 1, the first wins (latency: lower is better). With each pair
// of samples that followed one another, and their median.
struct Ratio {
    double of_medians = 0;
    Summary of_pairs;
};
[[nodiscard]] Ratio ratio_of(const Measurement& first, const Measurement& second);
[[nodiscard]] std::string comparison_table(const Measurement& first, const Measurement& second);
[[nodiscard]] nlohmann::json comparison_json(const Measurement& first, const Measurement& second);

}  // namespace causeway::perf
