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

// What kind of transfer has ended.
enum class Opcode : std::uint32_t {
    send = CW_SEND,
    receive = CW_RECEIVE,
    write = CW_WRITE,  // of a receive: consumed by a peer's Write with immediate
    read = CW_READ,
    append = CW_APPEND,
};

// How to wait: spin briefly and then sleep, spin only (yielding where others need the core), or
// sleep at once.
enum class Wait { adaptive = CW_WAIT_ADAPTIVE, spin = CW_WAIT_SPIN, block = CW_WAIT_BLOCK };

// How one descriptor ended.
class Completion : private cw_completion {
public:
    // Of nothing, to be filled.
    Completion() noexcept : cw_completion{} {}

    // As given with the post.
    [[nodiscard]] std::uint64_t id() const noexcept { return cw_completion::id; }
    // How it ended.
    [[nodiscard]] Status status() const noexcept {
        return static_cast<Status>(cw_completion::status);
    }
    // Did it end with Status::success?
    [[nodiscard]] bool ok() const noexcept { return status() == Status::success; }
    // What it was. A receive that a peer's Write with immediate consumed says Opcode::write.
    [[nodiscard]] Opcode opcode() const noexcept {
        return static_cast<Opcode>(cw_completion::opcode);
    }
    [[nodiscard]] std::uint32_t length() const noexcept { return cw_completion::length; }  // bytes
    // The number that came beside the data, if one did.
    [[nodiscard]] std::optional<std::uint32_t> immediate() const noexcept {
        if (has_immediate == 0)
            return std::nullopt;
        return cw_completion::immediate;
    }
    // Append: where in the destination region the data begins, in bytes.
    [[nodiscard]] std::uint64_t offset() const noexcept { return cw_completion::offset; }
    // QueuePairOptions::user of the queue pair.
    [[nodiscard]] void* user() const noexcept { return cw_completion::user; }
    // The queue pair that it was posted on.
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
    // Completions of one batch at most.
    static constexpr int kMost = 32;

    // Empty.
    CompletionBatch() noexcept {}  // NOLINT: the union deletes what `= default` would make

    // The first.
    [[nodiscard]] const Completion* begin() const noexcept { return entries_.data(); }
    // Behind the last.
    [[nodiscard]] const Completion* end() const noexcept { return entries_.data() + count_; }
    // How many there are.
    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(count_); }
    // Is there none?
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    // Only of what is there: neither of an empty batch nor beyond size().
    [[nodiscard]] const Completion& front() const noexcept { return entries_.front(); }
    // The one at `i`, from 0; `i` below size().
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

// Where the completions of any number of queue pairs arrive. Moved, not copied; closed when it
// goes.
class CompletionQueue {
public:
    CompletionQueue() = default;
    explicit CompletionQueue(cw_completion_queue* raw) noexcept : handle_(raw) {}

    // What has ended, without waiting; empty where nothing has.
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
    // True: something is there already, or the queue has failed, which poll() tells.
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
