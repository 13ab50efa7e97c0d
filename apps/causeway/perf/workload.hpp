// Workload: runs samples between two endpoints; one object in each of the two processes.
//
// A sample is a number of rounds: first a short one to warm up, then (where the order says verify)
// one in which the receiver compares every byte, then timed ones until the time is up (one, unless
// the endpoint limits a round). The initiator leads; the responder follows through the side
// channel.
//
// Threading: one thread. Ownership: borrows the endpoint, side channel and board.
//
// Invariants:
//  1. Filling and comparing buffers, making memory and talking over the side channel happen outside
//     the timed part.
//  2. The timed part of a stream begins before the first submit and ends, at the responder, when
//     the last message has come and was read (both processes read the same clock).
//  3. A round trip is timed from one answer to the next, so the times add up to the whole. What
//     the initiator has to book it books while the next message is on its way.
#pragma once

#include <cstdint>

#include "perf/board.hpp"
#include "perf/endpoint.hpp"
#include "perf/payload.hpp"
#include "perf/plan.hpp"
#include "perf/side_channel.hpp"

namespace causeway::perf {

class Workload {
public:
    Workload(const Plan& plan, Role role, Endpoint& endpoint, SideChannel& side, Board& board);

    // One sample; both roles call it. The initiator leaves the outcome on the board.
    [[nodiscard]] Result<void> run_sample(const SampleOrder& order);

private:
    // What the initiator tells before a round.
    struct Order {
        bool again;  // false: the sample is over
        Inspector::Mode mode;
        std::uint64_t seed;
    };
    // What the responder tells after it.
    struct Report {
        std::uint64_t end_ns;
        std::uint64_t cpu_ns;
        bool good;
    };
    // When the initiator ends a round.
    struct Limits {
        std::uint64_t messages = UINT64_MAX;
        std::uint64_t nanoseconds = UINT64_MAX;
        std::uint64_t least = 0;                 // messages to have before time counts,
        std::uint64_t overtime_ns = UINT64_MAX;  // until this
        [[nodiscard]] bool last(std::uint64_t done, std::uint64_t elapsed) const noexcept {
            return done >= messages || elapsed >= overtime_ns ||
                   (elapsed >= nanoseconds && done >= least);
        }
    };

    [[nodiscard]] Result<void> lead_sample(const SampleOrder& sample);
    [[nodiscard]] Result<void> follow_sample();
    // Adds to the outcome what the round took and moved.
    [[nodiscard]] Result<void> lead_round(Inspector::Mode mode, Limits limits, Outcome& outcome);
    [[nodiscard]] Result<Report> follow_round(const Order& order);
    [[nodiscard]] Result<void> prepare(const Order& order);

    [[nodiscard]] Result<std::uint64_t> lead_ping_pong(const Limits& limits, Histogram& times);
    [[nodiscard]] Result<std::uint64_t> lead_single(const Limits& limits, Histogram& times);
    [[nodiscard]] Result<std::uint64_t> lead_stream(const Limits& limits);
    [[nodiscard]] Result<std::uint64_t> lead_pull(const Limits& limits);
    [[nodiscard]] Result<void> follow_ping_pong();
    [[nodiscard]] Result<void> follow_stream();
    [[nodiscard]] Result<void> look_at_next();

    // Whose noise the two ends send. In place, where memory goes round, both send the same.
    [[nodiscard]] Role own_noise() const noexcept {
        return plan_.in_place ? Role::initiator : role_;
    }
    [[nodiscard]] Role peer_noise() const noexcept {
        const Role peer = role_ == Role::initiator ? Role::responder : Role::initiator;
        return plan_.in_place ? Role::initiator : peer;
    }
    // Does the responder take part in rounds of this mode, or only wait?
    [[nodiscard]] bool responder_passive(Inspector::Mode mode) const noexcept;

    const Plan& plan_;
    const Role role_;
    Endpoint& endpoint_;
    SideChannel& side_;
    Board& board_;
    const Flow flow_;
    Inspector inspector_;
    std::uint64_t seed_ = 0;    // of what the buffers hold; 0: nothing yet
    std::uint64_t sample_ = 0;  // initiator: the seed of this sample
};

}  // namespace causeway::perf
