// Policy as it holds now: what partitions are given, what connected ends may do, and what is cut
// off when the configuration does not allow it any more.
#include <utility>

#include "adapter/fabric.hpp"

namespace causeway::adapter {

Terms Fabric::terms_of(const std::string& partition) const {
    const auto own = options_.terms.find(partition);
    return own != options_.terms.end() ? own->second : Terms{.quota = options_.quota};
}

void Fabric::set_terms(Quota usual, std::map<std::string, Terms> terms) {
    options_.quota = usual;
    options_.terms = std::move(terms);
    for (auto& [session, partition] : partitions_) {
        partition->terms = terms_of(partition->name);
        partition->weight->store(partition->terms.weight, std::memory_order_relaxed);
    }
}

void Fabric::permit(QueuePair& pair) {
    const QueuePair* const other = queue_pair(pair.peer_id);
    const Partition* const from = find(pair.session);
    const Partition* const to = other == nullptr ? nullptr : find(other->session);
    if (from == nullptr || to == nullptr)
        return;
    pair.end->endpoint().permitted.store(
        permissions_of(policy_->operations(party_of(*from), party_of(*to))),
        std::memory_order_relaxed);
}

bool Fabric::may_stay(const QueuePair& connector, const Partition& to, std::string& rule) const {
    const auto found = partitions_.find(connector.session);
    if (found == partitions_.end())
        return true;  // it is going anyway
    const Decision decision =
        policy_->may_connect(party_of(*found->second), party_of(to), connector.service);
    const bool direct = connector.executor == abi::Executor::direct;
    rule = direct && decision.allowed ? decision.direct_rule : decision.rule;
    return decision.allowed && (!direct || decision.direct);
}

void Fabric::cut(QueuePair& pair, const Partition& from, const Partition& to,
                 const std::string& rule) {
    count_denial(from.name, rule);
    audit_.denied({.event = "cut",
                   .from = from.name,
                   .to = to.name,
                   .service = pair.service,
                   .executor = pair.executor == abi::Executor::direct ? "direct" : "adapter",
                   .rule = rule});
    Mover* serving = pair.end->served_by.load(std::memory_order_acquire);
    if (serving == nullptr)
        serving = &mover(pair.end->options().mover);
    if (pair.phase == QueuePair::Phase::connecting) {
        // As in refuse_waiting(): it stays with its partition, which reads why.
        take_from_listener(pair);
        pair.phase = QueuePair::Phase::connected;
        journal_connection(pair);
        serving->close(pair.end, abi::QueuePairState::refused, abi::Error::denied,
                       abi::Error::denied);
        return;
    }
    end_use(pair);
    pair.cut = true;
    if (QueuePair* const other = queue_pair(pair.peer_id))
        other->cut = true;
    serving->close(pair.end, abi::QueuePairState::closed, abi::Error::denied, abi::Error::denied);
}

std::uint32_t Fabric::set_policy(std::unique_ptr<Policy> policy) {
    policy_ = std::move(policy);
    std::uint32_t cuts = 0;
    for (auto& [id, pair] : queue_pairs_) {
        const bool connecting = pair.phase == QueuePair::Phase::connecting;
        if (pair.cut || pair.unsettled ||
            (!connecting && pair.phase != QueuePair::Phase::connected))
            continue;
        const QueuePair* const other = queue_pair(pair.peer_id);
        const Partition* const from = find(pair.session);
        const Partition* const to = connecting         ? find(pair.listening_session)
                                    : other == nullptr ? nullptr
                                                       : find(other->session);
        if (from == nullptr || to == nullptr)
            continue;
        if (std::string rule; !pair.accepted && !may_stay(pair, *to, rule)) {
            cut(pair, *from, *to, rule);
            ++cuts;
        } else {
            permit(pair);
        }
    }
    cuts += withdraw_forbidden();
    settle_all();       // who waited for the other end of a connection that is forgotten
    tell_all_of_bus();  // others may see something else now
    return cuts;
}

void Fabric::note_refusal(std::uint32_t from, std::uint32_t to, abi::Opcode opcode) {
    count_refusal();
    const Partition* const asking = find(from);
    const Partition* const asked = find(to);
    if (asking == nullptr || asked == nullptr)
        return;
    const config::Operation operation =
        operation_of(static_cast<std::uint32_t>(opcode)).value_or(config::Operation::send);
    const std::string text = policy_->explain(party_of(*asking), party_of(*asked), operation);
    count_denial(asking->name, config::operation_name(operation));
    audit_.denied({.event = "operation",
                   .from = asking->name,
                   .to = asked->name,
                   .operation = config::operation_name(operation),
                   .executor = "adapter",
                   .text = text});
}

}  // namespace causeway::adapter
