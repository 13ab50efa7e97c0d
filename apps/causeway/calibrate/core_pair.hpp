// CorePair: two cores and the memory between them, as sender and receiver have it.
//
// The calling thread is the sender, bound to its core from start() on; a thread of its own is the
// receiver. Both spin while a sample runs, the receiver also between samples.
//
// Threading: one thread. Ownership: owns thread and memory.
//
// Invariants:
//  1. Source and target are shared memory of ordinary pages, filled up front, as regions are.
//  2. Of a sample the first part, at least one message and as far as time allows one lap of the
//     buffers, is not counted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/result.hpp"
#include "calibrate/cell.hpp"

namespace causeway::calibrate {

struct Taken {
    Rates rates{};
    bool disturbed = false;  // a thread was interrupted for another one
    bool right = false;      // what arrived is what was sent
};

class CorePair {
public:
    // Between two different cores; `bytes` of source and as much of target.
    [[nodiscard]] static Result<std::unique_ptr<CorePair>> start(unsigned sender, unsigned receiver,
                                                                 std::uint64_t bytes);
    ~CorePair();
    CorePair(const CorePair&) = delete;
    CorePair& operator=(const CorePair&) = delete;

    // Nanoseconds in which a cache line goes from core to core; takes under a millisecond.
    [[nodiscard]] double bounce_ns();
    // Copies messages of the cell with this kernel for about `ns`.
    [[nodiscard]] Taken sample(const Cell& cell, engine::CopyKernel kernel, std::uint64_t ns);
    // The same with another way of copying.
    using Copy = std::function<void(std::byte* to, const std::byte* from, std::size_t length)>;
    [[nodiscard]] Taken sample(const Cell& cell, const Copy& copy, std::uint64_t ns);

    [[nodiscard]] std::span<std::byte> source() const noexcept;
    [[nodiscard]] std::span<std::byte> target() const noexcept;

private:
    struct Shared;
    CorePair();
    [[nodiscard]] Result<void> set_up(unsigned sender, unsigned receiver, std::uint64_t bytes);
    void serve();
    void serve_bounce();
    void serve_sample();
    void begin(int job);
    void await_end();

    std::unique_ptr<Shared> shared_;
};

}  // namespace causeway::calibrate
