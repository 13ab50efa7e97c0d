// Policy: who may connect to whom, and through which executor.
//
// Threading: control thread. A denial, and the listing of a queue pair, name the rule that decided.
#pragma once

#include <causeway/abi/control.hpp>
#include <string>
#include <string_view>

namespace causeway::adapter {

// One side of a connection.
struct Party {
    std::string_view partition;
    std::string_view entrance;         // empty: the open entrance
    std::uint64_t user_namespace = 0;  // 0: not known
};

// At most 63 characters each, as they are listed.
struct Decision {
    bool allowed = false;
    bool direct = false;      // may the two grant each other memory?
    std::string rule;         // which rule decided
    std::string direct_rule;  // which rule decided about direct
};

class Policy {
public:
    virtual ~Policy() = default;
    [[nodiscard]] virtual Decision may_connect(const Party& from, const Party& to,
                                               std::string_view service) const = 0;
};

// Without a policy file: every attached partition may connect to every other; direct only where
// both came in by the open entrance and live in one user namespace.
class DefaultPolicy : public Policy {
public:
    [[nodiscard]] Decision may_connect(const Party& from, const Party& to,
                                       std::string_view service) const override;
};

// Which executor a connection gets, from what both sides want and what the policy allows.
struct Wishes {
    abi::Executor connector = abi::Executor::any;
    abi::Executor acceptor = abi::Executor::any;
    bool connector_exports = false;  // all its regions are exportable
    bool acceptor_exports = false;
};
struct Choice {
    abi::Executor executor = abi::Executor::adapter;  // any: none that both would have
    std::string why;                                  // at most 63 characters
};
[[nodiscard]] Choice choose_executor(const Decision& decision, const Wishes& wishes);

}  // namespace causeway::adapter
