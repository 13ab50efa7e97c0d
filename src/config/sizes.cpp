#include "config/sizes.hpp"

#include <charconv>

namespace causeway::config {
namespace {

constexpr std::string_view kUnits = "KMGT";

[[nodiscard]] char upper(char c) noexcept {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

[[nodiscard]] bool ends_well(std::string_view rest) noexcept {
    return rest.empty() || rest == "B" || rest == "b" || rest == "iB" || rest == "ib";
}

}  // namespace

std::optional<std::uint64_t> size_of(std::string_view text) noexcept {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{})
        return std::nullopt;
    std::string_view unit(stop, static_cast<std::size_t>(end - stop));
    if (unit.empty())
        return number;
    const std::size_t at = kUnits.find(upper(unit[0]));
    if (at == std::string_view::npos || !ends_well(unit.substr(1)))
        return std::nullopt;
    const unsigned shift = static_cast<unsigned>(at + 1) * 10;
    if (number > (UINT64_MAX >> shift))
        return std::nullopt;
    return number << shift;
}

std::string size_text(std::uint64_t bytes) {
    std::size_t units = 0;
    while (bytes != 0 && bytes % 1024 == 0 && units < kUnits.size()) {
        bytes /= 1024;
        ++units;
    }
    std::string text = std::to_string(bytes);
    if (units > 0)
        text += kUnits[units - 1];
    return text;
}

}  // namespace causeway::config
