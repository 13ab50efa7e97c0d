#include "perf/workload.hpp"

#include <algorithm>

#include "platform/clock.hpp"

namespace causeway::perf {
namespace {

using platform::monotonic_ns;

constexpr std::uint64_t kWarmUp = 50'000'000;      // ns
constexpr std::uint64_t kOvertime = 10;            // times the wanted duration, at most
constexpr std::uint64_t kLargeMessage = 64 << 10;  // bytes; from here on each looks at the clock
constexpr std::uint64_t kClockEvery = 64;          // smaller ones: every so many

std::uint32_t slot_of(std::uint64_t message, const Plan& plan) noexcept {
    return static_cast<std::uint32_t>(message % plan.buffers);
}

}  // namespace

Workload::Workload(const Plan& plan, Role role, Endpoint& endpoint, SideChannel& side, Board& board)
    : plan_(plan),
      role_(role),
      endpoint_(endpoint),
      side_(side),
      board_(board),
      flow_(plan.flow()),
      inspector_(plan.size, plan.buffers) {}

Result<void> Workload::run_sample() {
    ++sample_;
    return role_ == Role::initiator ? lead_sample() : follow_sample();
}

Result<void> Workload::lead_sample() {
    Outcome& outcome = board_.outcome;
    outcome = Outcome();
    outcome.verified = true;
    const auto mode =
        plan_.effective_touch() == Touch::read ? Inspector::Mode::read : Inspector::Mode::none;
    Outcome scratch{};
    scratch.verified = true;
    CW_TRY(lead_round(mode, {.nanoseconds = kWarmUp}, scratch));
    CW_TRY(
        lead_round(Inspector::Mode::verify, {.messages = inspector_.verify_messages()}, scratch));
    outcome.verified = scratch.verified;

    const auto wanted = static_cast<std::uint64_t>(plan_.seconds * 1e9);
    const std::uint64_t at_most = kOvertime * wanted;
    while (outcome.elapsed_ns < wanted ||
           (outcome.one_way.count() < plan_.least_operations && outcome.elapsed_ns < at_most)) {
        const Limits limits{
            .nanoseconds = wanted - std::min(wanted, outcome.elapsed_ns),
            .least =
                plan_.least_operations - std::min(plan_.least_operations, outcome.one_way.count()),
            .overtime_ns = at_most - outcome.elapsed_ns,
        };
        CW_TRY_ASSIGN(const Timed timed, lead_round(mode, limits, outcome));
        outcome.messages += timed.messages;
        outcome.elapsed_ns += timed.elapsed_ns;
    }
    return side_.put(Order{false, mode, seed_});
}

Result<void> Workload::follow_sample() {
    while (true) {
        CW_TRY_ASSIGN(const Order order, side_.get<Order>());
        if (!order.again)
            return {};
        CW_TRY_ASSIGN(const Report report, follow_round(order));
        CW_TRY(side_.put(report));
    }
}

bool Workload::responder_passive(Inspector::Mode mode) const noexcept {
    if (flow_ == Flow::completion)
        return mode != Inspector::Mode::verify;
    return flow_ == Flow::fetch || flow_ == Flow::pull;
}

// Both ends: buffers, expectations, endpoint.
Result<void> Workload::prepare(const Order& order) {
    if (order.seed != seed_) {
        seed_ = order.seed;
        for (std::uint32_t slot = 0; slot < plan_.buffers; ++slot)
            fill_noise(endpoint_.buffer(slot), seed_of(role_, seed_), slot);
    }
    const Role peer = role_ == Role::initiator ? Role::responder : Role::initiator;
    inspector_.begin(order.mode, seed_of(peer, seed_));
    CW_TRY(endpoint_.begin_round());
    if (role_ == Role::initiator)
        board_.total.store(Board::kOpen, std::memory_order_relaxed);
    return side_.meet();
}

Result<Workload::Timed> Workload::lead_round(Inspector::Mode mode, Limits limits,
                                             Outcome& outcome) {
    const Order order{true, mode, sample_};
    CW_TRY(side_.put(order));
    CW_TRY(prepare(order));
    limits.messages = std::min(limits.messages, endpoint_.round_limit());

    Result<std::uint64_t> messages(0);
    const std::uint64_t start = monotonic_ns();
    if (flow_ == Flow::ping_pong)
        messages = lead_ping_pong(limits, outcome.one_way);
    else if (flow_ == Flow::stream)
        messages = lead_stream(limits);
    else if (flow_ == Flow::pull)
        messages = lead_pull(limits);
    else
        messages = lead_single(limits, outcome.one_way);
    CW_TRY(messages);
    const std::uint64_t own_end = monotonic_ns();

    if (responder_passive(mode))
        CW_TRY(side_.put('e'));
    else
        CW_TRY(endpoint_.flush());
    CW_TRY_ASSIGN(const Report report, side_.get<Report>());
    outcome.verified = outcome.verified && report.good && inspector_.check();
    return Timed{*messages, (flow_ == Flow::stream ? report.end_ns : own_end) - start};
}

Result<Workload::Report> Workload::follow_round(const Order& order) {
    CW_TRY(prepare(order));
    if (responder_passive(order.mode))
        CW_TRY(side_.get<char>());
    else if (flow_ == Flow::ping_pong)
        CW_TRY(follow_ping_pong());
    else
        CW_TRY(follow_stream());
    const std::uint64_t end = monotonic_ns();
    return Report{end, inspector_.check()};
}

Result<void> Workload::look_at_next() {
    CW_TRY_ASSIGN(const std::span<std::byte> message, endpoint_.receive());
    inspector_.look(message);
    return {};
}

Result<std::uint64_t> Workload::lead_ping_pong(const Limits& limits, Histogram& times) {
    const std::uint64_t begin = monotonic_ns();
    std::uint64_t elapsed = 0;
    for (std::uint64_t i = 0;; ++i) {
        const bool last = limits.last(i + 1, elapsed);
        if (last)
            board_.total.store(i + 1, std::memory_order_relaxed);  // the message carries it over
        const std::uint64_t start = monotonic_ns();
        CW_TRY(endpoint_.submit(slot_of(i, plan_)));
        CW_TRY(look_at_next());
        const std::uint64_t end = monotonic_ns();
        times.add((end - start) / 2);
        CW_TRY(endpoint_.release());
        if (last)
            return 2 * (i + 1);
        elapsed = end - begin;
    }
}

Result<void> Workload::follow_ping_pong() {
    for (std::uint64_t i = 0; i < board_.total.load(std::memory_order_relaxed); ++i) {
        CW_TRY(look_at_next());
        CW_TRY(endpoint_.submit(slot_of(i, plan_)));
        CW_TRY(endpoint_.release());
    }
    return {};
}

// One at a time: from posting to its completion, and for Read until the data was read.
Result<std::uint64_t> Workload::lead_single(const Limits& limits, Histogram& times) {
    const std::uint64_t begin = monotonic_ns();
    std::uint64_t elapsed = 0;
    for (std::uint64_t i = 0;; ++i) {
        const bool last = limits.last(i + 1, elapsed);
        if (last)
            board_.total.store(i + 1, std::memory_order_relaxed);
        const std::uint64_t start = monotonic_ns();
        CW_TRY(endpoint_.submit(slot_of(i, plan_)));
        if (flow_ == Flow::fetch)
            CW_TRY(look_at_next());
        else
            CW_TRY(endpoint_.complete());
        const std::uint64_t end = monotonic_ns();
        times.add(end - start);
        if (flow_ == Flow::fetch)
            CW_TRY(endpoint_.release());
        if (last)
            return i + 1;
        elapsed = end - begin;
    }
}

Result<std::uint64_t> Workload::lead_stream(const Limits& limits) {
    const std::uint64_t clock_every = plan_.size >= kLargeMessage ? 1 : kClockEvery;
    const std::uint64_t begin = monotonic_ns();
    for (std::uint64_t i = 0;; ++i) {
        const bool last =
            i + 1 >= limits.messages ||
            (i % clock_every == 0 && i > 0 && monotonic_ns() - begin >= limits.nanoseconds);
        if (last) {
            board_.total.store(i + 1, std::memory_order_relaxed);  // before the message itself
            endpoint_.mark_last();
        }
        CW_TRY(endpoint_.submit(slot_of(i, plan_)));
        if (last)
            return i + 1;
    }
}

Result<void> Workload::follow_stream() {
    for (std::uint64_t i = 0; i < board_.total.load(std::memory_order_relaxed); ++i) {
        CW_TRY(look_at_next());
        CW_TRY(endpoint_.release());
    }
    return {};
}

Result<std::uint64_t> Workload::lead_pull(const Limits& limits) {
    const std::uint64_t clock_every = plan_.size >= kLargeMessage ? 1 : kClockEvery;
    const std::uint64_t begin = monotonic_ns();
    std::uint64_t total = limits.messages;
    std::uint64_t submitted = 0;
    std::uint64_t received = 0;
    while (true) {
        while (submitted < total && submitted - received < plan_.outstanding)
            CW_TRY(endpoint_.submit(slot_of(submitted++, plan_)));
        if (received == submitted)
            return received;
        CW_TRY(look_at_next());
        CW_TRY(endpoint_.release());
        if (++received % clock_every == 0 && monotonic_ns() - begin >= limits.nanoseconds)
            total = submitted;
    }
}

}  // namespace causeway::perf
