#include "platform/process.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "platform/files.hpp"

namespace causeway::platform {

std::uint64_t process_start(pid_t pid) noexcept {
    constexpr int kField = 22;  // proc_pid_stat(5): starttime
    if (pid <= 0)
        return 0;
    char path[32];
    (void)std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
    const auto text = read_small_file(path);
    if (!text)
        return 0;
    // The name in field 2 may hold anything, blanks and brackets included.
    const std::size_t name_end = text->rfind(')');
    if (name_end == std::string::npos)
        return 0;
    std::string_view rest = std::string_view(*text).substr(std::min(name_end + 2, text->size()));
    for (int field = 3; field < kField; ++field)
        (void)next_token(rest, ' ');
    return leading_number(next_token(rest, ' ')).value_or(0);
}

}  // namespace causeway::platform
