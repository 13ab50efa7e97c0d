// A configuration while it is being read.
//
// Threading: plain values.
//
// Invariants:
//  1. `origins` has the place of everything that was given and read without an error, by its path
//     ("partition.orders.uid", "allow[2].from[1]"); what has none is built in.
#pragma once

#include <map>
#include <string>

#include "config/config.hpp"
#include "config/document.hpp"
#include "config/problems.hpp"

namespace causeway::config {

struct Draft {
    Config config;
    Problems problems;
    std::map<std::string, Origin> origins;

    // Built in where nothing was given.
    [[nodiscard]] Origin origin_of(const std::string& path) const;
    // Of the i-th of a list of texts, which may have been given as one text.
    [[nodiscard]] Origin origin_of(const std::string& path, std::size_t item) const;
};

// The whole document into draft.config (schema.cpp).
void read_root(Draft& draft, const Value& root);
// One [unit."PARTITION/NAME"] into draft.config.units (units.cpp).
void read_unit(Draft& draft, const Value& table);
// One [[allow]] into draft.config.rules (rules.cpp).
void read_rule(Draft& draft, const Value& table);
// What can only be seen with all of it there (checks.cpp).
void check_names(Draft& draft);
void check_rules(Draft& draft);
// Every effective value, in the order of the schema (show.cpp).
[[nodiscard]] std::vector<Setting> settings_of(const Draft& draft);
// The variables and options laid over the file's values (overrides.cpp).
void apply(const Overrides& overrides, Value& root, Problems& problems);

}  // namespace causeway::config
