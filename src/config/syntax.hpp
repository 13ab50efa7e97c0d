// TOML as text: what is wrong with a line that does not parse, and how values are spelt.
//
// Threading: pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace causeway::config {

// What to write instead of line `line` (from 1) of `toml`, of which the parser said `error`; empty
// where nothing comes to mind.
[[nodiscard]] std::string syntax_suggestion(std::string_view toml, std::uint32_t line,
                                            std::string_view error);

// `column` of line `line`, at which the parser gave up, moved to where a reader would look: onto
// the line, and for a key or table that is there twice to its begin.
[[nodiscard]] std::uint32_t syntax_column(std::string_view toml, std::uint32_t line,
                                          std::uint32_t column, std::string_view error);

// The place of the first dot beyond `most` of them that stands outside of quotes and of a comment;
// npos: there are not as many.
[[nodiscard]] std::size_t dot_outside_quotes(std::string_view line, std::size_t most) noexcept;

// May it stand as a key without quotes?
[[nodiscard]] bool is_bare_key(std::string_view key) noexcept;

// 10 -> "10.0", 0.5 -> "0.5".
[[nodiscard]] std::string real_text(double value);

}  // namespace causeway::config
