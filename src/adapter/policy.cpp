#include "adapter/policy.hpp"

#include <utility>

namespace causeway::adapter {

Decision DefaultPolicy::may_connect(const Party& from, const Party& to,
                                    std::string_view /*service*/) const {
    Decision decision;
    decision.allowed = true;
    if (!from.entrance.empty() || !to.entrance.empty()) {
        decision.rule = from.entrance == to.entrance ? "default: same entrance"
                                                     : "default: between different entrances";
        decision.direct_rule = "default: direct only by the open entrance";
        return decision;
    }
    decision.rule = "default: both by the open entrance";
    if (from.user_namespace == 0 || to.user_namespace == 0) {
        decision.direct_rule = "default: a user namespace is not known";
    } else if (from.user_namespace != to.user_namespace) {
        decision.direct_rule = "default: different user namespaces";
    } else {
        decision.direct = true;
        decision.direct_rule = "default: open entrance, same user namespace";
    }
    return decision;
}

Choice choose_executor(const Decision& decision, const Wishes& wishes) {
    using abi::Executor;
    const bool demanded =
        wishes.connector == Executor::direct || wishes.acceptor == Executor::direct;
    const auto without_direct = [&](std::string why) {
        return Choice{demanded ? Executor::any : Executor::adapter, std::move(why)};
    };
    if (wishes.connector == Executor::adapter)
        return without_direct("the connecting partition wants adapter");
    if (wishes.acceptor == Executor::adapter)
        return without_direct("the accepting partition wants adapter");
    if (!decision.direct)
        return without_direct(decision.direct_rule);
    // Who did not ask for direct has agreed to it by making all its memory exportable.
    if (wishes.connector == Executor::any && !wishes.connector_exports)
        return without_direct("connecting side: not all regions are exportable");
    if (wishes.acceptor == Executor::any && !wishes.acceptor_exports)
        return without_direct("accepting side: not all regions are exportable");
    return {Executor::direct, decision.direct_rule};
}

}  // namespace causeway::adapter
