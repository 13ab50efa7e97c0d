#include "client/last_error.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace causeway::client {
namespace {

struct LastError {
    const char* format = nullptr;  // not null: `text` is still to be made from it
    unsigned long long first = 0;
    unsigned long long second = 0;
    char text[768] = "";
};

constinit thread_local LastError t_last;

}  // namespace

ErrorCode set_error(const Error& error) noexcept {
    constexpr std::size_t most = sizeof t_last.text - 1;
    const std::size_t length = std::min(error.text.size(), most);
    std::memcpy(t_last.text, error.text.data(), length);
    t_last.text[length] = '\0';
    if (length < error.text.size())
        std::memcpy(t_last.text + most - 3, "...", 3);
    t_last.format = nullptr;
    return error.code;
}

ErrorCode set_error(ErrorCode code, const char* text) noexcept { return set_error(code, text, 0); }

ErrorCode set_error(ErrorCode code, const char* format, std::uint64_t first,
                    std::uint64_t second) noexcept {
    t_last.format = format;
    t_last.first = first;
    t_last.second = second;
    return code;
}

const char* last_error_text() noexcept {
    if (t_last.format != nullptr) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        // Literals only, see the header.
        std::snprintf(t_last.text, sizeof t_last.text, t_last.format, t_last.first, t_last.second);
#pragma GCC diagnostic pop
        t_last.format = nullptr;
    }
    return t_last.text;
}

}  // namespace causeway::client
