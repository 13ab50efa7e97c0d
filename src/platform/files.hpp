// Reading the small files of /proc and /sys, whose size is not known beforehand.
//
// Threading: may be called from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace causeway::platform {

// The whole file; nullopt if it cannot be read.
[[nodiscard]] std::optional<std::string> read_small_file(const char* path);

// The decimal number at the start of `text`; nullopt if there is none, or it does not fit.
[[nodiscard]] std::optional<std::uint64_t> leading_number(std::string_view text) noexcept;

// Splits off and returns what stands before the first `separator` (or all).
[[nodiscard]] std::string_view next_token(std::string_view& rest, char separator) noexcept;

}  // namespace causeway::platform
