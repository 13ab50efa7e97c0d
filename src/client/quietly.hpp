// quietly(f): for destructors. f may throw std::bad_alloc while it puts an error text together that
// nobody is going to read; that must not end the process.
#pragma once

#include <new>
#include <utility>

namespace causeway::client {

template<typename F>
void quietly(F&& f) noexcept {
    try {
        std::forward<F>(f)();
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch)
    }
}

}  // namespace causeway::client
