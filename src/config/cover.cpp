#include "config/cover.hpp"

#include <algorithm>

#include "config/policy.hpp"

namespace causeway::config {
namespace {

using Patterns = std::vector<std::string>;

// In `inner` a * is a character like any other, and only a * of `patterns` stands for it.
[[nodiscard]] bool covers_each(const Patterns& patterns, const Patterns& inner) {
    return std::all_of(inner.begin(), inner.end(), [&](const std::string& each) {
        return std::any_of(patterns.begin(), patterns.end(),
                           [&](const std::string& pattern) { return matches(pattern, each); });
    });
}

[[nodiscard]] bool covers_services(const Rule& rule, const Rule& other) {
    const auto connect = static_cast<std::uint8_t>(Operation::connect);
    if (rule.services.empty() || (other.operations & connect) == 0)
        return true;
    return !other.services.empty() && covers_each(rule.services, other.services);
}

}  // namespace

bool covers(const Rule& rule, const Rule& other) {
    if ((other.operations & ~rule.operations) != 0 || !covers_services(rule, other))
        return false;
    if (other.executor == Executor::direct && rule.executor != Executor::direct)
        return false;
    if (other.mutual && !rule.mutual)
        return false;
    return (covers_each(rule.from, other.from) && covers_each(rule.to, other.to)) ||
           (rule.mutual && covers_each(rule.to, other.from) && covers_each(rule.from, other.to));
}

}  // namespace causeway::config
