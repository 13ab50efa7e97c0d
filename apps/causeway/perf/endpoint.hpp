// Endpoint: one end of a data path under measurement. Every peer that Causeway is compared with is
// one more implementation; the workloads know nothing else.
//
// Threading: one thread of one process. Ownership: an endpoint owns its buffers and connection.
//
// Invariants:
//  1. Messages arrive in the order in which they were submitted, each exactly once.
//  2. A span from receive() stays valid and unchanged until its release(). They are released in
//     order.
//  3. Every call ends with an error after kPatience at the latest if nothing moves.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.hpp"
#include "perf/plan.hpp"
#include "perf/side_channel.hpp"

namespace causeway::perf {

inline constexpr std::chrono::seconds kPatience{30};

class Endpoint {
public:
    Endpoint() = default;
    Endpoint(const Endpoint&) = delete;
    Endpoint& operator=(const Endpoint&) = delete;
    virtual ~Endpoint() = default;

    // The bytes of message `slot` (below Plan::buffers). To be filled while nothing is on its way.
    // For Read they lie at the responder.
    [[nodiscard]] virtual std::span<std::byte> buffer(std::uint32_t slot) = 0;

    // Starts to move the message in `slot`: to the peer, or for Read from there. Waits while
    // Plan::outstanding are on their way.
    [[nodiscard]] virtual Result<void> submit(std::uint32_t slot) = 0;
    // Before the last submit of a round, for flush().
    virtual void mark_last() noexcept {}
    // After the last submit of a round: everything submitted is on its way to the peer, without
    // this end having to do anything more for it.
    [[nodiscard]] virtual Result<void> flush() { return {}; }
    // Waits until everything submitted has completed at this end (Flow::completion).
    [[nodiscard]] virtual Result<void> complete() = 0;

    // The next message that came: from the peer's submits, or for Read from this end's own.
    [[nodiscard]] virtual Result<std::span<std::byte>> receive() = 0;
    [[nodiscard]] virtual Result<void> release() = 0;

    // Both ends, before every round. A path whose memory is used up by messages (Append) makes new
    // memory here.
    [[nodiscard]] virtual Result<void> begin_round() { return {}; }
    // Most messages of a round.
    [[nodiscard]] virtual std::uint64_t round_limit() const { return UINT64_MAX; }

    // For the report: who moves the data.
    [[nodiscard]] virtual std::string executor() const = 0;
};

// Connects the two ends; each process calls it with its role.
[[nodiscard]] Result<std::unique_ptr<Endpoint>> make_causeway_endpoint(const Plan& plan, Role role,
                                                                       SideChannel& side);
[[nodiscard]] Result<std::unique_ptr<Endpoint>> make_unix_endpoint(const Plan& plan, Role role,
                                                                   SideChannel& side);

}  // namespace causeway::perf
