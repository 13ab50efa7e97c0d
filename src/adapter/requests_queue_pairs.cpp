// Queue pairs: making them (on the worker, which populates their memory) and ending them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapter/handed_back.hpp"
#include "adapter/requests.hpp"
#include "base/names.hpp"

#include "base/fault_point.hpp"

namespace causeway::adapter {
namespace {

Result<void> check_ring(const char* name, std::uint32_t entries) {
    if (abi::valid_ring_entries(entries))
        return {};
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} has {} entries: take a power of two from {} to {}", name, entries,
                            abi::kMinRingEntries, abi::kMaxRingEntries));
}

Result<void> check_shape(const abi::QueuePairShape& shape) {
    CW_TRY(check_ring("the send queue", shape.send_entries));
    CW_TRY(check_ring("the receive queue", shape.receive_entries));
    CW_TRY(check_ring("the ring of send completions", shape.send_completion_entries));
    CW_TRY(check_ring("the ring of receive completions", shape.receive_completion_entries));
    if (shape.send_completion_entries < shape.send_entries ||
        shape.receive_completion_entries < shape.receive_entries) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} and {} completions for {} sends and {} receives: there must be "
                                "at least as many",
                                shape.send_completion_entries, shape.receive_completion_entries,
                                shape.send_entries, shape.receive_entries));
    }
    return {};
}

Result<void> check_quota(const Partition& partition, std::uint64_t bytes) {
    const Quota& quota = partition.terms.quota;
    const Usage& usage = partition.usage;
    if (usage.queue_pairs >= quota.max_queue_pairs) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("partition {} has {} of at most {} queue pairs: disconnect some, "
                                "or configure a larger quota.max_queue_pairs",
                                partition.name, usage.queue_pairs, quota.max_queue_pairs));
    }
    if (usage.queue_bytes + bytes > quota.max_queue_bytes) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("queue pairs of partition {} have {} bytes and {} more are wanted, "
                                "of at most {}: take smaller rings, or disconnect some",
                                partition.name, usage.queue_bytes, bytes, quota.max_queue_bytes));
    }
    return {};
}

Result<engine::Patience> check_patience(const abi::CreateQueuePairRequest& request) {
    if (request.patience > static_cast<std::uint32_t>(abi::Patience::bounded)) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("patience {} is unknown: block (0), error (1) or bounded (2)",
                                request.patience));
    }
    return engine::Patience{static_cast<abi::Patience>(request.patience), request.patience_ns};
}

// Bits are taken already; the end is made by the worker.
struct Creation {
    std::uint32_t session;
    std::uint32_t completions;  // doorbell
    std::uint64_t bytes;
    abi::Header header;
    EndOptions options;
};

void undo(Fabric& fabric, Partition& partition, const Creation& creation) {
    partition.mover_bits[creation.options.mover].give_back(creation.options.doorbell_bit);
    if (const auto queue = partition.doorbells.find(creation.completions);
        queue != partition.doorbells.end())
        queue->second.ready_bits.give_back(creation.options.ready_bit);
    --partition.usage.queue_pairs;
    partition.usage.queue_bytes -= creation.bytes;
    fabric.give_mappings(1);
    fabric.journal().free(creation.options.journal);
}

// Everything about it that does not change.
void fill_in(QueuePairCell& cell, const Creation& creation, const JournaledFile& memory) {
    const EndOptions& options = creation.options;
    cell.id = options.id;
    cell.completions = creation.completions;
    cell.mover = options.mover;
    cell.doorbell_bit = options.doorbell_bit;
    cell.ready_bit = options.ready_bit;
    cell.patience = static_cast<std::uint32_t>(options.patience.kind);
    cell.patience_ns = options.patience.limit_ns;
    cell.shape = options.shape;
    cell.memory = memory;
    Journal::publish(&cell);
}

Result<Reply> finish(Fabric& fabric, const Creation& creation, Result<std::shared_ptr<End>>& made) {
    Partition* partition = fabric.find(creation.session);
    if (partition == nullptr) {
        fabric.give_mappings(1);
        fabric.journal().free(creation.options.journal);
        return fail(ErrorCode::peer_gone, "the session has ended");
    }
    if (!made) {
        undo(fabric, *partition, creation);
        return tl::unexpected(made.error());
    }
    CAUSEWAY_FAULT_POINT("adapter.create.made");
    const std::shared_ptr<End> end = *made;
    auto reply = control::make_reply<abi::CreateQueuePairReply>(creation.header);
    reply.queue_pair = creation.options.id;
    reply.mover = creation.options.mover;
    reply.doorbell_bit = creation.options.doorbell_bit;
    reply.ready_bit = creation.options.ready_bit;
    reply.memory_size = end->memory_size();
    platform::UniqueFd memory = std::move(end->memory());
    const auto file = journaled(memory);
    if (!file) {
        undo(fabric, *partition, creation);
        return tl::unexpected(file.error());
    }
    fill_in(*creation.options.journal, creation, *file);
    QueuePair pair;
    pair.end = end;
    pair.session = creation.session;
    pair.completions = creation.completions;
    pair.bytes = creation.bytes;
    fabric.add_queue_pair(*partition, std::move(pair));
    CAUSEWAY_FAULT_POINT("adapter.create.added");
    return Reply::of(reply, std::move(memory), [&fabric, id = creation.options.id](auto) {
        fabric.remove_queue_pair(id, nullptr);
    });
}

// What the last daemon knew of it; the cell was in the hands of nobody else.
QueuePair recall(const QueuePairCell& cell) {
    const auto text = [](const char(&array)[abi::kNameSize]) {
        return std::string(load_text(array).value_or(""));
    };
    QueuePair pair;
    pair.session = cell.head.session;
    pair.completions = cell.completions;
    pair.bytes = abi::queue_pair_offsets(cell.shape).total;
    pair.phase = static_cast<QueuePair::Phase>(
        std::min(cell.phase.load(std::memory_order_acquire),
                 static_cast<std::uint32_t>(QueuePair::Phase::connected)));
    pair.wanted = static_cast<abi::Executor>(cell.wanted);
    pair.executor = static_cast<abi::Executor>(cell.executor);
    pair.peer = text(cell.peer);
    pair.peer_id = cell.peer_id;
    pair.bell_in = cell.bell_in;
    pair.service = text(cell.service);
    pair.why = text(cell.why);
    pair.listening_session = cell.listening_session;
    pair.listener = cell.listener;
    pair.accepted = cell.accepted != 0;
    pair.unsettled = true;
    pair.repeatable = true;
    return pair;
}

// The queue pair of `cell` with the memory that came along, counted.
Result<QueuePair> take_back(Call& call, QueuePairCell& cell) {
    Fabric& fabric = call.fabric;
    Partition& partition = *call.partition;
    CW_TRY(check_shape(cell.shape));
    const auto queue = partition.doorbells.find(cell.completions);
    if (queue == partition.doorbells.end() ||
        queue->second.kind != abi::DoorbellKind::completions || !partition.events ||
        cell.mover >= fabric.mover_count() || cell.doorbell_bit >= abi::kDoorbellBits ||
        cell.patience > static_cast<std::uint32_t>(abi::Patience::bounded)) {
        return fail(ErrorCode::not_found,
                    fmt::format("queue pair {} comes before its doorbells", cell.id));
    }
    QueuePair pair = recall(cell);
    CW_TRY(check_quota(partition, pair.bytes));
    EndOptions options;
    options.id = cell.id;
    options.session = partition.session;
    options.mover = cell.mover;
    partition.mover = cell.mover;
    options.doorbell_bit = cell.doorbell_bit;
    options.ready_bit = cell.ready_bit;
    options.shape = cell.shape;
    options.patience = {static_cast<abi::Patience>(cell.patience), cell.patience_ns};
    options.regions = partition.table;
    options.weight = partition.weight;
    options.completions = queue->second.doorbell;
    options.events = partition.events;
    options.journal = &cell;
    CW_TRY_ASSIGN(pair.end, End::resume(std::move(options), call.descriptor));
    CW_TRY(fabric.take_mappings(1));
    const bool first = partition.mover_bits[cell.mover].take(cell.doorbell_bit);
    if (!first || !queue->second.ready_bits.take(cell.ready_bit)) {
        if (first)
            partition.mover_bits[cell.mover].give_back(cell.doorbell_bit);
        fabric.give_mappings(1);
        return fail(ErrorCode::not_found, "the journal gives one bit to two queue pairs");
    }
    ++partition.usage.queue_pairs;
    partition.usage.queue_bytes += pair.bytes;
    return pair;
}

}  // namespace

Answer create_queue_pair(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::CreateQueuePairRequest>(call.bytes));
    Fabric& fabric = call.fabric;
    Partition& partition = *call.partition;
    CW_TRY(check_shape(request.shape));
    CW_TRY_ASSIGN(const engine::Patience patience, check_patience(request));
    const auto queue = partition.doorbells.find(request.completions);
    if (queue == partition.doorbells.end() ||
        queue->second.kind != abi::DoorbellKind::completions) {
        return fail(ErrorCode::not_found,
                    fmt::format("partition {} has no completion queue {}: open a "
                                "doorbell for completions first",
                                partition.name, request.completions));
    }
    const std::uint64_t bytes = abi::queue_pair_offsets(request.shape).total;
    CW_TRY(check_quota(partition, bytes));
    CW_TRY_ASSIGN(auto events, events_of(fabric, partition));
    CW_TRY_ASSIGN(auto* cell, fabric.journal().add<QueuePairCell>(partition.session));
    if (const auto room = fabric.take_mappings(1); !room) {
        fabric.journal().free(cell);
        return tl::unexpected(room.error());
    }

    Creation creation{partition.session, request.completions, bytes, call.header, {}};
    EndOptions& options = creation.options;
    options.journal = cell;
    options.mover = fabric.choose_mover(partition);
    const auto doorbell_bit = partition.mover_bits[options.mover].take();
    const auto ready_bit = queue->second.ready_bits.take();
    if (!doorbell_bit || !ready_bit) {
        if (doorbell_bit)
            partition.mover_bits[options.mover].give_back(*doorbell_bit);
        if (ready_bit)
            queue->second.ready_bits.give_back(*ready_bit);
        fabric.give_mappings(1);
        fabric.journal().free(cell);
        return fail(ErrorCode::limit_reached,
                    fmt::format("doorbell {} has no free bit: it serves {} queue pairs at most; "
                                "take another completion queue",
                                request.completions, abi::kDoorbellBits));
    }
    ++partition.usage.queue_pairs;
    partition.usage.queue_bytes += bytes;
    options.id = fabric.next_queue_pair_id();
    options.session = partition.session;
    options.doorbell_bit = *doorbell_bit;
    options.ready_bit = *ready_bit;
    options.shape = request.shape;
    options.patience = patience;
    options.regions = partition.table;
    options.weight = partition.weight;
    options.completions = queue->second.doorbell;
    options.events = std::move(events);

    fabric.offload([&fabric, creation = std::move(creation), answer = call.answer_later()] {
        auto made = std::make_shared<Result<std::shared_ptr<End>>>(End::create(creation.options));
        return [&fabric, creation, answer, made] { answer(finish(fabric, creation, *made)); };
    });
    return std::nullopt;
}

// One that the journal knows. Its doorbells are back.
Answer resume_queue_pair(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::ResumeQueuePairRequest>(call.bytes));
    Fabric& fabric = call.fabric;
    Partition& partition = *call.partition;
    auto& expected = partition.resuming->queue_pairs;
    const auto found = expected.find(request.queue_pair);
    // Its number is another's where the journal has forgotten that it was given out.
    if (request.reserved != 0 || found == expected.end() ||
        fabric.queue_pair(request.queue_pair) != nullptr) {
        return fail(ErrorCode::not_found,
                    fmt::format("the journal knows no queue pair {} of partition {}",
                                request.queue_pair, partition.name));
    }
    CW_TRY_ASSIGN(QueuePair pair, take_back(call, *found->second));
    expected.erase(found);
    fabric.add_queue_pair(partition, std::move(pair));
    return Reply::empty(call.header);
}

Answer resume_done(Call& call) {
    CW_TRY(control::parse<abi::ResumeDoneRequest>(call.bytes));
    call.fabric.resume_done(*call.partition);
    return Reply::empty(call.header);
}

Answer disconnect(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::DisconnectRequest>(call.bytes));
    if (request.reserved != 0)
        return fail(ErrorCode::invalid_argument, "the reserved field must be zero");
    CW_TRY_ASSIGN(const QueuePair* pair,
                  call.fabric.queue_pair_of(*call.partition, request.queue_pair));
    if (pair->phase == QueuePair::Phase::closing)
        return fail(
            ErrorCode::wrong_state,
            fmt::format("queue pair {} is being closed already: wait for the reply to that request",
                        request.queue_pair));
    call.fabric.remove_queue_pair(
        request.queue_pair,
        [answer = call.answer_later(), header = call.header] { answer(Reply::empty(header)); });
    return std::nullopt;
}

}  // namespace causeway::adapter
