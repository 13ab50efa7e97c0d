// Deadline: a moment on the monotonic clock, or never.
#pragma once

#include <cstdint>

#include "platform/clock.hpp"

namespace causeway::client {

class Deadline {
public:
    // UINT64_MAX, or so far away that it cannot be counted: never.
    explicit Deadline(std::uint64_t timeout_ns) noexcept {
        const std::uint64_t now = platform::monotonic_ns();
        at_ns_ = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
    }
    [[nodiscard]] std::uint64_t left_ns() const noexcept {
        if (at_ns_ == UINT64_MAX)
            return UINT64_MAX;
        const std::uint64_t now = platform::monotonic_ns();
        return now >= at_ns_ ? 0 : at_ns_ - now;
    }

private:
    std::uint64_t at_ns_;
};

}  // namespace causeway::client
