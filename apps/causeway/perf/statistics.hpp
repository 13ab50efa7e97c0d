// Summary of a handful of samples.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace causeway::perf {

struct Summary {
    std::size_t runs = 0;
    double median = 0;
    double mad = 0;  // median absolute deviation from the median
    double min = 0;
    double max = 0;
};

// 0 of no values; of an even number the mean of the two in the middle.
[[nodiscard]] inline double median_of(std::vector<double> values) {
    if (values.empty())
        return 0;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    if (values.size() % 2 == 1)
        return values[middle];
    return (values[middle - 1] + values[middle]) / 2;
}

[[nodiscard]] inline Summary summarize(const std::vector<double>& values) {
    Summary summary;
    if (values.empty())
        return summary;
    summary.runs = values.size();
    summary.median = median_of(values);
    std::vector<double> deviations;
    for (const double value : values)
        deviations.push_back(std::abs(value - summary.median));
    summary.mad = median_of(std::move(deviations));
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    summary.min = *least;
    summary.max = *most;
    return summary;
}

}  // namespace causeway::perf
