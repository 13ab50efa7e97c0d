// Names of partitions, entrances and services, and fixed character arrays that carry them.
//
// Invariants:
//  1. A valid name matches [A-Za-z0-9._-]{1,63} and is neither "." nor "..": it can be a file name,
//     stands in any log unescaped and fits an array of abi::kNameSize with its NUL.
//  2. Nothing is truncated silently.
#pragma once

#include <causeway/abi/control.hpp>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace causeway {

inline constexpr std::size_t kMaxName = abi::kNameSize - 1;

// Is `name` valid? `kind` ("partition", "service", ...) begins the error text.
[[nodiscard]] Result<void> check_name(std::string_view kind, std::string_view name);

struct Target {
    std::string partition;
    std::string service;
};
// "partition/service" -> both, each valid.
[[nodiscard]] Result<Target> split_target(std::string_view target);

// Text into a fixed array: padded with NUL, at least one. Too long or with a NUL inside: an error.
[[nodiscard]] Result<void> store_text(std::span<char> array, std::string_view text);

// Text of a fixed array that somebody else wrote into a private copy of a message: it must end with
// NUL inside the array, and only NUL may follow. The view points into the array.
[[nodiscard]] Result<std::string_view> load_text(std::span<const char> array);

// load_text and check_name in one: a name that came in a message. Empty is an error.
[[nodiscard]] Result<std::string> load_name(std::string_view kind, std::span<const char> array);

// For logs and error texts: control bytes, quotes and what is beyond ASCII become '?'; cut at
// `most` bytes, then with "..." behind it.
[[nodiscard]] std::string printable(std::string_view text, std::size_t most = 80);

}  // namespace causeway
