// One end of a queue pair as the adapter holds it, and the connection of two ends.
//
// Threading: created by the control thread; from Mover::add on, everything but the constants and
// the counters belongs to the mover until Mover::remove reports it done. Counters are written by
// the mover and read by the control thread.
// Ownership: shared between control thread and mover; memory goes with the last owner.
#pragma once

#include <atomic>
#include <causeway/abi/control.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "adapter/doorbell.hpp"
#include "adapter/journal_cells.hpp"
#include "base/result.hpp"
#include "engine/flow.hpp"
#include "engine/region_table.hpp"
#include "platform/fd.hpp"
#include "platform/mapping.hpp"
#include "shm/queue_pair_view.hpp"

namespace causeway::adapter {

class Connection;
class Mover;

struct EndOptions {
    std::uint32_t id = 0;       // network-wide
    std::uint32_t session = 0;  // whose end it is
    std::uint32_t mover = 0;    // whose doorbell its partition rings
    std::uint32_t doorbell_bit = 0;
    std::uint32_t ready_bit = 0;
    abi::QueuePairShape shape{};
    engine::Patience patience{};
    std::shared_ptr<engine::RegionTable> regions;              // of its partition
    std::shared_ptr<const std::atomic<std::uint32_t>> weight;  // of its partition; none: 100
    std::shared_ptr<Doorbell> completions;                     // of its completion queue
    std::shared_ptr<Doorbell> events;                          // of its partition
    QueuePairCell* journal = nullptr;                          // none: the end keeps one of its own
};

class End {
public:
    // Makes the queue pair's memory, sealed, with its header written.
    [[nodiscard]] static Result<std::shared_ptr<End>> create(EndOptions options);
    // Takes over the memory of an end that an earlier daemon has made, where its journal ends. Any
    // file but that one is refused.
    [[nodiscard]] static Result<std::shared_ptr<End>> resume(EndOptions options,
                                                             const platform::UniqueFd& memory);

    [[nodiscard]] const EndOptions& options() const noexcept { return options_; }
    // The memory's descriptor, to be given to the partition; closed once it was.
    [[nodiscard]] platform::UniqueFd& memory() noexcept { return memory_; }
    [[nodiscard]] std::uint64_t memory_size() const noexcept { return mapping_.size(); }

    // What executes from now on; to be said before `connected` is.
    void set_executor(abi::Executor executor) noexcept {
        direct_.store(executor == abi::Executor::direct, std::memory_order_relaxed);
        layout().executor.store(static_cast<std::uint32_t>(executor), std::memory_order_relaxed);
    }
    // Its partition moves what it sends by itself (executor direct). Any thread.
    [[nodiscard]] bool executes_itself() const noexcept {
        return direct_.load(std::memory_order_relaxed);
    }
    // A region that this end may have been granted is its peer's no more. Any thread.
    void count_revocation() noexcept {
        // SYNC(revocations): release, pairs with the acquire in client/direct_lane.cpp.
        layout().revocations.fetch_add(1, std::memory_order_release);
    }
    // Publishes the state to the partition and rings its doorbells.
    void set_state(abi::QueuePairState state, abi::Error reason) noexcept;
    [[nodiscard]] abi::QueuePairState state() const noexcept {
        return static_cast<abi::QueuePairState>(state_.load(std::memory_order_acquire));
    }
    [[nodiscard]] abi::Error reason() const noexcept {
        return static_cast<abi::Error>(reason_.load(std::memory_order_relaxed));
    }

    // The engine's view of this end.
    [[nodiscard]] engine::Endpoint& endpoint() noexcept { return endpoint_; }
    [[nodiscard]] const engine::Endpoint& endpoint() const noexcept { return endpoint_; }
    [[nodiscard]] abi::QueuePairLayout& layout() noexcept { return view_.layout(); }
    // Tells the partition that completions were published.
    void notify() noexcept;

    Connection* connection = nullptr;        // mover's; none before it is connected
    std::atomic<Mover*> served_by{nullptr};  // that connection's mover, once there was one
    std::atomic<bool> poke_pending{false};   // a poke is on its way to that mover

    End(EndOptions options, platform::UniqueFd memory, platform::Mapping mapping);
    End(const End&) = delete;
    End& operator=(const End&) = delete;

private:
    std::unique_ptr<QueuePairCell> own_journal_;  // before the options, which may point to it
    EndOptions options_;
    platform::UniqueFd memory_;
    platform::Mapping mapping_;
    shm::QueuePairView view_;
    engine::Endpoint endpoint_;
    std::atomic<std::uint32_t> state_{0};   // private copies: what stands in shared memory is
    std::atomic<std::uint32_t> reason_{0};  // for the partition only
    std::atomic<bool> direct_{false};
};

// How far a flow's counters had come when they were last looked at, for the histograms.
struct Seen {
    std::uint64_t operations = 0;
    std::uint64_t bytes = 0;
    std::uint64_t errors = 0;
    std::uint64_t since_ticks = 0;  // the descriptor under way was looked at first; 0: none is
};

// Two connected ends: a flow in each direction. Belongs to one mover.
class Connection {
public:
    // `id` is not zero and unique in the daemon's life, as is `id` + 1.
    Connection(std::shared_ptr<End> a, std::shared_ptr<End> b, std::uint64_t id,
               abi::Executor executor)
        : executor(executor),
          ends{std::move(a), std::move(b)},
          flows{{ends[0]->endpoint(), ends[1]->endpoint(), id},
                {ends[1]->endpoint(), ends[0]->endpoint(), id + 1}} {}

    // Direct: the partitions execute; the mover only connects and closes.
    const abi::Executor executor;
    std::shared_ptr<End> ends[2];
    engine::Flow flows[2];
    engine::Step last[2] = {engine::Step::idle, engine::Step::idle};
    Seen seen[2];

    // Scheduling state of the mover.
    bool polled = false;
    std::uint64_t active_ns = 0;          // last progress
    std::uint64_t retry_ns = UINT64_MAX;  // not polled: look again at this time
    std::uint64_t retry_after_ns = 0;     // back-off while a partition takes no completions
    std::uint32_t* busy[2] = {};          // of either partition: its polled connections
    std::int64_t deficit = 0;             // ticks of mover time it may still use in its turn
    std::uint64_t window = 0;             // in which it was worked on last,
    std::uint64_t window_ticks = 0;       // and for how long there
};

}  // namespace causeway::adapter
