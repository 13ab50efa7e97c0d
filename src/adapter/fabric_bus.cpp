// The bus as the fabric changes it: controllers come with listeners, go with them, and are used
// over connections; partitions that asked are told of what they may see.
#include <utility>

#include "adapter/fabric.hpp"

namespace causeway::adapter {
namespace {

constexpr std::size_t kMostGenerations = 1024;

}  // namespace

bool Fabric::sees(const BusViewer& viewer, const Controller& controller) const {
    return viewer.all || controller.partition == viewer.party.partition ||
           policy_
               ->may_connect(viewer.party, {controller.partition, controller.entrance, 0},
                             controller.service)
               .allowed;
}

std::string_view Fabric::only_user(const BusViewer& viewer, const Controller& controller) {
    const bool all = viewer.all || viewer.party.entrance.empty() ||
                     controller.partition == viewer.party.partition;
    return all ? std::string_view() : viewer.party.partition;
}

std::uint64_t Fabric::bus_generation(const BusViewer& viewer) {
    if (bus_generations_.size() >= kMostGenerations)
        bus_generations_.clear();  // names come and go while nothing changes on the bus
    const auto [known, fresh] = bus_generations_.try_emplace(
        {viewer.all, std::string(viewer.party.partition), std::string(viewer.party.entrance)}, 0);
    if (fresh) {
        known->second =
            bus_.generation([&](const Controller& each) { return sees(viewer, each); },
                            [&](const Controller& each) { return only_user(viewer, each); });
    }
    return known->second;
}

// After every change. `user`: whose use of it has changed; empty: something that all see.
void Fabric::tell_of(const Controller& controller, std::string_view user) {
    bus_generations_.clear();
    std::erase_if(awaiting_bus_, [&](std::uint32_t session) {
        const Partition* const partition = find(session);
        if (partition == nullptr)
            return true;
        const BusViewer viewer{.all = false, .party = party_of(*partition)};
        const std::string_view only = only_user(viewer, controller);
        const bool concerns = user.empty() || only.empty() || only == user;
        if (!concerns || !sees(viewer, controller))
            return false;
        ring_bus(*partition);
        return true;
    });
}

void Fabric::tell_all_of_bus() {
    bus_generations_.clear();
    for (const std::uint32_t session : std::exchange(awaiting_bus_, {})) {
        if (const Partition* const partition = find(session))
            ring_bus(*partition);
    }
}

void Fabric::ring_bus(const Partition& partition) {
    if (partition.events)
        partition.events->ring(static_cast<std::uint32_t>(abi::DoorbellEvent::bus_changed));
}

void Fabric::announce(std::uint32_t session, std::uint32_t listener, Controller controller) {
    tell_of(bus_.add(Bus::number_of(session, listener), std::move(controller)), {});
}

void Fabric::withdraw(std::uint32_t session, std::uint32_t listener) {
    if (const auto gone = bus_.remove(Bus::number_of(session, listener)); !gone.empty())
        tell_of(gone.mapped(), {});
}

void Fabric::withdraw_all(std::uint32_t session) {
    for (const Bus::Number number : bus_.of(session))
        withdraw(session, Bus::listener_of(number));
}

void Fabric::controllers_are_up(std::uint32_t session) {
    for (const Bus::Number number : bus_.of(session)) {
        if (bus_.set_state(number, abi::ControllerState::up))
            tell_of(*bus_.find(number), {});
    }
}

void Fabric::begin_use(std::uint32_t connector) {
    QueuePair* const pair = queue_pair(connector);
    const QueuePair* const other = pair == nullptr ? nullptr : queue_pair(pair->peer_id);
    if (other == nullptr || pair->controller != 0 || pair->cut ||
        pair->phase != QueuePair::Phase::connected || other->phase != QueuePair::Phase::connected)
        return;
    const Bus::Number number = Bus::number_of(pair->listening_session, pair->listener);
    const Partition* const user = find(pair->session);
    const Controller* const controller = bus_.find(number);
    if (user == nullptr || controller == nullptr)
        return;
    pair->controller = number;
    bus_.begin_use(number, user->name);
    tell_of(*controller, user->name);
}

void Fabric::end_use(QueuePair& end) {
    QueuePair* const other = queue_pair(end.peer_id);
    for (QueuePair* const pair : {&end, other}) {
        const Bus::Number number = pair == nullptr ? 0 : std::exchange(pair->controller, 0);
        const auto user = number == 0 ? partitions_.end() : partitions_.find(pair->session);
        if (user == partitions_.end())
            continue;
        bus_.end_use(number, user->second->name);
        if (const Controller* const controller = bus_.find(number))
            tell_of(*controller, user->second->name);
    }
}

}  // namespace causeway::adapter
