// Making and passing on failed Results.
//
// Threading: all functions are pure; they may be called from any thread.
//
// Invariants:
//  1. An error text says what was wrong, with the value, and what to do.
//  2. Nothing here throws, except std::bad_alloc where even a text cannot be had.
#pragma once

#include <causeway/result.hpp>
#include <string>
#include <utility>

namespace causeway {

// printf into a std::string.
[[nodiscard]] std::string format_text(const char* format, ...)
    __attribute__((format(printf, 1, 2)));

// fail(code, text): what a function returning any Result<T> returns when it fails.
[[nodiscard]] tl::unexpected<Error> fail(ErrorCode code, std::string text);
[[nodiscard]] tl::unexpected<Error> fail_format(ErrorCode code, const char* format, ...)
    __attribute__((format(printf, 2, 3)));

// "what: No such file or directory"; the code is errno_code(err).
[[nodiscard]] tl::unexpected<Error> fail_errno(const char* what, int err);
// The same with a printf text for `what`: fail_errno_format(errno, "open %s", path).
[[nodiscard]] tl::unexpected<Error> fail_errno_format(int err, const char* format, ...)
    __attribute__((format(printf, 2, 3)));

// Passes an error on with context in front: "context: text". The code stays.
[[nodiscard]] tl::unexpected<Error> fail_within(const char* context, const Error& error);

// ENOMEM -> no_memory; EMFILE, ENFILE, ENOSPC, EDQUOT -> limit_reached; EACCES, EPERM -> denied;
// EAGAIN -> again; ETIMEDOUT -> timed_out; EPIPE, ECONNRESET -> peer_gone; anything else -> system.
[[nodiscard]] ErrorCode errno_code(int err) noexcept;
// strerror(err), thread-safe.
[[nodiscard]] std::string errno_text(int err);

// The name of a code, as in abi/status.hpp; "unknown" for a number that is none.
[[nodiscard]] const char* error_name(ErrorCode code) noexcept;
[[nodiscard]] const char* status_name(Status status) noexcept;

}  // namespace causeway

#define CW_JOIN_INNER(a, b) a##b
#define CW_JOIN(a, b) CW_JOIN_INNER(a, b)

// CW_TRY(f()): leaves the function with f's error, if it has one. f returns a Result of any type.
#define CW_TRY(...)                                                    \
    do {                                                               \
        auto cw_try_result = (__VA_ARGS__);                            \
        if (!cw_try_result.has_value())                                \
            return ::tl::unexpected(std::move(cw_try_result).error()); \
    } while (false)

// CW_TRY_ASSIGN(auto x, f()): declares or assigns the value of f's Result, or leaves with its
// error.
#define CW_TRY_ASSIGN(declaration, ...) \
    CW_TRY_ASSIGN_INNER(CW_JOIN(cw_try_result_, __LINE__), declaration, __VA_ARGS__)
#define CW_TRY_ASSIGN_INNER(result, declaration, ...)                                  \
    auto result = (__VA_ARGS__); /* NOLINT(bugprone-macro-parentheses): it declares */ \
    if (!result.has_value())                                                           \
        return ::tl::unexpected(std::move(result).error());                            \
    declaration = *std::move(result)
