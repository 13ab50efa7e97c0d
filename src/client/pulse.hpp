// Pulse: what brings an application that sleeps on descriptors of this library back into it while
// the adapter is away: at a moment, or when something comes from the next adapter.
//
// Threading: the owner locks; fd() from any thread. Ownership: owns timer and epoll set.
//
// Invariants:
//  1. fd() is readable from the moment given to at() on, until another one is given or off().
//  2. Without open() everything here does nothing, and fd() is -1.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::client {

class Pulse {
public:
    [[nodiscard]] Result<void> open();
    [[nodiscard]] int fd() const noexcept { return set_.get(); }
    // By the clock of platform::monotonic_ns(); one that has passed: at once, and for good.
    void at(std::uint64_t moment_ns) noexcept;
    void off() noexcept;
    // fd() is readable also while `file` is.
    [[nodiscard]] Result<void> watch(int file);
    void unwatch(int file) noexcept;
    // A forked child: forgets what belongs to the parent.
    void abandon() noexcept;

private:
    platform::UniqueFd set_;
    platform::UniqueFd timer_;
};

}  // namespace causeway::client
