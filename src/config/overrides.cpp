// What the environment and the command line say beside the file.
#include <unistd.h>

#include <algorithm>

#include "base/nearest.hpp"
#include "config/draft.hpp"
#include "config/schema.hpp"

namespace causeway::config {
namespace {

constexpr std::string_view kAdapterPrefix = "CAUSEWAY_ADAPTER_";
constexpr std::string_view kQuotaPrefix = "CAUSEWAY_QUOTA_";
// The library's, for partitions whose adapter has gone.
constexpr std::string_view kNotOurs = "CAUSEWAY_ADAPTER_PATIENCE";

[[nodiscard]] std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

[[nodiscard]] std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return out;
}

// A variable that names no key is none of ours, unless it is nearly one: container managers make
// up such names (CAUSEWAY_ADAPTER_SERVICE_HOST for a service "causeway-adapter").
void take_variable(Value& root, const std::string& variable, const std::string& value,
                   Problems& problems) {
    const bool adapter = variable.starts_with(kAdapterPrefix);
    const std::string_view prefix = adapter ? kAdapterPrefix : kQuotaPrefix;
    if (!variable.starts_with(prefix) || variable == kNotOurs)
        return;
    const std::string key = lower(std::string_view(variable).substr(prefix.size()));
    const auto known = adapter ? names_of(adapter_keys()) : names_of(quota_keys());
    const Origin origin{Origin::Kind::environment, variable, 0, 0};
    if (std::find(known.begin(), known.end(), key) != known.end()) {
        set_value(root, (adapter ? "adapter." : "quota.") + key, value, origin, problems);
        return;
    }
    if (const std::string nearest = nearest_word(key, known); !nearest.empty())
        problems.warning(origin, "there is no key '" + key + "', so this variable has no effect",
                         "did you mean " + std::string(prefix) + upper(nearest) + "?");
}

}  // namespace

Overrides overrides_from_environment() {
    Overrides overrides;
    for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
        const std::string_view entry = *at;
        const std::size_t equals = entry.find('=');
        if (equals != std::string_view::npos &&
            (entry.starts_with(kAdapterPrefix) || entry.starts_with(kQuotaPrefix)))
            overrides.environment.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
    }
    std::sort(overrides.environment.begin(), overrides.environment.end());
    return overrides;
}

void apply(const Overrides& overrides, Value& root, Problems& problems) {
    for (const auto& [variable, value] : overrides.environment)
        take_variable(root, variable, value, problems);
    for (const auto& [key, value] : overrides.command_line)
        set_value(root, key, value, {Origin::Kind::command_line, "--set", 0, 0}, problems);
}

}  // namespace causeway::config
