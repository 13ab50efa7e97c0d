// Port: where one end of a message queue, a pipe or of request/response takes what comes over its
// connections, and how it waits for it: by spinning, asleep, or in the application's own epoll
// loop.
//
// Threading: one thread at a time.
// Ownership: owns its descriptors; shares partition and completion queue with what stands on it.
//
// Invariants:
//  1. next() makes no system call while completions come, allocates nothing and takes no lock.
//  2. After settle() has found nothing worth doing, fd() becomes readable when something comes for
//     the completion queue, when a connection may be wanted (a port with a door), or when the
//     deadline that was set is over. It stays readable until the next settle().
//  3. A completion that next() has handed out stays valid until the next call of it.
#pragma once

#include <causeway/causeway.h>

#include <array>
#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "client/completion_queue.hpp"
#include "client/partition.hpp"
#include "platform/clock.hpp"
#include "platform/fd.hpp"

namespace causeway::ipc::inner {

inline constexpr std::uint64_t kForever = UINT64_MAX;

// The moment `timeout_ns` from now; kForever stays.
[[nodiscard]] inline std::uint64_t moment_in(std::uint64_t timeout_ns) noexcept {
    if (timeout_ns == kForever)
        return kForever;
    const std::uint64_t now = platform::monotonic_ns();
    return timeout_ns > kForever - now ? kForever : now + timeout_ns;
}

enum class Doors { none, listens };

class Port {
public:
    [[nodiscard]] static Result<std::unique_ptr<Port>> open(
        std::shared_ptr<client::Partition> partition, cw_wait how, Doors doors);
    ~Port();
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    [[nodiscard]] bool here() const noexcept { return queue_->here(); }
    [[nodiscard]] const std::shared_ptr<client::Partition>& partition() const noexcept {
        return partition_;
    }
    [[nodiscard]] const std::shared_ptr<client::CompletionQueue>& queue() const noexcept {
        return queue_;
    }

    // The next completion; null: there is none now.
    [[nodiscard]] const cw_completion* next() noexcept {
        return at_ < count_ ? &batch_[at_++] : refill();
    }
    // Have all completions that were taken off the queue been handed out?
    [[nodiscard]] bool handed_out() const noexcept { return at_ >= count_; }
    // The adapter has ended for good, and no connection has outlived it.
    [[nodiscard]] bool ended() const noexcept { return ended_; }

    // With a door: may a connection be wanted since knocked() said so last? Costs two loads.
    [[nodiscard]] bool may_be_knocked() const noexcept {
        return doors_ == Doors::listens &&
               (first_knock_ || partition_->events_rung() || partition_->event_ticket() != ticket_);
    }
    // The same, and takes note.
    [[nodiscard]] bool knocked() noexcept;

    // Waits until next() or knocked() may have something, at most until the moment `until_ns`.
    enum class Woken { something, timed_out };
    [[nodiscard]] Woken wait(std::uint64_t until_ns) noexcept;

    // For epoll; negative: -cw_error. From the first call on settle() prepares it.
    [[nodiscard]] int fd() noexcept;
    [[nodiscard]] bool watched() const noexcept { return watched_; }
    // Nothing is worth doing but what `worth` says, until `deadline_ns`.
    enum class Worth { nothing, something };
    void settle(Worth worth, std::uint64_t deadline_ns = kForever) noexcept;
    // Makes fd() readable until the next settle().
    void kick() noexcept;

private:
    static constexpr int kBatch = 32;

    Port(std::shared_ptr<client::Partition> partition, cw_wait how, Doors doors) noexcept
        : partition_(std::move(partition)), how_(how), doors_(doors) {}
    [[nodiscard]] const cw_completion* refill() noexcept;
    [[nodiscard]] Result<void> open_files();
    [[nodiscard]] bool note(int count) noexcept;
    [[nodiscard]] Woken sleep(std::uint64_t left_ns) noexcept;
    void drain() noexcept;
    void set_timer(std::uint64_t deadline_ns) noexcept;

    std::array<cw_completion, kBatch> batch_;
    int at_ = 0;
    int count_ = 0;
    std::shared_ptr<client::CompletionQueue> queue_;
    std::shared_ptr<client::Partition> partition_;
    cw_wait how_;
    Doors doors_;
    bool ended_ = false;
    bool watched_ = false;
    bool kicked_ = false;
    bool first_knock_ = true;
    std::uint32_t ticket_ = 0;
    std::uint64_t asked_ns_ = 0;  // when knocked() said yes last
    std::uint64_t timer_ns_ = kForever;
    platform::UniqueFd poll_;   // what fd() shows, and a port with a door sleeps on
    platform::UniqueFd kicks_;  // eventfd
    platform::UniqueFd timer_;
};

}  // namespace causeway::ipc::inner
