// CompletionQueue: where the completions of its queue pairs are taken.
//
// A few pairs are hot: their rings are polled directly, and their memory says so. The others are
// found by the ready bits of the doorbell that the adapter rings, so that polling a thousand pairs
// costs one load and the hot ones.
//
// Threading: one thread at a time, also for add() and remove() of pairs; fd() from any.
// Ownership: owns doorbell and socket; borrows the pairs, each of which owns a share of it.
//
// Invariants:
//  1. A pair is hot (polled = 1), pending (cold, its bit was taken and its rings may not be empty),
//     or cold (a bit will be set for it). It turns cold only by: polled = 0, a fence, a second
//     look.
//  2. Before a sleep: announced, then a look at every ring of every pair. What is published after
//     that look wakes.
//  3. poll() makes no system call while the adapter is here, except after arm(), and every kLookNs
//     or less often among empty polls.
//  4. What the adapter's death and return mean for the pairs is done here, in catch_up(), and
//     noticed by one comparison in an empty poll.
#pragma once

#include <causeway/causeway.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "client/nap.hpp"
#include "client/partition.hpp"
#include "client/peer_bells.hpp"
#include "client/peer_memory.hpp"
#include "client/queue_pair.hpp"
#include "platform/spinner.hpp"

namespace causeway::client {

class CompletionQueue {
public:
    static constexpr std::uint32_t kMostHot = 16;
    static constexpr std::uint32_t kIdlePolls = 1024;  // without a completion, before a pair cools

    // Throws std::bad_alloc only.
    [[nodiscard]] static Result<std::shared_ptr<CompletionQueue>> create(
        std::shared_ptr<Partition> partition);
    explicit CompletionQueue(std::shared_ptr<Partition> partition);
    ~CompletionQueue();
    CompletionQueue(const CompletionQueue&) = delete;
    CompletionQueue& operator=(const CompletionQueue&) = delete;

    [[nodiscard]] bool here() const noexcept { return guard_.here(); }
    [[nodiscard]] Partition& partition() const noexcept { return *partition_; }
    [[nodiscard]] std::uint32_t doorbell() const noexcept { return bell_id_; }

    [[nodiscard]] Result<void> add(QueuePair& pair);
    void remove(QueuePair& pair) noexcept;
    // A direct end has completed its own sends, or waits for its peer: nobody rings for these.
    void note_own_work(QueuePair& pair) noexcept {
        if (pair.link.place == CompletionLink::Place::cold)
            bring(pair);
    }

    // Up to `most` completions; 0: none now; -adapter_gone: none ever again (not while direct
    // connections live on).
    [[nodiscard]] int poll(cw_completion* out, int most) noexcept;
    [[nodiscard]] int wait(cw_completion* out, int most, std::uint64_t timeout_ns,
                           cw_wait how) noexcept;
    // 0: armed; 1: something is there already, poll first; -adapter_gone.
    [[nodiscard]] int arm() noexcept;
    [[nodiscard]] int fd() const noexcept { return peers_.fd(); }

    // For direct lanes: a bell by which a peer rings this queue, and the regions that peer grants.
    [[nodiscard]] Result<BellShare> add_bell(std::uint32_t number) {
        return peers_.add(*partition_, number);
    }
    void remove_bell(BellShare share) noexcept { peers_.remove(*partition_, share); }
    [[nodiscard]] bool bell_hung_up(BellShare share) const noexcept {
        return peers_.hung_up(share);
    }
    [[nodiscard]] std::shared_ptr<PeerMemory> peer_memory(std::uint32_t session);

    [[nodiscard]] std::uint32_t hot_pairs() const noexcept { return hot_count_; }

private:
    enum class Look { nothing, something };

    [[nodiscard]] Result<void> open();
    void collect_rung() noexcept;
    [[nodiscard]] int take_hot(cw_completion* out, int most) noexcept;
    [[nodiscard]] int take_pending(cw_completion* out, int most) noexcept;
    [[nodiscard]] int empty_poll(cw_completion* out, int most) noexcept;
    void bring(QueuePair& pair) noexcept;
    void heat(QueuePair& pair) noexcept;
    void cool(QueuePair& pair) noexcept;
    [[nodiscard]] bool stays_cold(QueuePair& pair) noexcept;
    void leave_hot(QueuePair& pair) noexcept;
    void leave_pending(QueuePair& pair) noexcept;
    void push_pending(QueuePair& pair) noexcept;
    [[nodiscard]] Look sweep() noexcept;

    // completion_wait.cpp
    [[nodiscard]] Look prepare_sleep() noexcept;
    [[nodiscard]] std::uint64_t first_deadline_ns() const noexcept;
    [[nodiscard]] Nap nap(std::uint64_t limit_ns) noexcept;
    void wake() noexcept;
    void drain() noexcept;
    void check_liveness() noexcept;

    // completion_away.cpp
    void look_around() noexcept;
    [[nodiscard]] int catch_up(cw_completion* out, int most) noexcept;
    void note_return(Moment moment) noexcept;
    void note_adapter_gone() noexcept;
    [[nodiscard]] bool has_survivors() const noexcept;
    [[nodiscard]] Look tend() noexcept;
    [[nodiscard]] Look end_of_peers() noexcept;

    [[nodiscard]] int spin(cw_completion* out, int most, std::uint64_t limit_ns) noexcept;
    [[nodiscard]] int sleep(cw_completion* out, int most, std::uint64_t limit_ns) noexcept;

    ForkGuard guard_;
    shm::DoorbellWaiter bell_;
    std::array<QueuePair*, kMostHot> hot_{};
    std::uint32_t hot_count_ = 0;
    std::uint32_t next_hot_ = 0;
    bool pending_first_ = false;
    std::uint32_t polls_to_look_ = 1;  // empty ones
    Moment seen_;                      // of the adapter; always one at which it was here
    bool asleep_ = false;              // announced
    bool armed_ = false;               // by the application, which waits on fd()
    bool undrained_ = false;           // bytes that have woken may still stand in the sockets
    bool gone_handled_ = false;
    bool tend_now_ = false;
    QueuePair* first_pending_ = nullptr;
    QueuePair* last_pending_ = nullptr;
    std::vector<QueuePair*> pairs_;
    std::vector<QueuePair*> by_bit_;
    platform::Spinner spinner_;

    std::shared_ptr<Partition> partition_;
    platform::Mapping page_;
    platform::WakeupSocket socket_;
    std::uint32_t bell_id_ = 0;
    bool is_open_ = false;
    PeerBells peers_;
    std::map<std::uint32_t, std::weak_ptr<PeerMemory>> peer_memories_;  // by session
    std::uint32_t look_every_ = 1;                                      // empty polls
    std::uint64_t looked_ns_ = 0;
    std::uint64_t next_tend_ns_ = 0;
    std::uint64_t next_bells_ns_ = 0;
};

}  // namespace causeway::client
