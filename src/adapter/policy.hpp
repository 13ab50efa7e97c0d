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
    std::string_view entrance;  // empty: the open entrance
};

struct Decision {
    bool allowed = false;
    abi::Executor executor = abi::Executor::adapter;
    std::string rule;  // which rule decided; at most 63 characters, as it is listed
};

class Policy {
public:
    virtual ~Policy() = default;
    // `wanted`: the executor that the connecting side asks for.
    [[nodiscard]] virtual Decision may_connect(const Party& from, const Party& to,
                                               std::string_view service,
                                               abi::Executor wanted) const = 0;
};

// Without a policy file: every attached partition may connect to every other, through the adapter.
class DefaultPolicy : public Policy {
public:
    [[nodiscard]] Decision may_connect(const Party& from, const Party& to, std::string_view service,
                                       abi::Executor wanted) const override;
};

}  // namespace causeway::adapter
