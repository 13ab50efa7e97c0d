// Results as JSON, as a page of tables, and as a picture.
//
// Threading: all functions are pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "lab/results.hpp"

namespace causeway::bench {

[[nodiscard]] nlohmann::json json_of(const Results& results);

// Markdown.
[[nodiscard]] std::string page_of(const Results& results);

// SVG: latency and bandwidth against size, and message rates, of the regime with most samples.
[[nodiscard]] std::string picture_of(const Results& results);

// ---- what reports have in common

// The best of several contestants, as if they were one: the machine's limit is whichever kernel is
// best at that size. Nothing if none was measured.
[[nodiscard]] std::optional<double> best_of(const Results& results,
                                            const std::vector<std::string>& contestants,
                                            perf::Test test, std::uint64_t size, perf::Touch touch,
                                            Regime regime, Waiting waiting = Waiting::spin);

// The limits' several kernels.
[[nodiscard]] const std::vector<std::string>& ring_kernels();
[[nodiscard]] const std::vector<std::string>& copy_kernels();

// Sizes that a test was run with, ascending.
[[nodiscard]] std::vector<std::uint64_t> sizes_of(const Results& results, perf::Test test,
                                                  Waiting waiting);

// 4096 -> "4 KiB", 1536 -> "1.50 KiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

}  // namespace causeway::bench
