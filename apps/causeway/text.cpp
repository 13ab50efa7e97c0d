#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace causeway::cli {

Result<std::uint64_t> parse_size(std::string_view text) {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    std::string_view unit(rest, static_cast<std::size_t>(end - rest));
    unsigned shift = 0;
    if (!unit.empty()) {
        constexpr std::string_view kUnits = "KMG";
        const char letter = unit[0] >= 'a' ? static_cast<char>(unit[0] - 'a' + 'A') : unit[0];
        const std::size_t at = kUnits.find(letter);
        unit.remove_prefix(1);
        if (at == std::string_view::npos || !(unit.empty() || unit == "B" || unit == "iB"))
            return fail(
                ErrorCode::invalid_argument,
                fmt::format("'{}' is not a size: give a number, with K, M or G behind it for "
                            "KiB, MiB or GiB",
                            text));
        shift = static_cast<unsigned>(at + 1) * 10;
    }
    if (error != std::errc{} || number > (UINT64_MAX >> shift))
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' is not a size that fits into 64 bits", text));
    return number << shift;
}

Result<std::vector<unsigned>> parse_numbers(std::string_view text) {
    std::vector<unsigned> numbers;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (true) {
        unsigned number = 0;
        const auto [rest, error] = std::from_chars(at, end, number);
        if (error != std::errc{} || (rest != end && *rest != ','))
            return fail(ErrorCode::invalid_argument,
                        fmt::format("'{}' is not a list of numbers such as 0,1,2", text));
        numbers.push_back(number);
        if (rest == end)
            return numbers;
        at = rest + 1;
    }
}

namespace {

std::string scaled(double value, double step, const std::array<std::string_view, 5>& units) {
    std::size_t unit = 0;
    while (value >= step && unit + 1 < units.size() && !units[unit + 1].empty()) {
        value /= step;
        ++unit;
    }
    if (unit == 0)
        return fmt::format("{:.0f} {}", value, units[0]);
    return fmt::format("{:.{}f} {}", value, value < 10 ? 2 : (value < 100 ? 1 : 0), units[unit]);
}

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
    return scaled(static_cast<double>(bytes), 1024, {"B", "KiB", "MiB", "GiB", "TiB"});
}

std::string human_ns(std::uint64_t ns) {
    return scaled(static_cast<double>(ns), 1000, {"ns", "us", "ms", "s", ""});
}

std::string Table::text(std::size_t indent) const {
    std::vector<std::size_t> widths;
    for (const Column& column : columns_)
        widths.push_back(column.title.size());
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].size());
    }
    std::string out;
    const auto line = [&](const auto& cell) {
        std::string text(indent, ' ');
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const bool right = columns_[i].align == Align::right;
            text += right ? fmt::format("{:>{}}", cell(i), widths[i])
                          : fmt::format("{:<{}}", cell(i), widths[i]);
            text += "  ";
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out += text + '\n';
    };
    line([&](std::size_t i) { return columns_[i].title; });
    for (const auto& row : rows_)
        line([&](std::size_t i) { return row[i]; });
    return out;
}

}  // namespace causeway::cli
