#include "base/assert.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace causeway {

void assert_failed(const char* expression, const char* file, int line) noexcept {
    // On the stack and by write(2): this may run in a signal handler, or with the heap in ruins.
    char text[512];
    int length =
        std::snprintf(text, sizeof text, "%s:%d: assertion failed: %s\n", file, line, expression);
    if (length > static_cast<int>(sizeof text) - 1)
        length = static_cast<int>(sizeof text) - 1;
    if (length > 0) {
        const ssize_t written = ::write(STDERR_FILENO, text, static_cast<std::size_t>(length));
        static_cast<void>(written);  // nobody is left to tell
    }
    std::abort();
}

}  // namespace causeway
