// Listeners and connections: listen, connect, accept.
#include <fmt/format.h>

#include <algorithm>
#include <causeway/abi/bus.hpp>
#include <utility>

#include "adapter/requests.hpp"
#include "base/fault_point.hpp"
#include "base/names.hpp"

namespace causeway::adapter {
namespace {

const char* phase_text(const QueuePair& pair) {
    switch (pair.phase) {
        case QueuePair::Phase::idle:
            return "idle";
        case QueuePair::Phase::connecting:
            return "connecting";
        case QueuePair::Phase::connected:
            return "connected, or was";
        case QueuePair::Phase::closing:
            return "being closed";
    }
    return "unknown";
}

// Was that done by the last daemon, which died before it could say so?
bool is_repeated(Call& call, std::uint32_t id, bool accepting) {
    QueuePair* const pair = call.fabric.queue_pair(id);
    return pair != nullptr && pair->session == call.partition->session &&
           pair->phase != QueuePair::Phase::idle && pair->phase != QueuePair::Phase::closing &&
           pair->accepted == accepting && std::exchange(pair->repeatable, false);
}

Result<QueuePair*> idle_pair(Call& call, std::uint32_t id) {
    CW_TRY_ASSIGN(QueuePair * pair, call.fabric.queue_pair_of(*call.partition, id));
    if (pair->phase != QueuePair::Phase::idle) {
        return fail(ErrorCode::wrong_state,
                    fmt::format("queue pair {} is {}: take one that was never connected", id,
                                phase_text(*pair)));
    }
    return pair;
}

Result<Listener*> find_listener(Partition& partition, std::uint32_t id) {
    if (const auto gone = partition.withdrawn.find(id); gone != partition.withdrawn.end())
        return fail(ErrorCode::not_found, gone->second);
    const auto found = partition.listeners.find(id);
    if (found == partition.listeners.end()) {
        return fail(ErrorCode::not_found,
                    fmt::format("partition {} has no listener {}", partition.name, id));
    }
    return &found->second;
}

Result<abi::Executor> check_executor(std::uint32_t wanted) {
    const auto executor = static_cast<abi::Executor>(wanted);
    switch (executor) {
        case abi::Executor::any:
        case abi::Executor::adapter:
        case abi::Executor::direct:
            return executor;
        case abi::Executor::link:
            return fail(ErrorCode::unsupported,
                        "executor 'link' leads to other hosts and is not there yet: ask for "
                        "'adapter', or leave the choice to the policy");
    }
    return fail(ErrorCode::invalid_argument, fmt::format("executor {} is unknown", wanted));
}

// Who is called, and the listener there; neither what else is attached nor what else is offered.
Result<std::pair<Partition*, std::uint32_t>> find_service(Fabric& fabric, const Target& target) {
    Partition* partition = fabric.find(target.partition);
    if (fabric.still_comes(target.partition) || (partition != nullptr && partition->resuming)) {
        return fail(ErrorCode::again,
                    fmt::format("partition '{}' has not come back to this adapter yet: try again",
                                target.partition));
    }
    if (partition == nullptr) {
        return fail(
            ErrorCode::not_found,
            fmt::format("partition '{}' is not attached to this adapter", target.partition));
    }
    const auto service = partition->services.find(target.service);
    if (service == partition->services.end()) {
        return fail(ErrorCode::not_found, fmt::format("partition '{}' offers no service '{}'",
                                                      target.partition, target.service));
    }
    return std::pair(partition, service->second);
}

// Which executor `connector` and the accepting end get.
Choice choose(Call& call, const QueuePair& connector, const Partition* peer, abi::Executor wanted) {
    const Partition& partition = *call.partition;
    Decision decision;
    Wishes wishes;
    if (peer != nullptr) {
        decision = call.fabric.policy().may_connect(party_of(*peer), party_of(partition),
                                                    connector.service);
        wishes.connector_exports = peer->all_exportable();
    }
    wishes.connector = connector.wanted;
    wishes.acceptor = wanted;
    wishes.acceptor_exports = partition.all_exportable();
    return choose_executor(decision, wishes);
}

tl::unexpected<Error> deny(Call& call, const Partition& peer, const Target& target,
                           const Decision& decision) {
    Fabric& fabric = call.fabric;
    fabric.count_refusal();
    const std::string& rule = decision.allowed ? decision.direct_rule : decision.rule;
    fabric.count_denial(call.partition->name, rule);
    const std::string& why = decision.allowed ? decision.why_not_direct : decision.why_not;
    fabric.audit().denied({.event = "connect",
                           .from = call.partition->name,
                           .to = peer.name,
                           .service = target.service,
                           .executor = decision.allowed ? "direct" : "adapter",
                           .rule = rule});
    return fail(
        ErrorCode::denied,
        fmt::format("partition {} may not connect to {}/{}{}: rule '{}'{}{}", call.partition->name,
                    target.partition, target.service, decision.allowed ? " by executor direct" : "",
                    rule, why.empty() ? "" : ": ", why));
}

tl::unexpected<Error> deny(Call& call, const std::string& service, abi::ControllerType type,
                           const Announcement& decision) {
    const std::string& name = call.partition->name;
    call.fabric.count_refusal();
    call.fabric.count_denial(name, decision.rule);
    call.fabric.audit().denied({.event = "announce",
                                .from = name,
                                .service = service,
                                .type = name_of(type),
                                .rule = decision.rule});
    return fail(ErrorCode::denied,
                fmt::format("partition {} may not announce {} as a controller of type {}: rule "
                            "'{}': {}",
                            name, service, name_of(type), decision.rule, decision.why_not));
}

// The first connector that still waits.
QueuePair* next_waiting(Fabric& fabric, Listener& listener) {
    while (!listener.waiting.empty()) {
        QueuePair* pair = fabric.queue_pair(listener.waiting.front());
        listener.waiting.pop_front();
        if (pair != nullptr && pair->phase == QueuePair::Phase::connecting)
            return pair;
    }
    return nullptr;
}

}  // namespace

Answer listen(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::ListenRequest>(call.bytes));
    CW_TRY_ASSIGN(const std::string service, load_name("service", request.service));
    Partition& partition = *call.partition;
    if (request.reserved != 0 || request.reserved_too != 0)
        return fail(ErrorCode::invalid_argument, "the reserved fields must be zero");
    if (request.controller > static_cast<std::uint32_t>(abi::ControllerType::other)) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("a controller of type {}: known are network (1), block (2), "
                                "security (3) and other (4); 0 is an ordinary service",
                                request.controller));
    }
    if (request.backlog == 0 || request.backlog > kMostBacklog) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("a backlog of {}: take 1 to {}", request.backlog, kMostBacklog));
    }
    const auto type = static_cast<abi::ControllerType>(request.controller);
    if (type != abi::ControllerType::none) {
        const Announcement decision =
            call.fabric.policy().may_announce(party_of(partition), service, type);
        if (!decision.allowed)
            return deny(call, service, type, decision);
    }
    if (const auto there = partition.services.find(service); there != partition.services.end()) {
        // The last daemon made it and died before it could say so.
        if (std::exchange(partition.unconfirmed_listener, 0) == there->second) {
            auto reply = call.reply<abi::ListenReply>();
            reply.listener = there->second;
            return Reply::of(reply);
        }
        return fail(ErrorCode::name_in_use,
                    fmt::format("partition {} listens for '{}' already", partition.name, service));
    }
    const std::uint32_t most = partition.terms.quota.max_listeners;
    if (partition.listeners.size() >= most) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("partition {} has {} of at most {} listeners: close some",
                                partition.name, partition.listeners.size(), most));
    }
    if (type != abi::ControllerType::none &&
        call.fabric.bus().of(partition.session).size() >= Bus::kMostOfOne) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("partition {} has {} controllers on the bus, the most that one may "
                                "have: close some",
                                partition.name, Bus::kMostOfOne));
    }
    CW_TRY(events_of(call.fabric, partition));
    auto reply = call.reply<abi::ListenReply>();
    CW_TRY_ASSIGN(auto* cell, call.fabric.journal().add<ListenerCell>(partition.session));
    reply.listener = next_id(partition.last_listener, partition.listeners);
    partition.services.emplace(service, reply.listener);
    partition.listeners.emplace(reply.listener, Listener{service, request.backlog, {}, cell});
    cell->id = reply.listener;
    cell->backlog = request.backlog;
    cell->controller = request.controller;
    CW_TRY(store_text(cell->service, service));
    partition.cell->last_listener = reply.listener;
    partition.cell->unconfirmed_listener = reply.listener;
    Journal::publish(cell);
    if (type != abi::ControllerType::none)
        call.fabric.announce(partition.session, reply.listener,
                             {.type = type,
                              .partition = partition.name,
                              .entrance = partition.entrance,
                              .service = service});
    return Reply::of(reply);
}

Answer close_listener(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::CloseListenerRequest>(call.bytes));
    Partition& partition = *call.partition;
    if (request.reserved != 0)
        return fail(ErrorCode::invalid_argument, "the reserved field must be zero");
    if (partition.withdrawn.erase(request.listener) != 0)
        return Reply::empty(call.header);
    CW_TRY_ASSIGN(Listener * listener, find_listener(partition, request.listener));
    call.fabric.refuse_waiting(*listener, abi::Error::not_found);
    call.fabric.journal().free(listener->cell);
    partition.services.erase(listener->service);
    partition.listeners.erase(request.listener);
    call.fabric.withdraw(partition.session, request.listener);
    return Reply::empty(call.header);
}

Answer connect(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::ConnectRequest>(call.bytes));
    CW_TRY_ASSIGN(const std::string_view text, load_text(request.target));
    CW_TRY_ASSIGN(const Target target, split_target(text));
    Fabric& fabric = call.fabric;
    Partition& partition = *call.partition;
    if (is_repeated(call, request.queue_pair, false)) {
        const QueuePair& pair = *fabric.queue_pair(request.queue_pair);
        if (pair.peer == target.partition && pair.service == target.service) {
            auto reply = call.reply<abi::ConnectReply>();
            reply.executor = static_cast<std::uint32_t>(pair.executor);
            return Reply::of(reply);
        }
    }
    CW_TRY_ASSIGN(QueuePair * pair, idle_pair(call, request.queue_pair));
    CW_TRY_ASSIGN(const abi::Executor wanted, check_executor(request.executor));
    auto found = find_service(fabric, target);
    if (!found) {
        fabric.count_refusal();
        return tl::unexpected(found.error());
    }
    Partition& peer = *found->first;
    const std::uint32_t listener_id = found->second;
    Listener& listener = peer.listeners.at(listener_id);
    const Decision decision =
        fabric.policy().may_connect(party_of(partition), party_of(peer), target.service);
    const bool demands_direct = wanted == abi::Executor::direct;
    if (!decision.allowed || (demands_direct && !decision.direct)) {
        return deny(call, peer, target, decision);
    }
    if (listener.waiting.size() >= listener.backlog) {
        fabric.count_refusal();
        return fail(ErrorCode::limit_reached,
                    fmt::format("{} connections wait at {}/{} already, as many as its backlog "
                                "allows: try again later",
                                listener.waiting.size(), target.partition, target.service));
    }
    pair->phase = QueuePair::Phase::connecting;
    pair->peer = target.partition;
    pair->service = target.service;
    pair->wanted = wanted;
    pair->why = decision.rule;
    pair->listening_session = peer.session;
    pair->listener = listener_id;
    fabric.journal_connection(*pair);
    listener.waiting.push_back(request.queue_pair);
    CAUSEWAY_FAULT_POINT("adapter.connect.waiting");
    pair->end->set_state(abi::QueuePairState::connecting, abi::Error::none);
    peer.events->ring(static_cast<std::uint32_t>(abi::DoorbellEvent::connection_wanted));

    auto reply = call.reply<abi::ConnectReply>();
    reply.executor = static_cast<std::uint32_t>(
        decision.direct && wanted != abi::Executor::adapter ? wanted : abi::Executor::adapter);
    return Reply::of(reply);
}

Answer accept(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::AcceptRequest>(call.bytes));
    Fabric& fabric = call.fabric;
    Partition& partition = *call.partition;
    CW_TRY_ASSIGN(Listener * listener, find_listener(partition, request.listener));
    if (is_repeated(call, request.queue_pair, true)) {
        const QueuePair& pair = *fabric.queue_pair(request.queue_pair);
        auto reply = call.reply<abi::AcceptReply>();
        reply.executor = static_cast<std::uint32_t>(pair.executor);
        CW_TRY(store_text(reply.peer, pair.peer));
        return Reply::of(reply);
    }
    CW_TRY_ASSIGN(QueuePair * pair, idle_pair(call, request.queue_pair));
    CW_TRY_ASSIGN(const abi::Executor wanted, check_executor(request.executor));
    if (request.reserved != 0)
        return fail(ErrorCode::invalid_argument, "the reserved field must be zero");
    QueuePair* connector = next_waiting(fabric, *listener);
    if (connector == nullptr) {
        return fail(ErrorCode::again,
                    fmt::format("nobody waits to connect to {}/{}: wait for the event "
                                "connection_wanted",
                                partition.name, listener->service));
    }
    const Partition* peer = fabric.find(connector->session);
    const std::uint32_t connector_id = connector->end->options().id;
    const Choice choice = choose(call, *connector, peer, wanted);
    if (choice.executor == abi::Executor::any) {
        // One side insists on what the other, or the policy, does not have.
        fabric.count_denial(peer != nullptr ? peer->name : std::string(), choice.why);
        connector->phase = QueuePair::Phase::connected;
        fabric.journal_connection(*connector);
        fabric.mover(connector->end->options().mover)
            .close(connector->end, abi::QueuePairState::refused, abi::Error::denied,
                   abi::Error::denied);
        return fail(ErrorCode::denied,
                    fmt::format("the connection that waited at {}/{} was refused: it would have to "
                                "be direct, but: {}",
                                partition.name, listener->service, choice.why));
    }
    pair->phase = QueuePair::Phase::connected;
    pair->accepted = true;
    pair->peer = peer != nullptr ? peer->name : std::string();
    pair->peer_id = connector_id;
    pair->service = listener->service;
    connector->phase = QueuePair::Phase::connected;
    connector->peer_id = request.queue_pair;
    for (QueuePair* end : {pair, connector}) {
        end->executor = choice.executor;
        end->why = choice.why;
    }
    call.fabric.permit(*connector);
    call.fabric.permit(*pair);
    // The accepting end's word counts, where a daemon dies between the two.
    fabric.journal_connection(*pair);
    CAUSEWAY_FAULT_POINT("adapter.accept.matched");
    fabric.journal_connection(*connector);
    auto reply = call.reply<abi::AcceptReply>();
    reply.executor = static_cast<std::uint32_t>(choice.executor);
    CW_TRY(store_text(reply.peer, pair->peer));
    if (choice.executor == abi::Executor::direct) {
        fabric.connect_direct(
            connector_id, request.queue_pair,
            [&fabric, connector_id, reply, answer = call.answer_later()](Result<void> joined) {
                if (joined) {
                    fabric.begin_use(connector_id);
                    answer(Reply::of(reply));
                } else {
                    answer(tl::unexpected(joined.error()));
                }
            });
        return std::nullopt;
    }
    fabric.mover(connector->end->options().mover).connect(connector->end, pair->end);
    fabric.begin_use(connector_id);
    return Reply::of(reply);
}

}  // namespace causeway::adapter
