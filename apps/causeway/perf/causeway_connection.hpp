// Connection: one end of a queue pair with what every operation's endpoint needs around it.
//
// Threading: one thread. Ownership: partition, queue, queue pair and regions.
//
// Invariants:
//  1. Descriptors complete in order, so one number says how many have.
//  2. Between rounds nothing is on its way: then unsignaled descriptors count as completed.
#pragma once

#include <array>
#include <causeway/causeway.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "perf/endpoint.hpp"
#include "perf/plan.hpp"

namespace causeway::perf {

// One message buffer after the other in one region, each on a cache line of its own.
class Slots {
public:
    [[nodiscard]] static Result<Slots> make(Partition& partition, const Plan& plan, Access access);

    [[nodiscard]] Slice slice(std::uint32_t slot) const noexcept {
        return {{base_ + slot * stride_, static_cast<std::uint32_t>(size_), handle_}};
    }
    [[nodiscard]] std::span<std::byte> bytes(std::uint32_t slot) const noexcept {
        return slice(slot).bytes();
    }
    // Of slot 0; slot n lies n * stride() behind it.
    [[nodiscard]] Remote remote() const noexcept { return region_.remote(); }
    [[nodiscard]] std::uint64_t stride() const noexcept { return stride_; }

private:
    Region region_;
    std::byte* base_ = nullptr;
    std::uint32_t handle_ = 0;
    std::uint64_t size_ = 0;
    std::uint64_t stride_ = 0;
};

class Connection {
public:
    // Attaches and makes an idle queue pair. `receives`: how many the endpoint will keep posted.
    [[nodiscard]] Result<void> open(const Plan& plan, Role role, std::uint32_t receives);
    // Connects the two ends. What must be there before the first message comes, must be by now.
    [[nodiscard]] Result<void> connect(SideChannel& side);

    // ---- what this end posts. Room for one more descriptor, waiting for it:
    [[nodiscard]] Result<void> reserve() {
        while (posted_ - completed_ >= window_)
            CW_TRY(progress());
        return {};
    }
    [[nodiscard]] std::uint64_t next_id() const noexcept { return posted_; }
    // Flags of the next post: every so many are signaled.
    [[nodiscard]] std::uint32_t next_flags() const noexcept {
        return posted_ + 1 >= signal_at_ || posted_ + 1 == marked_ ? 0U : CW_UNSIGNALED;
    }
    // The next post is signaled; complete_marked() waits for it. Executor direct: who has posted
    // and waits for nothing moves nothing.
    void signal_next() noexcept { marked_ = posted_ + 1; }
    [[nodiscard]] Result<void> complete_marked() {
        while (completed_ < marked_)
            CW_TRY(progress());
        return {};
    }
    // The result of a cw_post_*: counts it. Retry on `again` is not needed: reserve() left room.
    [[nodiscard]] Result<void> posted(int code) {
        if (code != CW_OK)
            return detail::last_error(code);
        if (++posted_ >= signal_at_)
            signal_at_ += signal_every_;
        return {};
    }
    [[nodiscard]] std::uint64_t completed() const noexcept { return completed_; }
    [[nodiscard]] Result<void> complete() {
        while (completed_ < posted_)
            CW_TRY(progress());
        return {};
    }
    // Nothing is on its way now.
    void settle() noexcept { completed_ = posted_; }
    // `window` descriptors at most on their way, every `signal_every`th tells.
    void set_window(std::uint32_t window, std::uint32_t signal_every) noexcept {
        window_ = window;
        signal_every_ = signal_every;
        signal_at_ = posted_ + signal_every;
    }

    // ---- what comes in
    struct Arrival {
        std::uint64_t id;  // of the receive, without its mark
        std::uint32_t length;
        std::uint32_t immediate;
    };
    [[nodiscard]] Result<void> post_receive(const Slice* slices, std::uint32_t count,
                                            std::uint64_t id);
    // The oldest arrival that was not taken yet.
    [[nodiscard]] Result<Arrival> next_arrival() {
        while (taken_ == arrived_)
            CW_TRY(progress());
        return arrivals_[taken_++ & (arrivals_.size() - 1)];
    }
    // Waits for completions and sorts them.
    [[nodiscard]] Result<void> progress();

    [[nodiscard]] Partition& partition() noexcept { return partition_; }
    [[nodiscard]] cw_queue_pair* pair() const noexcept { return pair_.raw(); }
    [[nodiscard]] std::string executor() const { return std::string(pair_.executor()); }

private:
    static constexpr std::uint64_t kReceive = std::uint64_t{1} << 63;  // in ids
    static constexpr int kBatch = 32;

    [[nodiscard]] Result<void> failed(const cw_completion& completion) const;

    Role role_ = Role::initiator;
    cw_wait wait_ = CW_WAIT_ADAPTIVE;
    Partition partition_;
    CompletionQueue queue_;
    QueuePair pair_;
    std::uint64_t posted_ = 0;
    std::uint64_t completed_ = 0;
    std::uint64_t marked_ = 0;
    std::uint32_t window_ = 1;
    std::uint32_t signal_every_ = 1;
    std::uint64_t signal_at_ = 1;    // the next post that is signaled, counted from 1
    std::vector<Arrival> arrivals_;  // a ring of 2^n, as large as receives can be posted
    std::uint64_t arrived_ = 0;
    std::uint64_t taken_ = 0;
    std::array<cw_completion, kBatch> batch_{};
};

}  // namespace causeway::perf
