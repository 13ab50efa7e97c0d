// The calling thread's last error: what cw_error_text() returns.
//
// Threading: per thread. Ownership: the text lives in thread-local memory without a destructor.
//
// Invariants:
//  1. Setting an error allocates nothing and makes no system call; the texts of errors that a data
//     path meets all the time (a full queue) are put together only when somebody asks.
#pragma once

#include <causeway/result.hpp>
#include <cstdint>

namespace causeway::client {

// Each returns its code, for `return set_error(...)`.
ErrorCode set_error(const Error& error) noexcept;
// `text` must be a literal.
ErrorCode set_error(ErrorCode code, const char* text) noexcept;
// `format` must be a literal with one or two %llu.
ErrorCode set_error(ErrorCode code, const char* format, std::uint64_t first,
                    std::uint64_t second = 0) noexcept;

[[nodiscard]] const char* last_error_text() noexcept;

}  // namespace causeway::client
