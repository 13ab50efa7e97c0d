// Survivor: the peer of partitions that are killed, one after the other, and what must hold after
// each of them:
//
//  1. Each descriptor that it had posted ended exactly once: success, peer_gone or flushed; and the
//     queue pair is in error.
//  2. What succeeded has brought the right bytes; what did not has written none but right ones; and
//     nobody has written beside it.
//  3. An Append region is usable: the dead one's record is whole or passed over, the next follows.
//  4. A connection between others goes on.
//  5. Adapter and survivor hold what they held before.
//
// Threading: one thread. Failures are GoogleTest's.
#pragma once

#include <causeway/append_log.hpp>
#include <causeway/causeway.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "support/acts.hpp"
#include "support/killer.hpp"
#include "support/live_adapter.hpp"

namespace causeway::test {

class Survivor {
public:
    Survivor(const LiveAdapter& adapter, const char* executor);

    // What victim `number` has to know.
    [[nodiscard]] Killer::Order order(Act act, std::uint64_t number) const;

    // One victim's life and death: begin(); the victim is started; meet(), while it prepares;
    // attend() until it is dead; mourn().
    void begin(const Killer::Order& order);
    // Ends early when `died` says so.
    void meet(const std::function<bool()>& died);
    void attend(const std::function<bool()>& died);
    void mourn();

    // All of the above around a victim of `killer`.
    Killer::Report outlive(Killer& killer, Act act, std::uint64_t number, std::uint64_t after);

private:
    struct Figures {
        std::uint32_t partitions = 0, queue_pairs = 0, regions = 0;
        std::uint64_t registered_bytes = 0;
        Holdings adapter;
        std::size_t files = 0, mappings = 0;  // of this process
        [[nodiscard]] bool operator==(const Figures&) const = default;
        [[nodiscard]] std::string text() const;
    };
    // The others' connection: both ends are here.
    struct Bystander {
        Bystander(const std::string& socket, Partition& partition, const char* executor);
        void exchange(Region& memory);
        void append(Remote log);
        void await(CompletionQueue& queue, std::uint64_t id);

        Partition other;
        Region memory;
        CompletionQueue near_queue, far_queue;
        QueuePair near, far;
        Listener listener;
        std::uint64_t rounds = 0;
    };

    [[nodiscard]] bool direct() const { return executor_ == "direct"; }
    [[nodiscard]] Figures figures() const;
    void renew_log();
    [[nodiscard]] std::uint32_t hello_size() const {
        return static_cast<Act>(order_.act) == Act::send_again ? kLarge : sizeof(Remote);
    }
    void post_own();
    void expect(std::uint64_t n) { outstanding_.emplace(order_.number * 16 + n, std::nullopt); }
    void take(const CompletionBatch& batch);
    [[nodiscard]] bool all_ended() const;
    void await_ends();
    [[nodiscard]] bool arrived(std::uint64_t n) const;
    void check_memory();
    void check_log();
    void check_records();
    void check_bare_log();
    void check_figures();

    const LiveAdapter& adapter_;
    std::string executor_;
    Partition partition_;
    Region memory_;
    Region log_;
    CompletionQueue queue_;
    Listener listener_;
    Bystander bystander_;
    std::optional<LogReader> reader_;
    std::uint64_t log_end_ = 0;  // of a log without records
    Figures before_;

    Killer::Order order_;
    QueuePair pair_;
    bool met_ = false;
    std::optional<Remote> theirs_;
    std::map<std::uint64_t, std::optional<Status>> outstanding_;
};

}  // namespace causeway::test
