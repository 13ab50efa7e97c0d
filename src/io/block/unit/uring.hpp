// Uring: reads and writes of an image by io_uring, with the file and the unit's own memory
// registered.
//
// Threading: one thread, the one that made it.
// Ownership: owns its ring; borrows image and memory, which outlive it.
//
// Invariants:
//  1. A transfer that the kernel cuts short is gone on with, so that each order ends once, whole or
//     with an error.
//  2. Memory of an order is not touched any more once it has ended, or the ring is gone.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "io/block/unit/image.hpp"
#include "io/block/unit/order.hpp"

namespace causeway::io::block {

class Uring {
public:
    // `own`: memory that most transfers go through; may be empty. Errors: unsupported (io_uring is
    // not there, or not allowed), no_memory.
    [[nodiscard]] static Result<std::unique_ptr<Uring>> make(Image& image, std::uint32_t depth,
                                                             std::span<std::byte> own);
    ~Uring();
    Uring(const Uring&) = delete;
    Uring& operator=(const Uring&) = delete;

    // Takes a read or write; false: `depth` are under way.
    [[nodiscard]] bool submit(const Order& order) noexcept;
    // Hands what was submitted to the kernel.
    void push() noexcept;
    void take(std::vector<Ended>& out) noexcept;  // `out` has room for what is under way
    // For poll(): readable when take() has something.
    [[nodiscard]] int fd() const noexcept { return ring_.ring_fd; }
    [[nodiscard]] bool idle() const noexcept { return free_.size() == slots_.size(); }

private:
    struct Slot {
        Order order;
        std::uint64_t done = 0;  // bytes of it
    };
    explicit Uring(Image& image, std::span<std::byte> own) noexcept : image_(image), own_(own) {}
    void prepare(std::uint32_t slot) noexcept;
    // Has it ended? Else it was submitted again.
    [[nodiscard]] bool go_on(std::uint32_t slot, int result, int& error) noexcept;

    Image& image_;
    std::span<std::byte> own_;
    io_uring ring_{};
    bool file_registered_ = false;
    bool memory_registered_ = false;
    std::uint32_t unsubmitted_ = 0;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
};

}  // namespace causeway::io::block
