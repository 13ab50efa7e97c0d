#include "config/syntax.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/names.hpp"
#include "config/problems.hpp"
#include "platform/files.hpp"

namespace causeway::config {
namespace {

[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept {
    constexpr std::string_view kBlanks = " \t\r";
    const std::size_t first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

[[nodiscard]] std::string_view line_of(std::string_view toml, std::uint32_t line) noexcept {
    for (std::uint32_t i = 1; i < line; ++i)
        (void)platform::next_token(toml, '\n');
    return platform::next_token(toml, '\n');
}

[[nodiscard]] bool stands_twice(std::string_view error) noexcept {
    return error.find("redefine") != std::string_view::npos;
}

// Without a comment behind it.
[[nodiscard]] std::string_view without_comment(std::string_view text) noexcept {
    return trimmed(text.substr(0, text.find('#')));
}

// For a value that begins with none of TOML's signs: it is text that lacks its quotes.
[[nodiscard]] std::string quotes_missing(std::string_view key, std::string_view value) {
    constexpr std::string_view kOwnQuotes = "\"'[{";
    if (value.empty() || kOwnQuotes.find(value.front()) != std::string_view::npos ||
        value.find_first_of("\"'") != std::string_view::npos)
        return {};
    return "put quotes around it: " + std::string(key) + " = " + quoted(printable(value));
}

// For [unit.net/lan0], where the name lacks its quotes.
[[nodiscard]] std::string slash_without_quotes(std::string_view text) {
    constexpr std::string_view kUnit = "[unit.";
    if (!text.starts_with(kUnit) || !text.ends_with("]") ||
        text.find_first_of("\"'=") != std::string_view::npos)
        return {};
    const std::string_view name =
        trimmed(text.substr(kUnit.size(), text.size() - kUnit.size() - 1));
    if (name.find('/') == std::string_view::npos)
        return {};
    return "put quotes around the name: [unit." + quoted(printable(name)) + "]";
}

[[nodiscard]] bool closes(std::string_view value, char open, char close) noexcept {
    return std::count(value.begin(), value.end(), open) ==
           std::count(value.begin(), value.end(), close);
}

[[nodiscard]] std::string about_value(std::string_view key, std::string_view value) {
    if (value.empty())
        return "write a value behind " + std::string(key) + " =, or take the line out";
    if (value.front() == '"' && std::count(value.begin(), value.end(), '"') % 2 != 0)
        return "end the text with \"";
    if (value.front() == '\'' && std::count(value.begin(), value.end(), '\'') % 2 != 0)
        return "end the text with '";
    if (!closes(value, '[', ']'))
        return "end the array with ], with commas between its values";
    if (!closes(value, '{', '}'))
        return "end the table with } on the same line";
    return quotes_missing(key, value);
}

}  // namespace

std::string syntax_suggestion(std::string_view toml, std::uint32_t line, std::string_view error) {
    const std::string_view text = without_comment(line_of(toml, line));
    if (stands_twice(error))
        return "it stands further up already: put both into one place";
    if (error.find("utf-8") != std::string_view::npos)
        return "save the file as UTF-8";
    if (text.starts_with("[[") && !text.ends_with("]]"))
        return "end the line with ]]";
    if (text.starts_with("[") && text.find('=') == std::string_view::npos && !text.ends_with("]"))
        return "end the line with ]";
    if (std::string quotes = slash_without_quotes(text); !quotes.empty())
        return quotes;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) {
        const std::size_t colon = text.find(':');
        if (colon == std::string_view::npos || colon == 0)
            return "a line is KEY = VALUE, [TABLE] or a comment behind #";
        return "write = instead of the colon: " + printable(trimmed(text.substr(0, colon))) +
               " = ...";
    }
    const std::string_view key = trimmed(text.substr(0, equals));
    if (key.empty())
        return "write a key in front of =";
    return about_value(printable(key), trimmed(text.substr(equals + 1)));
}

std::uint32_t syntax_column(std::string_view toml, std::uint32_t line, std::uint32_t column,
                            std::string_view error) {
    const std::string_view text = line_of(toml, line);
    const auto begin = static_cast<std::uint32_t>(
        trimmed(text).data() == nullptr ? 0 : trimmed(text).data() - text.data());
    if (stands_twice(error))
        return begin + 1;
    return std::min(column, static_cast<std::uint32_t>(text.size()) + 1);
}

std::size_t dot_outside_quotes(std::string_view line, std::size_t most) noexcept {
    char quote = 0;
    std::size_t dots = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quote != 0)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '#')
            break;
        else if (c == '.' && ++dots > most)
            return i;
    }
    return std::string_view::npos;
}

bool is_bare_key(std::string_view key) noexcept {
    return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
    });
}

std::string real_text(double value) {
    char text[64];
    const auto [end, error] = std::to_chars(text, text + sizeof text, value);
    std::string out(text, error == std::errc{} ? end : text);
    if (std::isfinite(value) && out.find_first_of(".e") == std::string::npos)
        out += ".0";
    return out;
}

}  // namespace causeway::config
