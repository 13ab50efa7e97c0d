#include "config/problems.hpp"

#include <algorithm>
#include <tuple>

#include "base/names.hpp"
#include "base/nearest.hpp"

namespace causeway::config {

void Problems::error(const Origin& where, std::string text, std::string suggestion) {
    list_.push_back({Problem::Severity::error, where, std::move(text), std::move(suggestion)});
}

void Problems::warning(const Origin& where, std::string text, std::string suggestion) {
    list_.push_back({Problem::Severity::warning, where, std::move(text), std::move(suggestion)});
}

bool Problems::any_error() const noexcept {
    return std::any_of(list_.begin(), list_.end(), [](const Problem& problem) {
        return problem.severity == Problem::Severity::error;
    });
}

std::vector<Problem> Problems::by_place() && {
    const auto place = [](const Problem& problem) {
        return std::tuple(problem.where.kind, problem.where.line, problem.where.column);
    };
    std::stable_sort(list_.begin(), list_.end(), [&](const Problem& one, const Problem& other) {
        return place(one) < place(other);
    });
    return std::move(list_);
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            out += {'\\', c};
        else if (byte < 0x20 || byte == 0x7f)
            out += format_text("\\u%04X", byte);
        else
            out += c;
    }
    return out + '"';
}

std::string quoted_list(const std::vector<std::string>& texts) {
    if (texts.size() == 1)
        return quoted(texts.front());
    std::string out = "[";
    for (const std::string& text : texts)
        out += (out.size() > 1 ? ", " : "") + quoted(text);
    return out + "]";
}

std::string listed(const std::vector<std::string>& words, std::string_view last) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0)
            out += i + 1 == words.size() ? " " + std::string(last) + " " : ", ";
        out += words[i];
    }
    return out;
}

std::string meant(std::string_view word, const std::vector<std::string>& known) {
    for (const std::string& each : known) {
        if (word.size() >= 3 && each.starts_with(word))
            return "did you mean '" + each + "'?";
    }
    if (const std::string nearest = nearest_word(word, known); !nearest.empty())
        return "did you mean '" + nearest + "'?";
    return known.empty() ? std::string() : "take " + listed(known, "or");
}

}  // namespace causeway::config
