// A denial in words: which rules came near, and which lines would allow it. Used by policy.cpp.
//
// Threading: plain values, pure.
#pragma once

#include <string_view>

#include "config/policy.hpp"

namespace causeway::config {

struct Asked {
    std::string_view from;
    std::string_view to;
    Operation operation = Operation::connect;
    Executor executor = Executor::adapter;
    std::string_view service;
};

// What a rule says about it, point by point (policy.cpp).
[[nodiscard]] bool names_pair(const Rule& rule, std::string_view from, std::string_view to);
[[nodiscard]] bool allows_operation(const Rule& rule, Operation operation);
[[nodiscard]] bool allows_executor(const Rule& rule, Executor executor);
[[nodiscard]] bool allows_service(const Rule& rule, const Asked& asked);

// No rule of `config` allows it.
[[nodiscard]] Verdict denied(const Config& config, const Asked& asked);
// No unit of `config` is that controller.
[[nodiscard]] Verdict unit_denied(const Config& config, std::string_view partition,
                                  std::string_view name, UnitType type);
// `name` is none of a partition, and the open entrance is closed.
[[nodiscard]] Verdict unknown_partition(const Config& config, std::string_view name);

}  // namespace causeway::config
