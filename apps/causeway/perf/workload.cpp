#include "perf/workload.hpp"

#include <algorithm>
#include <ctime>

#include "platform/clock.hpp"

namespace causeway::perf {
namespace {

using platform::monotonic_ns;
using platform::ticks;
using platform::ticks_to_ns;

constexpr std::uint64_t kOvertime = 10;            // times the wanted duration, at most
constexpr std::uint64_t kLargeMessage = 64 << 10;  // bytes; from here on each looks at the clock
constexpr std::uint64_t kClockEvery = 64;          // smaller ones: every so many, a power of two

std::uint64_t nanoseconds_of(double seconds) noexcept {
    return static_cast<std::uint64_t>(seconds * 1e9);
}

// The buffers in turn, without a division.
class SlotCounter {
public:
    explicit SlotCounter(std::uint32_t buffers) noexcept : buffers_(buffers) {}
    std::uint32_t take() noexcept {
        const std::uint32_t slot = next_;
        next_ = next_ + 1 == buffers_ ? 0 : next_ + 1;
        return slot;
    }

private:
    std::uint32_t buffers_;
    std::uint32_t next_ = 0;
};

// Processor time since it was made: of this process with all its threads, and of a helper.
class CpuClocks {
public:
    explicit CpuClocks(int helper) noexcept {
        if (helper != 0)
            has_helper_ = ::clock_getcpuclockid(helper, &helper_clock_) == 0;
        own_start_ = now(CLOCK_PROCESS_CPUTIME_ID);
        helper_start_ = has_helper_ ? now(helper_clock_) : 0;
    }
    [[nodiscard]] std::uint64_t own_ns() const noexcept {
        return now(CLOCK_PROCESS_CPUTIME_ID) - own_start_;
    }
    [[nodiscard]] std::uint64_t helper_ns() const noexcept {
        return has_helper_ ? now(helper_clock_) - helper_start_ : 0;
    }

private:
    [[nodiscard]] static std::uint64_t now(clockid_t clock) noexcept {
        timespec time{};
        ::clock_gettime(clock, &time);
        return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u +
               static_cast<std::uint64_t>(time.tv_nsec);
    }

    clockid_t helper_clock_{};
    bool has_helper_ = false;
    std::uint64_t own_start_ = 0;
    std::uint64_t helper_start_ = 0;
};

}  // namespace

Workload::Workload(const Plan& plan, Role role, Endpoint& endpoint, SideChannel& side, Board& board)
    : plan_(plan),
      role_(role),
      endpoint_(endpoint),
      side_(side),
      board_(board),
      flow_(plan.flow()),
      inspector_(plan.size, plan.buffers,
                 plan.in_place ? Inspector::Buffers::foreign : Inspector::Buffers::own) {}

Result<void> Workload::run_sample(const SampleOrder& order) {
    return role_ == Role::initiator ? lead_sample(order) : follow_sample();
}

Result<void> Workload::lead_sample(const SampleOrder& sample) {
    if (sample.verify || sample_ == 0)
        ++sample_;
    const auto mode = plan_.effective_touch(sample.touch) == Touch::read ? Inspector::Mode::read
                                                                         : Inspector::Mode::none;
    Outcome scratch{};
    scratch.verified = true;
    CW_TRY(lead_round(mode, {.nanoseconds = nanoseconds_of(plan_.warm_up)}, scratch));
    if (sample.verify)
        CW_TRY(lead_round(Inspector::Mode::verify, {.messages = inspector_.verify_messages()},
                          scratch));
    Outcome& outcome = board_.outcome;
    outcome = Outcome();
    outcome.verified = scratch.verified;

    const std::uint64_t wanted = nanoseconds_of(sample.seconds);
    const std::uint64_t at_most = kOvertime * wanted;
    while (outcome.elapsed_ns < wanted ||
           (outcome.one_way.count() < plan_.least_operations && outcome.elapsed_ns < at_most)) {
        const Limits limits{
            .nanoseconds = wanted - std::min(wanted, outcome.elapsed_ns),
            .least =
                plan_.least_operations - std::min(plan_.least_operations, outcome.one_way.count()),
            .overtime_ns = at_most - outcome.elapsed_ns,
        };
        CW_TRY(lead_round(mode, limits, outcome));
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
            fill_noise(endpoint_.buffer(slot), seed_of(own_noise(), seed_), slot);
    }
    inspector_.begin(order.mode, seed_of(peer_noise(), seed_));
    CW_TRY(endpoint_.begin_round());
    if (role_ == Role::initiator)
        board_.total.store(Board::kOpen, std::memory_order_relaxed);
    return side_.meet();
}

Result<void> Workload::lead_round(Inspector::Mode mode, Limits limits, Outcome& outcome) {
    const Order order{true, mode, sample_};
    CW_TRY(side_.put(order));
    CW_TRY(prepare(order));
    limits.messages = std::min(limits.messages, endpoint_.round_limit());

    Result<std::uint64_t> messages(0);
    const CpuClocks clocks(plan_.helper);
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
    outcome.initiator_cpu_ns += clocks.own_ns();
    outcome.helper_cpu_ns += clocks.helper_ns();
    outcome.responder_cpu_ns += report.cpu_ns;
    outcome.verified = outcome.verified && report.good && inspector_.check();
    outcome.messages += *messages;
    outcome.elapsed_ns += (flow_ == Flow::stream ? report.end_ns : own_end) - start;
    return {};
}

Result<Workload::Report> Workload::follow_round(const Order& order) {
    CW_TRY(prepare(order));
    const CpuClocks clocks(0);
    if (responder_passive(order.mode))
        CW_TRY(side_.get<char>());
    else if (flow_ == Flow::ping_pong)
        CW_TRY(follow_ping_pong());
    else
        CW_TRY(follow_stream());
    const std::uint64_t end = monotonic_ns();
    return Report{end, clocks.own_ns(), inspector_.check()};
}

Result<void> Workload::look_at_next() {
    CW_TRY_ASSIGN(const std::span<std::byte> message, endpoint_.receive());
    inspector_.look(message);
    return {};
}

// What can wait (giving the buffer back, counting) is done while the next message is under way, on
// this side as on the other.
Result<std::uint64_t> Workload::lead_ping_pong(const Limits& limits, Histogram& times) {
    SlotCounter slot(plan_.buffers);
    const std::uint64_t begin = ticks();
    std::uint64_t lap_end = begin;
    std::uint64_t lap = 0;
    bool last = limits.last(1, 0);
    for (std::uint64_t i = 0;; ++i) {
        if (last)
            board_.total.store(i + 1, std::memory_order_relaxed);  // the message carries it over
        CW_TRY(endpoint_.submit(slot.take()));
        if (i > 0)
            CW_TRY(endpoint_.release());
        if (i > 1)  // the first lap waits for a responder that is still waking up
            times.add(ticks_to_ns(lap) / 2);
        const bool over = last;
        last = limits.last(i + 2, ticks_to_ns(lap_end - begin));
        CW_TRY(look_at_next());
        const std::uint64_t now = ticks();
        lap = now - lap_end;
        lap_end = now;
        if (over) {
            times.add(ticks_to_ns(lap) / 2);
            CW_TRY(endpoint_.release());
            return 2 * (i + 1);
        }
    }
}

Result<void> Workload::follow_ping_pong() {
    SlotCounter slot(plan_.buffers);
    for (std::uint64_t i = 0; i < board_.total.load(std::memory_order_relaxed); ++i) {
        CW_TRY(look_at_next());
        CW_TRY(endpoint_.submit(slot.take()));
        CW_TRY(endpoint_.release());
    }
    return {};
}

// One at a time: from posting to its completion, and for Read until the data was read.
Result<std::uint64_t> Workload::lead_single(const Limits& limits, Histogram& times) {
    SlotCounter slot(plan_.buffers);
    const std::uint64_t begin = ticks();
    std::uint64_t elapsed = 0;
    for (std::uint64_t i = 0;; ++i) {
        const bool last = limits.last(i + 1, elapsed);
        if (last)
            board_.total.store(i + 1, std::memory_order_relaxed);
        const std::uint64_t start = ticks();
        CW_TRY(endpoint_.submit(slot.take()));
        if (flow_ == Flow::fetch)
            CW_TRY(look_at_next());
        else
            CW_TRY(endpoint_.complete());
        const std::uint64_t end = ticks();
        times.add(ticks_to_ns(end - start));
        if (flow_ == Flow::fetch)
            CW_TRY(endpoint_.release());
        if (last)
            return i + 1;
        elapsed = ticks_to_ns(end - begin);
    }
}

Result<std::uint64_t> Workload::lead_stream(const Limits& limits) {
    SlotCounter slot(plan_.buffers);
    const std::uint64_t clock_mask = plan_.size >= kLargeMessage ? 0 : kClockEvery - 1;
    const std::uint64_t begin = monotonic_ns();
    for (std::uint64_t i = 0;; ++i) {
        const bool last =
            i + 1 >= limits.messages ||
            ((i & clock_mask) == 0 && i > 0 && monotonic_ns() - begin >= limits.nanoseconds);
        if (last) {
            board_.total.store(i + 1, std::memory_order_relaxed);  // before the message itself
            endpoint_.mark_last();
        }
        CW_TRY(endpoint_.submit(slot.take()));
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
    SlotCounter slot(plan_.buffers);
    const std::uint64_t clock_mask = plan_.size >= kLargeMessage ? 0 : kClockEvery - 1;
    const std::uint64_t begin = monotonic_ns();
    std::uint64_t total = limits.messages;
    std::uint64_t submitted = 0;
    std::uint64_t received = 0;
    while (true) {
        for (; submitted < total && submitted - received < plan_.outstanding; ++submitted)
            CW_TRY(endpoint_.submit(slot.take()));
        if (received == submitted)
            return received;
        CW_TRY(look_at_next());
        CW_TRY(endpoint_.release());
        if ((++received & clock_mask) == 0 && monotonic_ns() - begin >= limits.nanoseconds)
            total = submitted;
    }
}

}  // namespace causeway::perf
