// Sizes as people write them: "512M".
//
// Threading: pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace causeway::config {

// "4096", "64K", "1M", "2G", "1T" (powers of 1024; also "64KiB", "64KB", in either case); nothing
// where that is no size, or none that fits.
[[nodiscard]] std::optional<std::uint64_t> size_of(std::string_view text) noexcept;
// The shortest text that size_of() reads back as the same: "512M", "1000".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

}  // namespace causeway::config
