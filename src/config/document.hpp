// A TOML document as plain values, each with its place. What the TOML library gives and throws ends
// in document.cpp.
//
// Threading: plain values.
//
// Invariants:
//  1. Every value that came from text has an origin with a line and a column.
//  2. Members stand in the order of the text; no two have the same key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/problems.hpp"

namespace causeway::config {

struct Value {
    enum class Kind { text, integer, real, truth, time, array, table };

    Kind kind = Kind::table;
    Origin at;
    std::string path;  // "partition.orders.uid", "allow[2].from[1]"

    std::string key;  // of a member of a table
    Origin key_at;

    std::string text;
    std::int64_t integer = 0;
    double real = 0;
    bool truth = false;
    std::vector<Value> items;    // of an array
    std::vector<Value> members;  // of a table

    [[nodiscard]] const Value* member(std::string_view name) const noexcept;
};

// "a string", "a whole number", "a table", ...
[[nodiscard]] std::string_view kind_name(Value::Kind kind) noexcept;
// For an error text: the value as it could stand in TOML, cut.
[[nodiscard]] std::string shown(const Value& value);
// `path` with a member or an item behind it.
[[nodiscard]] std::string path_of(const std::string& path, std::string_view member);
[[nodiscard]] std::string path_of(const std::string& path, std::size_t item);

// The root table. A text that is no TOML is an error among the problems, and an empty table.
[[nodiscard]] Value parse_document(std::string_view toml, const std::string& name,
                                   Problems& problems);

// KEY=VALUE as the command line and the environment give it: set in `root`, from `origin`. VALUE is
// TOML or a bare word, which is a string. A table is laid over the one that is there.
void set_value(Value& root, const std::string& key, const std::string& value, const Origin& origin,
               Problems& problems);

}  // namespace causeway::config
