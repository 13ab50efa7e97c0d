// Reading small files: those of /proc and /sys, whose size is not known beforehand, and settings.
//
// Threading: may be called from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace causeway::platform {

// The whole file; nullopt if it cannot be read.
[[nodiscard]] std::optional<std::string> read_small_file(const char* path);

// An ordinary file of at most `most` bytes; the error names it and says what is wrong with it.
[[nodiscard]] Result<std::string> read_settings_file(const std::string& path, std::size_t most);

// The decimal number at the start of `text`; nullopt if there is none, or it does not fit.
[[nodiscard]] std::optional<std::uint64_t> leading_number(std::string_view text) noexcept;

// Splits off and returns what stands before the first `separator` (or all).
[[nodiscard]] std::string_view next_token(std::string_view& rest, char separator) noexcept;

}  // namespace causeway::platform
