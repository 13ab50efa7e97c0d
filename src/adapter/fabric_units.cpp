// Controllers that the policy does not allow any more: at a reload, and those that the last daemon
// left. Each departs from the bus, its listener is closed, and what came over it is cut off.
//
// What the journal says goes first: an adapter that takes over in the middle finds a controller
// without its connections, and decides again.
#include <fmt/format.h>

#include <set>
#include <utility>

#include "adapter/fabric.hpp"

namespace causeway::adapter {
namespace {

// Did it connect to that controller? `pair`: a QueuePair, or what the journal has of one.
template<typename Pair>
[[nodiscard]] bool came_over(const Pair& pair, Bus::Number controller) {
    return pair.accepted == 0 &&
           Bus::number_of(pair.listening_session, pair.listener) == controller;
}

}  // namespace

std::uint32_t Fabric::withdraw_forbidden() {
    std::vector<std::pair<Bus::Number, Announcement>> forbidden;
    for (const auto& [number, controller] : bus_.controllers()) {
        auto decision = policy_->may_announce({controller.partition, controller.entrance, 0},
                                              controller.service, controller.type);
        if (!decision.allowed)
            forbidden.emplace_back(number, std::move(decision));
    }
    std::uint32_t cuts = 0;
    for (const auto& [number, decision] : forbidden)
        cuts += forbid(number, decision);
    return cuts;
}

std::uint32_t Fabric::forbid(Bus::Number number, const Announcement& decision) {
    const Controller& controller = *bus_.find(number);
    const std::string text =
        fmt::format("controller {}/{} was withdrawn: rule '{}': {}", controller.partition,
                    controller.service, decision.rule, decision.why_not);
    count_denial(controller.partition, decision.rule);
    audit_.denied({.event = "cut",
                   .from = controller.partition,
                   .service = controller.service,
                   .type = name_of(controller.type),
                   .rule = decision.rule});
    log_event(log_, spdlog::level::warn, "controller_withdrawn",
              {{"partition", controller.partition}, {"rule", decision.rule}}, text);
    forget_connections(number);
    std::uint32_t cuts = 0;
    for (auto& [id, pair] : queue_pairs_) {
        const bool stands =
            pair.phase == QueuePair::Phase::connecting || pair.phase == QueuePair::Phase::connected;
        const Partition* const from = find(pair.session);
        const Partition* const to = find(pair.listening_session);
        if (!stands || pair.cut || pair.unsettled || !came_over(pair, number) || from == nullptr ||
            to == nullptr)
            continue;
        cut(pair, *from, *to, decision.rule);
        ++cuts;
    }
    close_withdrawn(number, text);
    withdraw(Bus::session_of(number), Bus::listener_of(number));
    return cuts;
}

// Neither the journal nor what was brought back of it has the controller's connections any more:
// ends of the last daemon that still wait for each other wait in vain.
void Fabric::forget_connections(Bus::Number controller) {
    std::set<std::uint32_t> connectors;
    for (QueuePairCell* const cell : journal_->all<QueuePairCell>()) {
        if (came_over(*cell, controller)) {
            connectors.insert(cell->id);
            cell->peer_id = 0;
        }
    }
    for (QueuePairCell* const cell : journal_->all<QueuePairCell>()) {
        if (cell->accepted != 0 && connectors.count(cell->peer_id) != 0)
            cell->peer_id = 0;
    }
    for (auto& [id, pair] : queue_pairs_) {
        if (pair.unsettled &&
            (came_over(pair, controller) || (pair.accepted && connectors.count(pair.peer_id) != 0)))
            pair.peer_id = 0;
    }
}

// Its owner reads why where it accepts from it the next time, which is now if it waits.
void Fabric::close_withdrawn(Bus::Number controller, const std::string& why) {
    const std::uint32_t session = Bus::session_of(controller);
    const std::uint32_t id = Bus::listener_of(controller);
    if (Partition* const partition = find(session)) {
        const auto node = partition->listeners.extract(id);
        if (node.empty())
            return;
        journal_->free(node.mapped().cell);
        partition->services.erase(node.mapped().service);
        partition->withdrawn.emplace(id, why);
        if (partition->events)
            partition->events->ring(
                static_cast<std::uint32_t>(abi::DoorbellEvent::connection_wanted));
    } else if (const auto estate = estates_.find(session); estate != estates_.end()) {
        if (const auto node = estate->second->listeners.extract(id)) {
            journal_->free(node.mapped());
            estate->second->withdrawn.emplace(id, why);
        }
    }
}

}  // namespace causeway::adapter
