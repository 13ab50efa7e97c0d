#include "adapter/policy.hpp"

namespace causeway::adapter {

Decision DefaultPolicy::may_connect(const Party& from, const Party& to,
                                    std::string_view /*service*/, abi::Executor /*wanted*/) const {
    Decision decision;
    decision.allowed = true;
    decision.executor = abi::Executor::adapter;
    if (from.entrance.empty() && to.entrance.empty()) {
        decision.rule = "default: both by the open entrance";
    } else if (from.entrance == to.entrance) {
        decision.rule = "default: same entrance";
    } else {
        decision.rule = "default: between different entrances";
    }
    return decision;
}

}  // namespace causeway::adapter
