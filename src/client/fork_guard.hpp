// ForkGuard: tells the process that made an object from a child that inherited it by fork().
//
// One page per process, which the kernel wipes in a child (MADV_WIPEONFORK), holds the number of
// the process within its line of forks; every object remembers the number it was made under. The
// child attaches anew by taking the next number, so old objects stay foreign to it.
//
// Threading: all functions may be called from any thread, and in a child of a threaded process:
// nothing here takes a lock.
//
// Invariants:
//  1. here() is one load and a comparison, and makes no system call.
//  2. Numbers are never 0 and never repeat along a line of forks.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/result.hpp"

namespace causeway::client {

class ForkGuard {
public:
    ForkGuard() = default;  // of no process: here() is false
    // The guard of the calling process.
    [[nodiscard]] static Result<ForkGuard> of_this_process();

    [[nodiscard]] bool here() const noexcept {
        return word_ != nullptr && word_->load(std::memory_order_relaxed) == number_;
    }

private:
    ForkGuard(const std::atomic<std::uint64_t>* word, std::uint64_t number) noexcept
        : word_(word), number_(number) {}

    const std::atomic<std::uint64_t>* word_ = nullptr;
    std::uint64_t number_ = 0;
};

}  // namespace causeway::client
