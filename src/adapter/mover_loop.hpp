// The mover's thread: its connections, doorbells and turns. Private to mover*.cpp.
//
// Threading: post() from anywhere; the rest on the mover's own thread.
//
// Invariants:
//  1. A connection is polled (both ends' attention says so, and every turn looks at it) or cold
//     (a doorbell or its retry time brings it back). Going cold ends with a second look after a
//     fence, so that nothing posted meanwhile is missed.
//  2. Commands run between two turns, when no pointer into a region is held.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "adapter/log.hpp"
#include "adapter/mover.hpp"
#include "platform/fd.hpp"
#include "platform/spinner.hpp"

namespace causeway::adapter {

class Mover::Loop {
public:
    Loop(MoverOptions options, platform::UniqueFd epoll, platform::UniqueFd command_event);
    ~Loop();

    void start(Mover& owner);
    void stop();
    void post(std::function<void()> command);
    [[nodiscard]] std::uint32_t index() const noexcept { return options_.index; }
    [[nodiscard]] std::uint32_t load() const noexcept {
        return load_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] const MoverFigures& figures() const noexcept { return figures_; }
    [[nodiscard]] std::uint64_t cpu_ns() const noexcept;

    // Commands.
    void open_doorbell(std::uint32_t session, std::shared_ptr<Doorbell> doorbell);
    void close_session(std::uint32_t session);
    void add(std::shared_ptr<End> end);
    void remove(const std::shared_ptr<End>& end);
    void connect(std::shared_ptr<End> a, std::shared_ptr<End> b, abi::Executor executor,
                 Going going);
    void close(const std::shared_ptr<End>& end, abi::QueuePairState state, abi::Error reason,
               abi::Error peer_reason, std::function<void()> then);
    void introduce(std::vector<Mover*> movers) { movers_ = std::move(movers); }
    void poke(const std::shared_ptr<End>& end);

private:
    struct Session {
        std::shared_ptr<Doorbell> doorbell;
        std::vector<std::shared_ptr<End>> ends;  // by doorbell bit
    };
    enum class Sleep { now, no };

    void run();
    void run_commands();
    [[nodiscard]] bool turn();
    // mover_serve.cpp: one turn of one connection.
    [[nodiscard]] bool serve(Connection& connection);
    void settle(Connection& connection);
    void tell_refused(Connection& connection, int from);
    void handle_slow_step(const Connection& connection, std::uint64_t ticks);
    // mover_share.cpp: giving connections to a mover that has time for them.
    void note_used(Connection& connection, std::uint64_t ticks) noexcept;
    void end_window();
    void give(Connection& connection, Mover& to);
    void adopt(std::unique_ptr<Connection> connection);
    [[nodiscard]] std::uint32_t busiest_connector() const;
    // mover_sleep.cpp: cold connections, doorbells, sleeping.
    void heat(Connection& connection);
    [[nodiscard]] bool cool(Connection& connection);
    static void leave_polled(Connection& connection) noexcept;
    void cool_idle();
    void sleep();
    int look_at_doorbells(int timeout_ms);  // returns how many there were
    void answer(std::uint32_t session);
    void rung(const std::shared_ptr<End>& end);
    void retry_due();
    [[nodiscard]] int sleep_limit_ms() const;
    void close_connection(Connection& connection, End* blamed, abi::Error reason,
                          abi::Error peer_reason);

    const MoverOptions options_;
    platform::UniqueFd epoll_;
    platform::UniqueFd command_event_;
    Mover* owner_ = nullptr;

    std::mutex mutex_;
    std::vector<std::function<void()>> commands_;  // guarded by mutex_
    std::atomic<bool> has_commands_{false};
    bool stop_ = false;

    // How busy the last window was, in thousandths.
    std::atomic<std::uint32_t> load_{0};

    std::vector<Mover*> movers_;
    std::uint64_t window_ = 1;  // its number
    std::uint64_t window_since_ns_ = 0;
    std::uint64_t window_ticks_ = 0;  // spent on connections in it

    std::unordered_map<std::uint32_t, Session> sessions_;
    std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
    std::vector<Connection*> polled_;
    std::unordered_map<std::uint32_t, std::uint32_t> busy_;  // by session: polled connections
    std::vector<Connection*> waiting_;                       // cold, with a retry time
    std::uint64_t next_connection_id_;
    std::uint64_t now_ns_ = 0;
    std::uint64_t looked_ns_ = 0;  // at the doorbells
    std::uint64_t quantum_ticks_ = 0;
    std::uint64_t slow_ticks_ = 0;
    RateLimit refusals_{20, 100'000'000};
    platform::Spinner spinner_;
    MoverFigures figures_;
    std::thread thread_;
};

}  // namespace causeway::adapter
