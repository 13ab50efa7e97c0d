// Completions and the queue that they arrive in. One thread at a time uses a queue and the queue
// pairs that complete to it.
#pragma once

#include <array>
#include <causeway/error.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace causeway {

enum class Opcode : std::uint32_t {
    send = CW_SEND,
    receive = CW_RECEIVE,
    write = CW_WRITE,  // of a receive: consumed by a peer's Write with immediate
    read = CW_READ,
    append = CW_APPEND,
};

enum class Wait { adaptive = CW_WAIT_ADAPTIVE, spin = CW_WAIT_SPIN, block = CW_WAIT_BLOCK };

// How one descriptor ended.
class Completion : private cw_completion {
public:
    Completion() noexcept : cw_completion{} {}

    [[nodiscard]] std::uint64_t id() const noexcept { return cw_completion::id; }
    [[nodiscard]] Status status() const noexcept {
        return static_cast<Status>(cw_completion::status);
    }
    [[nodiscard]] bool ok() const noexcept { return status() == Status::success; }
    [[nodiscard]] Opcode opcode() const noexcept {
        return static_cast<Opcode>(cw_completion::opcode);
    }
    [[nodiscard]] std::uint32_t length() const noexcept { return cw_completion::length; }  // bytes
    [[nodiscard]] std::optional<std::uint32_t> immediate() const noexcept {
        if (has_immediate == 0)
            return std::nullopt;
        return cw_completion::immediate;
    }
    // Append: where in the destination region the data begins, in bytes.
    [[nodiscard]] std::uint64_t offset() const noexcept { return cw_completion::offset; }
    // QueuePairOptions::user of the queue pair.
    [[nodiscard]] void* user() const noexcept { return cw_completion::user; }
    [[nodiscard]] cw_queue_pair* queue_pair() const noexcept { return cw_completion::queue_pair; }

private:
    friend class CompletionQueue;
    friend class CompletionBatch;
};
static_assert(sizeof(Completion) == sizeof(cw_completion));

// Up to 32 completions, by value. Memory behind the last one is never written: a poll that finds
// nothing costs nothing.
class CompletionBatch {
public:
    static constexpr int kMost = 32;

    CompletionBatch() noexcept {}  // NOLINT: the union deletes what `= default` would make

    [[nodiscard]] const Completion* begin() const noexcept { return entries_.data(); }
    [[nodiscard]] const Completion* end() const noexcept { return entries_.data() + count_; }
    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(count_); }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    // Only of what is there: neither of an empty batch nor beyond size().
    [[nodiscard]] const Completion& front() const noexcept { return entries_.front(); }
    [[nodiscard]] const Completion& operator[](std::size_t i) const noexcept { return entries_[i]; }
    // Not none: the queue itself failed (forked, closed); then the batch is empty.
    [[nodiscard]] ErrorCode error() const noexcept { return error_; }

private:
    friend class CompletionQueue;
    union {  // so that it is not zeroed
        std::array<Completion, kMost> entries_;
    };
    int count_ = 0;
    ErrorCode error_ = ErrorCode::none;
};

class CompletionQueue {
public:
    CompletionQueue() = default;
    explicit CompletionQueue(cw_completion_queue* raw) noexcept : handle_(raw) {}

    [[nodiscard]] CompletionBatch poll() noexcept {
        return take([this](cw_completion* out) {
            return cw_completion_queue_poll(handle_.get(), out, CompletionBatch::kMost);
        });
    }
    // Empty on time-out.
    [[nodiscard]] CompletionBatch wait(std::chrono::nanoseconds timeout,
                                       Wait how = Wait::adaptive) noexcept {
        return take([&](cw_completion* out) {
            return cw_completion_queue_wait(handle_.get(), out, CompletionBatch::kMost,
                                            static_cast<std::uint64_t>(timeout.count()),
                                            static_cast<cw_wait>(how));
        });
    }
    // For an epoll loop: arm(); if it says true, poll at once; else sleep until fd() is readable.
    [[nodiscard]] int fd() const noexcept { return cw_completion_queue_fd(handle_.get()); }
    [[nodiscard]] bool arm() noexcept { return cw_completion_queue_arm(handle_.get()) != 0; }

    [[nodiscard]] cw_completion_queue* raw() const noexcept { return handle_.get(); }

private:
    template<typename F>
    [[nodiscard]] static CompletionBatch take(F&& fill) noexcept {
        CompletionBatch batch;
        const int n = fill(static_cast<cw_completion*>(batch.entries_.data()));
        if (n < 0) {
            batch.error_ = static_cast<ErrorCode>(-n);
        } else {
            batch.count_ = n;
        }
        return batch;
    }
    detail::Handle<cw_completion_queue, cw_completion_queue_close> handle_;
};

}  // namespace causeway
