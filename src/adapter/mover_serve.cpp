// One turn of one connection: deficit round robin by the time its steps took.
#include <algorithm>
#include <utility>

#include "adapter/mover_loop.hpp"
#include "platform/clock.hpp"

namespace causeway::adapter {
namespace {

// A piece this long delays the news of it noticeably: partitions are told at once.
constexpr std::uint64_t kTellAtOnceTicks = 10'000;
constexpr std::uint64_t kUsualWeight = 100;

}  // namespace

bool Mover::Loop::serve(Connection& connection) {
    bool any = false;
    engine::StepContext context;
    context.now_ns = now_ns_;
    context.copies = options_.copies;
    // A partition's share is one, however many connections it keeps busy.
    const std::uint32_t sharing = std::max(*connection.busy[0], *connection.busy[1]);
    // What a partition has connected counts as its own, as in end_window().
    const auto& weight = connection.ends[0]->options().weight;
    const std::uint64_t share = weight ? weight->load(std::memory_order_relaxed) : kUsualWeight;
    connection.deficit +=
        static_cast<std::int64_t>(quantum_ticks_ * share / (kUsualWeight * sharing)) + 1;
    if (connection.deficit <= 0)
        return true;  // busy, and still paying for a long piece
    std::uint64_t used[2] = {0, 0};
    std::uint64_t before = platform::ticks();
    bool progress = true;
    while (progress && connection.deficit > 0) {
        progress = false;
        for (int i = 0; i < 2; ++i) {
            const engine::Step step = connection.flows[i].step(context);
            connection.last[i] = step;
            if (step == engine::Step::idle)
                continue;
            if (step != engine::Step::broken) {  // else whoever goes on has to find it, too
                connection.ends[i]->endpoint().note_sent();
                connection.ends[1 - i]->endpoint().note_received();
            }
            const std::uint64_t after = platform::ticks();
            const std::uint64_t took = after - before;
            before = after;
            connection.deficit -= static_cast<std::int64_t>(took);
            used[i] += took;
            note_used(connection, took);
            figures_.note_step(connection.ends[i]->endpoint().counters, connection.seen[i],
                               after - took, after);
            if (step == engine::Step::broken) {
                End* guilty = connection.ends[0].get();
                if (connection.flows[i].blame() != &guilty->endpoint()) {
                    guilty = connection.ends[1].get();
                }
                close_connection(connection, guilty, abi::Error::protocol, abi::Error::peer_gone);
                return true;
            }
            if (step != engine::Step::progress)
                continue;
            progress = true;
            if (took > kTellAtOnceTicks) {
                settle(connection);
                if (took > slow_ticks_)
                    handle_slow_step(connection, took);
            }
        }
        any |= progress;
    }
    if (!progress)
        connection.deficit = 0;  // idle: what it did not use is gone
    for (int i = 0; i < 2; ++i) {
        if (used[i] != 0) {
            connection.ends[i]->endpoint().counters.mover_ns.add(platform::ticks_to_ns(used[i]));
        }
    }
    if (any) {
        connection.active_ns = now_ns_;
        connection.retry_after_ns = 0;
        settle(connection);
        for (int i = 0; i < 2; ++i) {
            if (connection.ends[i]->endpoint().refused != 0)
                tell_refused(connection, i);
        }
    }
    return any;
}

// Tells both partitions what was completed.
void Mover::Loop::settle(Connection& connection) {
    for (auto& end : connection.ends) {
        engine::Endpoint& endpoint = end->endpoint();
        endpoint.publish_taken_lazily();
        if (endpoint.dirty) {
            endpoint.dirty = false;
            end->notify();
        }
    }
}

void Mover::Loop::tell_refused(Connection& connection, int from) {
    const auto opcode = static_cast<abi::Opcode>(
        std::exchange(connection.ends[from]->endpoint().refused, std::uint8_t{0}));
    if (options_.on_refused && refusals_.allow(now_ns_)) {
        options_.on_refused(connection.ends[from]->options().session,
                            connection.ends[1 - from]->options().session, opcode);
    }
}

void Mover::Loop::handle_slow_step(const Connection& connection, std::uint64_t /*ticks*/) {
    if (options_.on_slow_piece) {
        options_.on_slow_piece(connection.ends[0]->options().session,
                               connection.ends[1]->options().session);
    }
}

}  // namespace causeway::adapter
