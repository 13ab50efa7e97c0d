// The mistakes found so far, and the words for them.
//
// Threading: plain values.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace causeway::config {

class Problems {
public:
    void error(const Origin& where, std::string text, std::string suggestion = {});
    void warning(const Origin& where, std::string text, std::string suggestion = {});
    [[nodiscard]] bool any_error() const noexcept;

    // By place: the file's from top to bottom, then the environment's and the command line's.
    [[nodiscard]] std::vector<Problem> by_place() &&;

private:
    std::vector<Problem> list_;
};

// In TOML, with quotes: control characters are escaped, and so it stands on one line.
[[nodiscard]] std::string quoted(std::string_view text);
// ["a", "b"]; a single one without the brackets.
[[nodiscard]] std::string quoted_list(const std::vector<std::string>& texts);
// "a, b or c" (`last` is "or").
[[nodiscard]] std::string listed(const std::vector<std::string>& words, std::string_view last);
// "did you mean 'X'?" where a known word is near, else "take a, b or c".
[[nodiscard]] std::string meant(std::string_view word, const std::vector<std::string>& known);

}  // namespace causeway::config
