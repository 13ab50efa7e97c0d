// Board: memory that the program and the two processes of a measurement share.
//
// Threading: `total` may be used by all at once; `outcome` belongs to the initiator while a sample
// runs and to the program between samples. Ownership: SharedBoard, in the program; children inherit
// the mapping.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <new>
#include <utility>

#include "base/result.hpp"
#include "perf/histogram.hpp"

namespace causeway::perf {

// Of one sample.
struct Outcome {
    Histogram one_way;             // ns; empty where nothing was timed one by one
    std::uint64_t messages = 0;    // moved in the timed parts
    std::uint64_t elapsed_ns = 0;  // of the timed parts
    // Processor time in them: of the two ends, and of Plan::helper.
    std::uint64_t initiator_cpu_ns = 0;
    std::uint64_t responder_cpu_ns = 0;
    std::uint64_t helper_cpu_ns = 0;
    bool verified = false;  // all that was looked at was right
};

struct Board {
    static constexpr std::uint64_t kOpen = UINT64_MAX;
    // Messages of this round: kOpen until the initiator submits the last one.
    alignas(64) std::atomic<std::uint64_t> total{kOpen};
    alignas(64) Outcome outcome;
};

class SharedBoard {
public:
    [[nodiscard]] static Result<SharedBoard> make() {
        void* const memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            return fail_errno("mmap", errno);
        return SharedBoard(new (memory) Board);
    }
    SharedBoard(SharedBoard&& other) noexcept : board_(std::exchange(other.board_, nullptr)) {}
    SharedBoard& operator=(SharedBoard&& other) noexcept {
        std::swap(board_, other.board_);
        return *this;
    }
    ~SharedBoard() {
        if (board_ != nullptr)
            ::munmap(board_, sizeof(Board));
    }
    [[nodiscard]] Board& operator*() const noexcept { return *board_; }
    [[nodiscard]] Board* operator->() const noexcept { return board_; }

private:
    explicit SharedBoard(Board* board) noexcept : board_(board) {}
    Board* board_;
};

}  // namespace causeway::perf
