#include "platform/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "platform/fd.hpp"

namespace causeway::platform {

std::optional<std::string> read_small_file(const char* path) {
    const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
    if (!fd)
        return std::nullopt;
    std::string text;
    for (;;) {
        char piece[4096];
        const ssize_t size = ::read(fd.get(), piece, sizeof piece);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return std::nullopt;
        if (size == 0)
            return text;
        text.append(piece, static_cast<std::size_t>(size));
    }
}

Result<std::string> read_settings_file(const std::string& path, std::size_t most) {
    // A pipe, which somebody may have put there, must not make us wait for its writer.
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        return fail_errno_format(errno, "open %s", path.c_str());
    struct stat facts {};
    if (::fstat(fd.get(), &facts) != 0)
        return fail_errno_format(errno, "fstat %s", path.c_str());
    if (!S_ISREG(facts.st_mode))
        return fail_format(ErrorCode::invalid_argument, "%s is not an ordinary file", path.c_str());
    std::string text(most + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno_format(errno, "read %s", path.c_str());
        if (got == 0)
            break;
        size += static_cast<std::size_t>(got);
    }
    if (size > most)
        return fail_format(ErrorCode::invalid_argument,
                           "%s is longer than the %zu bytes that such a file can have",
                           path.c_str(), most);
    text.resize(size);
    return text;
}

std::optional<std::uint64_t> leading_number(std::string_view text) noexcept {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{})
        return std::nullopt;
    return number;
}

std::string_view next_token(std::string_view& rest, char separator) noexcept {
    const std::size_t end = rest.find(separator);
    const std::string_view token = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return token;
}

}  // namespace causeway::platform
