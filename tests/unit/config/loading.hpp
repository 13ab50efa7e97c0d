// What the tests of the configuration share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "config/config.hpp"

namespace causeway::config {

inline Loaded load_toml(std::string_view toml, const Overrides& overrides = {}) {
    return load_text(toml, "f.toml", overrides);
}

// The configuration in a text that has to be without any problem.
inline Config good(std::string_view toml) {
    const Loaded loaded = load_toml(toml);
    for (const Problem& problem : loaded.problems)
        ADD_FAILURE() << text_of(problem);
    return loaded.config;
}

inline std::string all_problems(const Loaded& loaded) {
    std::string text;
    for (const Problem& problem : loaded.problems)
        text += text_of(problem) + "\n";
    return text;
}

// "ORIGIN VALUE" of a key; "none" where it is not listed.
inline std::string setting(const Loaded& loaded, std::string_view key) {
    for (const Setting& each : loaded.settings) {
        if (each.key == key)
            return text_of(each.origin) + " " + each.value;
    }
    return "none";
}

}  // namespace causeway::config
