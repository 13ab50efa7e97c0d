// CW_ASSERT: our own invariants, checked in every build. It prints the expression and its place
// with write(2) and aborts. No value that a peer wrote may reach it.
#pragma once

namespace causeway {

[[noreturn]] void assert_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace causeway

#define CW_ASSERT(expression)                             \
    (static_cast<bool>(expression) ? static_cast<void>(0) \
                                   : ::causeway::assert_failed(#expression, __FILE__, __LINE__))
