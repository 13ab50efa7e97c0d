// Cold connections: how they come back (doorbells, retry times), and how the mover sleeps.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>

#include "adapter/mover_loop.hpp"
#include "platform/clock.hpp"

namespace causeway::adapter {
namespace {

constexpr std::uint64_t kCoolNs = 1'000'000;        // without progress, while others are busy
constexpr std::uint64_t kLeastRetryNs = 1'000'000;  // a partition takes no completions
constexpr std::uint64_t kMostRetryNs = 64'000'000;
constexpr int kNapMs = 1000;  // backstop

[[nodiscard]] bool wants_receive(const Connection& connection, int receiver) {
    return connection.last[1 - receiver] == engine::Step::waits_receive;
}

// Is there something that a turn could work on?
[[nodiscard]] bool has_work(const Connection& connection, int i) {
    const engine::Endpoint& from = connection.ends[i]->endpoint();
    const engine::Endpoint& to = connection.ends[1 - i]->endpoint();
    switch (connection.last[i]) {
        case engine::Step::waits_receive:
            return to.receives.ready();
        case engine::Step::waits_room:
            return false;  // comes back by its retry time
        case engine::Step::waits_lock:
        case engine::Step::waits_region:  // not here: the tables hold all there is
        case engine::Step::progress:
            return true;
        case engine::Step::idle:
        case engine::Step::broken:
            break;
    }
    return from.sends.ready();
}

}  // namespace

void Mover::Loop::heat(Connection& connection) {
    if (connection.polled || connection.executor != abi::Executor::adapter)
        return;
    connection.polled = true;
    connection.active_ns = now_ns_;
    std::erase(waiting_, &connection);
    connection.retry_ns = UINT64_MAX;
    for (auto& end : connection.ends) {
        end->layout().attention.store(abi::attention::kPolled, std::memory_order_relaxed);
    }
    polled_.push_back(&connection);
    for (std::uint32_t* busy : connection.busy)
        ++*busy;
}

// Its owner takes it out of polled_.
void Mover::Loop::leave_polled(Connection& connection) noexcept {
    if (!connection.polled)
        return;
    connection.polled = false;
    for (std::uint32_t* busy : connection.busy)
        --*busy;
}

// False if something was posted meanwhile and the connection stays polled.
bool Mover::Loop::cool(Connection& connection) {
    for (int i = 0; i < 2; ++i) {
        const std::uint32_t wants =
            wants_receive(connection, i) ? abi::attention::kWantsReceive : 0;
        connection.ends[i]->layout().attention.store(wants, std::memory_order_relaxed);
    }
    // SYNC(attention): pairs with the fence of a posting partition between publishing and loading
    // `attention`: either it sees that nobody polls and rings, or this second look sees its post.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (has_work(connection, 0) || has_work(connection, 1)) {
        for (auto& end : connection.ends) {
            end->layout().attention.store(abi::attention::kPolled, std::memory_order_relaxed);
        }
        return false;
    }
    leave_polled(connection);
    std::uint64_t retry = UINT64_MAX;
    for (int i = 0; i < 2; ++i) {
        retry = std::min(retry, connection.flows[i].deadline_ns());
        if (connection.last[i] == engine::Step::waits_room) {
            auto& after = connection.retry_after_ns;
            after = std::clamp(after * 2, kLeastRetryNs, kMostRetryNs);
            retry = std::min(retry, now_ns_ + after);
        }
    }
    connection.retry_ns = retry;
    if (retry != UINT64_MAX)
        waiting_.push_back(&connection);
    return true;
}

void Mover::Loop::cool_idle() {
    for (std::size_t i = 0; i < polled_.size();) {
        Connection& connection = *polled_[i];
        if (now_ns_ - connection.active_ns > kCoolNs && cool(connection)) {
            polled_[i] = polled_.back();
            polled_.pop_back();
        } else {
            ++i;
        }
    }
}

void Mover::Loop::sleep() {
    for (std::size_t i = 0; i < polled_.size();) {
        if (!cool(*polled_[i])) {
            ++i;
            continue;
        }
        polled_[i] = polled_.back();
        polled_.pop_back();
    }
    if (polled_.empty())
        load_.store(0, std::memory_order_relaxed);
    const int limit_ms = polled_.empty() ? sleep_limit_ms() : 0;
    const int rung_for = look_at_doorbells(limit_ms);
    if (limit_ms != 0) {
        figures_.sleeps.add(1);
        if (rung_for > 0)
            figures_.wakeups.add(1);
    }
    now_ns_ = platform::monotonic_ns();
    retry_due();
}

int Mover::Loop::sleep_limit_ms() const {
    std::uint64_t first = UINT64_MAX;
    for (const Connection* connection : waiting_)
        first = std::min(first, connection->retry_ns);
    if (first == UINT64_MAX)
        return kNapMs;
    if (first <= now_ns_)
        return 0;
    return static_cast<int>(std::min<std::uint64_t>((first - now_ns_) / 1'000'000 + 1, kNapMs));
}

void Mover::Loop::retry_due() {
    for (std::size_t i = waiting_.size(); i-- > 0;) {
        Connection* connection = waiting_[i];
        if (connection->retry_ns <= now_ns_)
            heat(*connection);  // takes it out of waiting_
    }
}

int Mover::Loop::look_at_doorbells(int timeout_ms) {
    looked_ns_ = now_ns_;
    std::array<epoll_event, 64> events;
    const int n = ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout_ms);
    for (int i = 0; i < n; ++i) {
        const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
        if (id == 0) {
            eventfd_t count = 0;
            (void)::eventfd_read(command_event_.get(), &count);
        } else {
            answer(static_cast<std::uint32_t>(id));
        }
    }
    return n;
}

// Takes what a session's partition has rung for.
void Mover::Loop::answer(std::uint32_t session) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end() || !found->second.doorbell)
        return;
    Session& it = found->second;
    if (it.doorbell->socket().drain() == platform::WakeupSocket::Drained::peer_gone) {
        // The partition closed its end; its session's end comes by the control connection.
        (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, it.doorbell->socket().fd(), nullptr);
    }
    it.doorbell->waiter().take([&](std::uint32_t bit) {
        // A bit of an end whose addition still waits is dropped: add() looks for itself.
        if (bit < it.ends.size() && it.ends[bit])
            rung(it.ends[bit]);
    });
}

void Mover::Loop::rung(const std::shared_ptr<End>& end) {
    // SYNC(served-by): acquire, pairs with Mover::connect. `connection` is read only here, where it
    // is this mover's own.
    Mover* const server = end->served_by.load(std::memory_order_acquire);
    if (server == owner_) {
        // One that is being given to this mover is heated when it comes.
        if (connections_.count(end->connection) != 0)
            heat(*end->connection);
    } else if (server != nullptr && !end->poke_pending.exchange(true, std::memory_order_acq_rel)) {
        // One poke at a time: a partition that rings without end fills no queue.
        server->poke(end);
    }
}

}  // namespace causeway::adapter
