// What the endpoints of all four operations over a queue pair have in common.
#pragma once

#include "perf/causeway_connection.hpp"
#include "perf/endpoint.hpp"

namespace causeway::perf {

class CausewayEndpoint : public Endpoint {
public:
    CausewayEndpoint(const Plan& plan, Role role, SideChannel& side)
        : plan_(plan), role_(role), side_(side) {}

    // Buffers, receives, connection.
    [[nodiscard]] virtual Result<void> open() = 0;

    Result<void> complete() override { return connection_.complete(); }
    void mark_last() noexcept override { connection_.signal_next(); }
    Result<void> flush() override { return connection_.complete_marked(); }
    Result<void> begin_round() override {
        connection_.settle();
        return {};
    }
    std::string executor() const override { return connection_.executor(); }

protected:
    // The peer's place in a region, as it tells it through the side channel.
    [[nodiscard]] Result<Remote> swap_remotes(const Remote& own) {
        CW_TRY(side_.put(own));
        return side_.get<Remote>();
    }

    const Plan& plan_;
    const Role role_;
    SideChannel& side_;
    Connection connection_;
};

[[nodiscard]] std::unique_ptr<CausewayEndpoint> make_append_endpoint(const Plan& plan, Role role,
                                                                     SideChannel& side);

}  // namespace causeway::perf
