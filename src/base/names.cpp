#include "base/names.hpp"

#include <algorithm>
#include <cstring>

namespace causeway {

namespace {

bool allowed(char c) noexcept {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
    std::string out(text.substr(0, most));
    for (char& c : out) {
        if (c < ' ' || c > '~' || c == '"' || c == '\'')
            c = '?';
    }
    if (text.size() > most)
        out += "...";
    return out;
}

Result<void> check_name(std::string_view kind, std::string_view name) {
    const auto refuse = [&](const char* why) {
        std::string text(kind);
        text += " name \"" + printable(name) + "\" " + why;
        text += "; take 1 to 63 of A-Z a-z 0-9 . _ -";
        return fail(ErrorCode::invalid_argument, std::move(text));
    };
    if (name.empty())
        return refuse("is empty");
    if (name.size() > kMaxName) {
        return refuse(format_text("has %zu characters", name.size()).c_str());
    }
    const auto bad = std::find_if_not(name.begin(), name.end(), allowed);
    if (bad != name.end()) {
        const auto byte = static_cast<unsigned char>(*bad);
        const auto where = static_cast<std::size_t>(bad - name.begin()) + 1;
        return refuse(format_text("has byte 0x%02x as character %zu", byte, where).c_str());
    }
    if (name == "." || name == "..")
        return refuse("is a directory's");
    return {};
}

Result<Target> split_target(std::string_view target) {
    const std::size_t slash = target.find('/');
    if (slash == std::string_view::npos) {
        return fail(ErrorCode::invalid_argument,
                    "target \"" + printable(target) + "\" has no '/': write PARTITION/SERVICE");
    }
    if (target.find('/', slash + 1) != std::string_view::npos) {
        return fail(
            ErrorCode::invalid_argument,
            "target \"" + printable(target) + "\" has more than one '/': write PARTITION/SERVICE");
    }
    Target parts{std::string(target.substr(0, slash)), std::string(target.substr(slash + 1))};
    CW_TRY(check_name("partition", parts.partition));
    CW_TRY(check_name("service", parts.service));
    return parts;
}

Result<void> store_text(std::span<char> array, std::string_view text) {
    if (text.size() >= array.size()) {
        return fail_format(ErrorCode::invalid_argument,
                           "\"%s\" has %zu bytes; at most %zu fit here", printable(text).c_str(),
                           text.size(), array.empty() ? 0 : array.size() - 1);
    }
    if (text.find('\0') != std::string_view::npos) {
        return fail_format(ErrorCode::invalid_argument, "\"%s\" has a NUL byte inside",
                           printable(text).c_str());
    }
    std::copy(text.begin(), text.end(), array.begin());
    std::fill(array.begin() + static_cast<std::ptrdiff_t>(text.size()), array.end(), '\0');
    return {};
}

Result<std::string_view> load_text(std::span<const char> array) {
    const auto end = std::find(array.begin(), array.end(), '\0');
    if (end == array.end()) {
        return fail_format(ErrorCode::protocol, "a text of %zu bytes is not ended by NUL",
                           array.size());
    }
    if (std::any_of(end, array.end(), [](char c) { return c != '\0'; })) {
        return fail_format(ErrorCode::protocol, "a text of %zu bytes is not padded with NUL",
                           array.size());
    }
    return std::string_view(array.data(), static_cast<std::size_t>(end - array.begin()));
}

Result<std::string> load_name(std::string_view kind, std::span<const char> array) {
    CW_TRY_ASSIGN(const std::string_view name, load_text(array));
    CW_TRY(check_name(kind, name));
    return std::string(name);
}

}  // namespace causeway
