// Single values out of a document: each function reads one, or reports what is wrong with it and
// returns nothing.
//
// Threading: plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/draft.hpp"

namespace causeway::config {

struct Limits {
    std::uint64_t least = 0;
    std::uint64_t most = 0;
};

[[nodiscard]] std::optional<std::string> read_text(Draft& draft, const Value& value);
[[nodiscard]] std::optional<bool> read_truth(Draft& draft, const Value& value);
[[nodiscard]] std::optional<std::uint32_t> read_number(Draft& draft, const Value& value,
                                                       Limits limits);
[[nodiscard]] std::optional<double> read_seconds(Draft& draft, const Value& value, double most);
// A number of bytes, or text such as "512M".
[[nodiscard]] std::optional<std::uint64_t> read_size(Draft& draft, const Value& value,
                                                     Limits limits);
[[nodiscard]] std::optional<std::string> read_choice(Draft& draft, const Value& value,
                                                     const std::vector<std::string>& choices);
// An absolute path, or empty.
[[nodiscard]] std::optional<std::string> read_path(Draft& draft, const Value& value);
// "ADDRESS:PORT", or empty.
[[nodiscard]] std::optional<std::string> read_endpoint(Draft& draft, const Value& value);
// [0, 2] or "0-3,5".
[[nodiscard]] std::optional<std::vector<unsigned>> read_cores(Draft& draft, const Value& value);

// One text or an array of them, at least one.
[[nodiscard]] std::optional<std::vector<std::string>> read_texts(Draft& draft, const Value& value);
// The same; each a name (base/names.hpp) in which * may stand.
[[nodiscard]] std::optional<std::vector<std::string>> read_patterns(Draft& draft,
                                                                    const Value& value);

// A number, or the name of a user or group of this machine (identity.cpp).
[[nodiscard]] std::optional<uid_t> read_user(Draft& draft, const Value& value);
[[nodiscard]] std::optional<gid_t> read_group(Draft& draft, const Value& value);
// An absolute path of a file that others cannot read (identity.cpp).
[[nodiscard]] std::optional<std::string> read_token_file(Draft& draft, const Value& value);

// Reports that the value is of the wrong type: "PATH is VALUE, a string; WANTED".
void wrong_type(Draft& draft, const Value& value, const std::string& wanted,
                std::string suggestion = {});

}  // namespace causeway::config
