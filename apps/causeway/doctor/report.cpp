#include "doctor/report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace causeway::doctor {
namespace {

constexpr std::string_view kPlain = "\x1b[0m";

std::string_view colour_of(Status status) {
    switch (status) {
        case Status::ok:
            return "\x1b[32m";  // green
        case Status::note:
            return "\x1b[36m";  // cyan
        case Status::warning:
            return "\x1b[33m";  // yellow
        case Status::fail:
            return "\x1b[1;31m";  // red
    }
    return kPlain;
}

// Texts have parts of files and of what adapters answer in them.
std::string one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    return text;
}

std::string counted(std::size_t number, std::string_view one, std::string_view many) {
    return fmt::format("{} {}", number, number == 1 ? one : many);
}

}  // namespace

std::size_t count(const Checks& checks, Status status) {
    return static_cast<std::size_t>(std::count_if(
        checks.begin(), checks.end(), [&](const Check& check) { return check.status == status; }));
}

std::string table(const Checks& checks, Colour colour) {
    constexpr std::size_t kStatusWidth = 8;
    std::size_t width = 0;
    for (const Check& check : checks)
        width = std::max(width, check.id.size());
    const std::string indent(kStatusWidth + width + 2, ' ');
    std::string out;
    for (const Check& check : checks) {
        const bool coloured = colour == Colour::yes;
        out += fmt::format("{}{:<{}}{}{:<{}}  {}\n", coloured ? colour_of(check.status) : "",
                           status_name(check.status), kStatusWidth, coloured ? kPlain : "",
                           check.id, width, one_line(check.found));
        if (!check.costs.empty())
            out += fmt::format("{}costs: {}\n", indent, one_line(check.costs));
        if (!check.mend.empty())
            out += fmt::format("{}mend:  {}\n", indent, one_line(check.mend));
    }
    out += fmt::format("\n{}, {}, {} among {} checks\n",
                       counted(count(checks, Status::fail), "failure", "failures"),
                       counted(count(checks, Status::warning), "warning", "warnings"),
                       counted(count(checks, Status::note), "note", "notes"), checks.size());
    return out;
}

cli::json to_json(const Checks& checks) {
    using cli::json;
    json rows = json::array();
    const auto or_null = [](const std::string& text) {
        return text.empty() ? json(nullptr) : json(text);
    };
    for (const Check& check : checks) {
        rows.push_back({{"id", check.id},
                        {"status", status_name(check.status)},
                        {"found", check.found},
                        {"costs", or_null(check.costs)},
                        {"mend", or_null(check.mend)}});
    }
    return {{"checks", std::move(rows)},
            {"failures", count(checks, Status::fail)},
            {"warnings", count(checks, Status::warning)},
            {"notes", count(checks, Status::note)}};
}

}  // namespace causeway::doctor
