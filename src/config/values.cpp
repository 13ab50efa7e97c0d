#include "config/values.hpp"

#include <charconv>
#include <cmath>

#include "base/names.hpp"
#include "config/sizes.hpp"
#include "config/syntax.hpp"

namespace causeway::config {
namespace {

// "KEY = VALUE" for a suggestion.
[[nodiscard]] std::string line(const Value& value, const std::string& text) {
    return "write " + (value.key.empty() ? value.path : value.key) + " = " + text;
}

[[nodiscard]] std::optional<std::uint64_t> whole_number(std::string_view text) {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end)
        return std::nullopt;
    return number;
}

[[nodiscard]] std::string range_text(Limits limits) {
    return std::to_string(limits.least) + " to " + std::to_string(limits.most);
}

[[nodiscard]] bool within(std::uint64_t number, Limits limits) noexcept {
    return number >= limits.least && number <= limits.most;
}

}  // namespace

void wrong_type(Draft& draft, const Value& value, const std::string& wanted,
                std::string suggestion) {
    const std::string kind(kind_name(value.kind));
    const std::string found = shown(value);
    draft.problems.error(value.at,
                         value.path + " is " + (found == kind ? found : found + ", " + kind) +
                             "; it has to be " + wanted,
                         std::move(suggestion));
}

std::optional<std::string> read_text(Draft& draft, const Value& value) {
    if (value.kind == Value::Kind::text)
        return value.text;
    const bool scalar = value.kind == Value::Kind::integer || value.kind == Value::Kind::real ||
                        value.kind == Value::Kind::truth;
    wrong_type(draft, value, "a string", scalar ? line(value, quoted(shown(value))) : "");
    return std::nullopt;
}

std::optional<bool> read_truth(Draft& draft, const Value& value) {
    if (value.kind == Value::Kind::truth)
        return value.truth;
    std::string suggestion = "write true or false, without quotes";
    if (value.kind == Value::Kind::text) {
        for (const char* const yes : {"true", "yes", "on", "True", "TRUE"})
            suggestion = value.text == yes ? line(value, "true") : suggestion;
        for (const char* const no : {"false", "no", "off", "False", "FALSE"})
            suggestion = value.text == no ? line(value, "false") : suggestion;
    } else if (value.kind == Value::Kind::integer) {
        suggestion = line(value, value.integer != 0 ? "true" : "false");
    }
    wrong_type(draft, value, "true or false", suggestion);
    return std::nullopt;
}

std::optional<std::uint32_t> read_number(Draft& draft, const Value& value, Limits limits) {
    if (value.kind != Value::Kind::integer) {
        const auto meant = value.kind == Value::Kind::text ? whole_number(value.text)
                                                           : std::optional<std::uint64_t>{};
        wrong_type(draft, value, "a whole number, " + range_text(limits),
                   meant && within(*meant, limits) ? line(value, value.text) : "");
        return std::nullopt;
    }
    if (value.integer < 0 || !within(static_cast<std::uint64_t>(value.integer), limits)) {
        const bool low =
            value.integer < 0 || static_cast<std::uint64_t>(value.integer) < limits.least;
        draft.problems.error(
            value.at, value.path + " is " + shown(value) + ", outside of " + range_text(limits),
            line(value, std::to_string(low ? limits.least : limits.most)));
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(value.integer);
}

std::optional<double> read_seconds(Draft& draft, const Value& value, double most) {
    const std::string range = "0 to " + format_text("%g", most);
    if (value.kind != Value::Kind::integer && value.kind != Value::Kind::real) {
        wrong_type(draft, value, "a number of seconds, " + range,
                   value.kind == Value::Kind::text && whole_number(value.text)
                       ? line(value, value.text)
                       : "");
        return std::nullopt;
    }
    const double seconds =
        value.kind == Value::Kind::real ? value.real : static_cast<double>(value.integer);
    if (!(seconds >= 0 && seconds <= most)) {
        draft.problems.error(
            value.at, value.path + " is " + shown(value) + ", outside of " + range + " seconds",
            line(value, seconds > most ? format_text("%g", most) : "0"));
        return std::nullopt;
    }
    return seconds;
}

std::optional<std::uint64_t> read_size(Draft& draft, const Value& value, Limits limits) {
    constexpr char kWanted[] = "a size: a number of bytes, or text such as \"512M\"";
    std::uint64_t bytes = 0;
    if (value.kind == Value::Kind::integer && value.integer >= 0) {
        bytes = static_cast<std::uint64_t>(value.integer);
    } else if (value.kind == Value::Kind::text) {
        const auto read = size_of(value.text);
        if (!read) {
            draft.problems.error(value.at,
                                 value.path + " is " + shown(value) + ", which is no size",
                                 "write a number with K, M, G or T behind it, such as \"512M\"");
            return std::nullopt;
        }
        bytes = *read;
    } else if (value.kind != Value::Kind::integer) {
        wrong_type(draft, value, kWanted);
        return std::nullopt;
    }
    if (value.kind == Value::Kind::integer && value.integer < 0) {
        draft.problems.error(value.at, value.path + " is " + shown(value) + ", below zero",
                             line(value, quoted(size_text(limits.least))));
        return std::nullopt;
    }
    if (!within(bytes, limits)) {
        draft.problems.error(
            value.at,
            value.path + " is " + shown(value) + ", outside of " + size_text(limits.least) +
                " to " + size_text(limits.most),
            line(value, quoted(size_text(bytes < limits.least ? limits.least : limits.most))));
        return std::nullopt;
    }
    return bytes;
}

std::optional<std::string> read_choice(Draft& draft, const Value& value,
                                       const std::vector<std::string>& choices) {
    if (value.kind != Value::Kind::text) {
        wrong_type(draft, value, "a string, one of " + listed(choices, "or"));
        return std::nullopt;
    }
    for (const std::string& choice : choices) {
        if (choice == value.text)
            return value.text;
    }
    draft.problems.error(value.at,
                         value.path + " is " + shown(value) + ", none of " + listed(choices, "and"),
                         meant(value.text, choices));
    return std::nullopt;
}

std::optional<std::string> read_path(Draft& draft, const Value& value) {
    auto path = read_text(draft, value);
    if (!path)
        return std::nullopt;
    if (path->find('\0') != std::string::npos) {
        draft.problems.error(value.at, value.path + " has a NUL byte inside");
        return std::nullopt;
    }
    if (!path->empty() && path->front() != '/') {
        draft.problems.error(
            value.at, value.path + " is " + shown(value) + ", which is no whole path",
            path->front() == '~'
                ? "write the home directory out, from / on"
                : line(value, quoted("/" + printable(*path))) + ", or wherever it lies");
        return std::nullopt;
    }
    return path;
}

std::optional<std::vector<std::string>> read_texts(Draft& draft, const Value& value) {
    std::vector<std::string> texts;
    if (value.kind == Value::Kind::text) {
        draft.origins[value.path] = value.at;
        texts.push_back(value.text);
        return texts;
    }
    if (value.kind != Value::Kind::array) {
        wrong_type(draft, value, "a string or an array of strings");
        return std::nullopt;
    }
    if (value.items.empty()) {
        draft.problems.error(value.at, value.path + " is empty", "name at least one");
        return std::nullopt;
    }
    bool good = true;
    for (const Value& item : value.items) {
        const auto text = read_text(draft, item);
        good = good && text.has_value();
        if (!good)
            continue;
        draft.origins[item.path] = item.at;
        texts.push_back(*text);
    }
    return good ? std::optional(std::move(texts)) : std::nullopt;
}

std::optional<std::vector<std::string>> read_patterns(Draft& draft, const Value& value) {
    auto texts = read_texts(draft, value);
    if (!texts)
        return std::nullopt;
    bool good = true;
    for (std::size_t i = 0; i < texts->size(); ++i) {
        std::string plain = (*texts)[i];
        for (char& c : plain)
            c = c == '*' ? 'x' : c;  // a star is a character of a name like any other
        const auto checked = check_name("pattern", plain);
        if (checked)
            continue;
        good = false;
        draft.problems.error(draft.origin_of(value.path, i),
                             value.path + " has " + quoted(printable((*texts)[i], 40)) +
                                 ", which is neither a name nor a pattern",
                             "take 1 to 63 of A-Z a-z 0-9 . _ - and *, which stands for any");
    }
    return good ? texts : std::nullopt;
}

}  // namespace causeway::config
