// Holes: punches holes into a memory file, at random places and without end, on a thread of its
// own.
//
// Threading: make and destroy it on the test's thread. Ownership: borrows the descriptor.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>

#include "platform/memfd.hpp"
#include "support/random.hpp"

namespace causeway::test {

class Holes {
public:
    // The file is of `size` bytes; a hole is of one to four pages.
    Holes(int fd, std::uint64_t size, std::uint64_t seed)
        : thread_([this, fd, size, seed] { run(fd, size, seed); }) {}
    ~Holes() {
        stop_.store(true);
        thread_.join();
    }
    Holes(const Holes&) = delete;
    Holes& operator=(const Holes&) = delete;

    // How many the kernel has let through so far.
    [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(); }

private:
    void run(int fd, std::uint64_t size, std::uint64_t seed) {
        Random random(seed);
        const std::uint64_t pages = size / platform::kPage;
        while (!stop_.load(std::memory_order_relaxed)) {
            const std::uint64_t at = random.below(pages);
            const std::uint64_t length = std::min(1 + random.below(4), pages - at);
            if (::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            static_cast<off_t>(at * platform::kPage),
                            static_cast<off_t>(length * platform::kPage)) == 0)
                count_.fetch_add(1, std::memory_order_relaxed);
        }
    }

    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> count_{0};
    std::thread thread_;
};

}  // namespace causeway::test
