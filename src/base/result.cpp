#include "base/result.hpp"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace causeway {

namespace {

__attribute__((format(printf, 1, 0))) std::string format_arguments(const char* format,
                                                                   std::va_list arguments) {
    char small[256];
    std::va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(small, sizeof small, format, arguments);
    std::string text;
    if (length > 0 && static_cast<std::size_t>(length) < sizeof small) {
        text.assign(small, static_cast<std::size_t>(length));
    } else if (length > 0) {
        text.resize(static_cast<std::size_t>(length));
        std::vsnprintf(text.data(), text.size() + 1, format, again);
    }
    va_end(again);
    return text;
}

// strerror_r is GNU's or POSIX', by the C library and its feature macros.
[[maybe_unused]] const char* description(const char* returned, const char*) { return returned; }
[[maybe_unused]] const char* description(int returned, const char* buffer) {
    return returned == 0 ? buffer : "unknown error";
}

}  // namespace

std::string format_text(const char* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    std::string text = format_arguments(format, arguments);
    va_end(arguments);
    return text;
}

tl::unexpected<Error> fail(ErrorCode code, std::string text) {
    return tl::unexpected<Error>(Error{code, std::move(text)});
}

tl::unexpected<Error> fail_format(ErrorCode code, const char* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    std::string text = format_arguments(format, arguments);
    va_end(arguments);
    return fail(code, std::move(text));
}

tl::unexpected<Error> fail_errno(const char* what, int err) {
    return fail(errno_code(err), std::string(what) + ": " + errno_text(err));
}

tl::unexpected<Error> fail_errno_format(int err, const char* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    const std::string what = format_arguments(format, arguments);
    va_end(arguments);
    return fail_errno(what.c_str(), err);
}

tl::unexpected<Error> fail_within(const char* context, const Error& error) {
    return fail(error.code, std::string(context) + ": " + error.text);
}

ErrorCode errno_code(int err) noexcept {
    switch (err) {
        case ENOMEM:
            return ErrorCode::no_memory;
        case EMFILE:
        case ENFILE:
        case ENOSPC:
        case EDQUOT:
        case ETOOMANYREFS:
            return ErrorCode::limit_reached;
        case EACCES:
        case EPERM:
            return ErrorCode::denied;
        case EAGAIN:
            return ErrorCode::again;
        case ETIMEDOUT:
            return ErrorCode::timed_out;
        case EPIPE:
        case ECONNRESET:
            return ErrorCode::peer_gone;
        default:
            return ErrorCode::system;
    }
}

std::string errno_text(int err) {
    char buffer[128] = "";
    return description(::strerror_r(err, buffer, sizeof buffer), buffer);
}

const char* error_name(ErrorCode code) noexcept {
    static constexpr const char* kNames[] = {
        "none",      "invalid_argument", "no_adapter", "denied",      "name_in_use",  "not_found",
        "no_memory", "limit_reached",    "timed_out",  "again",       "peer_gone",    "protocol",
        "version",   "forked",           "system",     "wrong_state", "adapter_gone", "unsupported",
    };
    static_assert(sizeof kNames / sizeof kNames[0] == abi::kErrorCount);
    const auto number = static_cast<std::int32_t>(code);
    return number >= 0 && number < abi::kErrorCount ? kNames[number] : "unknown";
}

const char* status_name(Status status) noexcept {
    static constexpr const char* kNames[] = {
        "success",        "local_length",  "local_protection",
        "remote_access",  "remote_length", "receiver_not_ready",
        "bad_descriptor", "flushed",       "peer_gone",
        "denied",
    };
    static_assert(sizeof kNames / sizeof kNames[0] == abi::kStatusCount);
    const auto number = static_cast<std::uint8_t>(status);
    return number < abi::kStatusCount ? kNames[number] : "unknown";
}

}  // namespace causeway
