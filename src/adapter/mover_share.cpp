// A mover that one partition keeps busy gives what the others are at to a mover that has time.
#include <unistd.h>

#include <algorithm>
#include <map>

#include "adapter/mover_loop.hpp"
#include "platform/clock.hpp"

namespace causeway::adapter {
namespace {

constexpr std::uint32_t kBusy = 800;  // thousandths of a window: others wait for their turns
constexpr std::uint32_t kIdle = 500;  // and here they would not

}  // namespace

void Mover::Loop::note_used(Connection& connection, std::uint64_t ticks) noexcept {
    if (connection.window != window_) {
        connection.window = window_;
        connection.window_ticks = 0;
    }
    connection.window_ticks += ticks;
    window_ticks_ += ticks;
}

void Mover::Loop::end_window() {
    const std::uint64_t passed = now_ns_ - window_since_ns_;
    const auto load = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(platform::ticks_to_ns(window_ticks_) * 1000 / passed, 1000));
    load_.store(load, std::memory_order_relaxed);
    if (load >= kBusy && movers_.size() > 1) {
        Mover* const idlest =
            *std::min_element(movers_.begin(), movers_.end(),
                              [](const Mover* a, const Mover* b) { return a->load() < b->load(); });
        if (idlest->load() < kIdle) {
            const std::uint32_t staying = busiest_connector();
            std::vector<Connection*> leaving;
            for (const auto& [connection, owned] : connections_) {
                if (connection->window == window_ &&
                    connection->ends[0]->options().session != staying)
                    leaving.push_back(connection);
            }
            for (Connection* connection : leaving)
                give(*connection, *idlest);
        }
    }
    ++window_;
    window_ticks_ = 0;
    window_since_ns_ = now_ns_;
}

// Of the partitions whose connections were worked on in this window, the one that took longest;
// what a partition has connected to others counts as its own.
std::uint32_t Mover::Loop::busiest_connector() const {
    std::map<std::uint32_t, std::uint64_t> ticks;
    for (const auto& [connection, owned] : connections_) {
        if (connection->window == window_)
            ticks[connection->ends[0]->options().session] += connection->window_ticks;
    }
    const auto most =
        std::max_element(ticks.begin(), ticks.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == ticks.end() ? 0 : most->first;
}

// Between two turns: nothing of it is in hand.
void Mover::Loop::give(Connection& connection, Mover& to) {
    std::erase(polled_, &connection);
    std::erase(waiting_, &connection);
    leave_polled(connection);
    const auto node = connections_.find(&connection);
    auto moving = std::make_shared<std::unique_ptr<Connection>>(std::move(node->second));
    connections_.erase(node);
    figures_.given.add(1);
    Loop& other = *to.loop_;
    const std::lock_guard lock(other.mutex_);
    other.commands_.emplace_back([&other, moving] { other.adopt(std::move(*moving)); });
    // SYNC(served-by): release, pairs with the loads in rung(), poke(), close() and the control
    // thread. Stored while the other's queue is locked: whatever is posted there by who has seen
    // it comes after the adoption.
    for (const auto& end : (*moving)->ends)
        end->served_by.store(&to, std::memory_order_release);
    other.has_commands_.store(true, std::memory_order_release);
    const std::uint64_t one = 1;
    (void)!::write(other.command_event_.get(), &one, sizeof one);
}

void Mover::Loop::adopt(std::unique_ptr<Connection> connection) {
    Connection& it = *connection;
    connections_.emplace(&it, std::move(connection));
    for (int i = 0; i < 2; ++i)
        it.busy[i] = &busy_[it.ends[i]->options().session];
    it.window = 0;
    heat(it);
}

}  // namespace causeway::adapter
