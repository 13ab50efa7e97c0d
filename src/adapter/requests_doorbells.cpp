// Doorbells: opening them, fetching the wake-up socket, closing those of completion queues.
#include <fmt/format.h>

#include <utility>

#include "adapter/handed_back.hpp"
#include "adapter/requests.hpp"

namespace causeway::adapter {
namespace {

// The adapter's end of the socketpair, and the partition's until it is fetched.
constexpr std::uint64_t kFilesPerDoorbell = 2;

tl::unexpected<Error> open_already(const char* what) {
    return fail(
        ErrorCode::wrong_state,
        fmt::format("the {} doorbell of this partition is open already: it is there once", what));
}

// Counts it, and makes it.
template<typename Make>
Result<std::shared_ptr<Doorbell>> count_doorbell(Fabric& fabric, Partition& partition,
                                                 Make&& make) {
    CW_TRY(fabric.take_files(partition, kFilesPerDoorbell));
    if (auto room = fabric.take_mappings(1); !room) {
        fabric.give_files(partition, kFilesPerDoorbell);
        return tl::unexpected(room.error());
    }
    Result<std::shared_ptr<Doorbell>> made = make(fabric.close_aside_for(partition));
    if (made) {
        ++partition.usage.doorbells;
    } else {
        fabric.give_files(partition, kFilesPerDoorbell);
        fabric.give_mappings(1);
    }
    return made;
}

Result<std::shared_ptr<Doorbell>> make_doorbell(Fabric& fabric, Partition& partition) {
    return count_doorbell(fabric, partition,
                          [](CloseAside aside) { return Doorbell::create(std::move(aside)); });
}

Result<std::shared_ptr<Doorbell>> open_kind(Call& call, const abi::OpenDoorbellRequest& request) {
    Partition& partition = *call.partition;
    const auto kind = static_cast<abi::DoorbellKind>(request.kind);
    if (kind != abi::DoorbellKind::mover && request.index != 0) {
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("doorbell index {}: only a mover's doorbell has one", request.index));
    }
    switch (kind) {
        case abi::DoorbellKind::events: {
            CW_TRY_ASSIGN(auto doorbell, events_of(call.fabric, partition));
            if (!doorbell->page_fd)
                return open_already("events");
            return doorbell;
        }
        case abi::DoorbellKind::mover: {
            if (request.index >= call.fabric.mover_count()) {
                return fail(ErrorCode::invalid_argument,
                            fmt::format("there is no mover {}: the adapter has {}", request.index,
                                        call.fabric.mover_count()));
            }
            std::shared_ptr<Doorbell>& doorbell = partition.mover_doorbells[request.index];
            if (doorbell && !doorbell->page_fd)
                return open_already("mover");
            if (!doorbell) {
                CW_TRY_ASSIGN(doorbell, make_doorbell(call.fabric, partition));
                call.fabric.mover(request.index).open_doorbell(partition.session, doorbell);
            }
            return doorbell;
        }
        case abi::DoorbellKind::completions: {
            const std::uint32_t most = partition.terms.quota.max_completion_queues;
            if (partition.usage.completion_queues >= most) {
                return fail(ErrorCode::limit_reached,
                            fmt::format("partition {} has {} of at most {} completion queues: "
                                        "close some",
                                        partition.name, partition.usage.completion_queues, most));
            }
            CW_TRY_ASSIGN(auto doorbell, make_doorbell(call.fabric, partition));
            ++partition.usage.completion_queues;
            return doorbell;
        }
        case abi::DoorbellKind::bell_in:
        case abi::DoorbellKind::bell_out:
            break;  // open_bell()
    }
    return fail(ErrorCode::invalid_argument,
                fmt::format("doorbell kind {} is unknown", request.kind));
}

Result<DoorbellRecord*> find_doorbell(Partition& partition, const abi::DoorbellRequest& request) {
    if (request.reserved != 0)
        return fail(ErrorCode::invalid_argument, "the reserved field must be zero");
    const auto found = partition.doorbells.find(request.doorbell);
    if (found == partition.doorbells.end()) {
        return fail(
            ErrorCode::not_found,
            fmt::format("partition {} has no doorbell {}: it was never opened, or is closed",
                        partition.name, request.doorbell));
    }
    return &found->second;
}

// What a completion queue's doorbell counts for.
void give_completions_back(Fabric& fabric, Partition& partition) {
    --partition.usage.completion_queues;
    --partition.usage.doorbells;
    fabric.give_files(partition, kFilesPerDoorbell);
    fabric.give_mappings(1);
}

// It is known from now on, also to the next daemon.
Result<DoorbellCell*> journal_doorbell(Call& call, const abi::OpenDoorbellRequest& request,
                                       std::uint32_t id, const platform::UniqueFd& page) {
    CW_TRY_ASSIGN(const JournaledFile file, journaled(page));
    CW_TRY_ASSIGN(auto* cell, call.fabric.journal().add<DoorbellCell>(call.partition->session));
    cell->id = id;
    cell->kind = request.kind;
    cell->index = request.index;
    cell->page = file;
    Journal::publish(cell);
    call.partition->cell->last_doorbell = id;
    return cell;
}

void forget_doorbell(Fabric& fabric, Partition& partition, std::uint32_t id) {
    const auto found = partition.doorbells.find(id);
    fabric.journal().free(found->second.cell);
    partition.doorbells.erase(found);
}

void forget_completions(Fabric& fabric, Partition& partition, std::uint32_t id) {
    forget_doorbell(fabric, partition, id);
    fabric.forget_bells_at(partition.session, id);
    give_completions_back(fabric, partition);
}

}  // namespace

Result<std::shared_ptr<Doorbell>> events_of(Fabric& fabric, Partition& partition) {
    if (!partition.events) {
        CW_TRY_ASSIGN(partition.events, make_doorbell(fabric, partition));
    }
    return partition.events;
}

namespace {

bool is_bell(std::uint32_t kind) {
    return kind == static_cast<std::uint32_t>(abi::DoorbellKind::bell_in) ||
           kind == static_cast<std::uint32_t>(abi::DoorbellKind::bell_out);
}

// One side of a bell between two direct peers: the adapter only passes it on.
Answer open_bell(Call& call, const abi::OpenDoorbellRequest& request) {
    Partition& partition = *call.partition;
    const auto kind = static_cast<abi::DoorbellKind>(request.kind);
    const bool waits = kind == abi::DoorbellKind::bell_in;
    Bell* const bell = call.fabric.bell(request.index);
    if (bell == nullptr || (waits ? bell->key.waiter : bell->key.waker) != partition.session) {
        return fail(ErrorCode::not_found,
                    fmt::format("partition {} has no bell {} of that side: connect by executor "
                                "direct first, and take the number from open_direct",
                                partition.name, request.index));
    }
    Bell::Side& side = waits ? bell->waiter : bell->waker;
    if (!side.page)
        return open_already("peer's");
    auto reply = call.reply<abi::OpenDoorbellReply>();
    reply.doorbell = next_id(partition.last_doorbell, partition.doorbells);
    side.doorbell = reply.doorbell;
    DoorbellRecord record;
    record.kind = kind;
    record.bell = request.index;
    partition.doorbells.emplace(reply.doorbell, std::move(record));
    call.fabric.give_files(partition, 1);
    return Reply::of(reply, std::move(side.page),
                     [&fabric = call.fabric, &partition, &side](platform::UniqueFd back) {
                         side.page = std::move(back);
                         fabric.hold_files(partition, 1);
                         partition.doorbells.erase(std::exchange(side.doorbell, 0));
                     });
}

// This side's socket of a doorbell or bell, if it is still here.
platform::UniqueFd* socket_of(Fabric& fabric, DoorbellRecord& record) {
    if (record.doorbell)
        return &record.doorbell->peer_socket_fd;
    Bell* const bell = fabric.bell(record.bell);
    if (bell == nullptr)
        return nullptr;
    return record.kind == abi::DoorbellKind::bell_in ? &bell->waiter.socket : &bell->waker.socket;
}

}  // namespace

Answer open_doorbell(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::OpenDoorbellRequest>(call.bytes));
    if (is_bell(request.kind))
        return open_bell(call, request);
    CW_TRY_ASSIGN(auto doorbell, open_kind(call, request));
    Partition& partition = *call.partition;
    const std::uint32_t id = next_id(partition.last_doorbell, partition.doorbells);
    auto reply = call.reply<abi::OpenDoorbellReply>();
    reply.doorbell = id;
    auto cell = journal_doorbell(call, request, id, doorbell->page_fd);
    if (!cell) {
        if (static_cast<abi::DoorbellKind>(request.kind) == abi::DoorbellKind::completions)
            give_completions_back(call.fabric, partition);
        return tl::unexpected(cell.error());
    }
    platform::UniqueFd page = std::move(doorbell->page_fd);
    DoorbellRecord record;
    record.cell = *cell;
    record.kind = static_cast<abi::DoorbellKind>(request.kind);
    record.doorbell = std::move(doorbell);
    partition.doorbells.emplace(id, std::move(record));
    return Reply::of(reply, std::move(page),
                     [&fabric = call.fabric, &partition, id](platform::UniqueFd back) {
                         DoorbellRecord& told = partition.doorbells.at(id);
                         if (told.kind == abi::DoorbellKind::completions) {
                             forget_completions(fabric, partition, id);
                             return;
                         }
                         // It is there once: for the next request.
                         told.doorbell->page_fd = std::move(back);
                         forget_doorbell(fabric, partition, id);
                     });
}

Answer wakeup_socket(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::DoorbellRequest>(call.bytes));
    CW_TRY_ASSIGN(DoorbellRecord * record, find_doorbell(*call.partition, request));
    platform::UniqueFd* const socket = socket_of(call.fabric, *record);
    if (socket == nullptr || !*socket) {
        return fail(ErrorCode::wrong_state,
                    fmt::format("the wake-up socket of doorbell {} was handed out already: it is "
                                "there once",
                                request.doorbell));
    }
    // A bell's is the adapter's only until it was fetched.
    const std::uint64_t counted = record->doorbell ? 0 : 1;
    call.fabric.give_files(*call.partition, counted);
    return Reply::empty(call.header, std::move(*socket),
                        [&fabric = call.fabric, &partition = *call.partition, socket,
                         counted](platform::UniqueFd back) {
                            *socket = std::move(back);
                            fabric.hold_files(partition, counted);
                        });
}

Answer close_doorbell(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::DoorbellRequest>(call.bytes));
    Partition& partition = *call.partition;
    CW_TRY_ASSIGN(DoorbellRecord * record, find_doorbell(partition, request));
    if (is_bell(static_cast<std::uint32_t>(record->kind))) {
        call.fabric.forget_bell(record->bell);  // and `record` with it
        return Reply::empty(call.header);
    }
    if (record->kind != abi::DoorbellKind::completions) {
        return fail(ErrorCode::wrong_state,
                    fmt::format("doorbell {} lives as long as the partition: only those of "
                                "completion queues can be closed",
                                request.doorbell));
    }
    if (record->ready_bits.taken() != 0) {
        return fail(ErrorCode::wrong_state,
                    fmt::format("{} queue pairs still complete to doorbell {}: disconnect them "
                                "first",
                                record->ready_bits.taken(), request.doorbell));
    }
    forget_completions(call.fabric, partition, request.doorbell);
    return Reply::empty(call.header);
}

// The page comes back, and this side's new socket goes out at once.
Answer resume_doorbell(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::ResumeDoorbellRequest>(call.bytes));
    Partition& partition = *call.partition;
    auto& expected = partition.resuming->doorbells;
    const auto found = expected.find(request.doorbell);
    if (request.reserved != 0 || found == expected.end()) {
        return fail(ErrorCode::not_found,
                    fmt::format("the journal knows no doorbell {} of partition {}",
                                request.doorbell, partition.name));
    }
    DoorbellCell* const cell = found->second;
    const auto kind = static_cast<abi::DoorbellKind>(cell->kind);
    if (kind == abi::DoorbellKind::mover && cell->index >= call.fabric.mover_count())
        return fail(ErrorCode::not_found, "the mover of that doorbell is not there any more");
    CW_TRY_ASSIGN(auto doorbell,
                  count_doorbell(call.fabric, partition, [&](CloseAside close_aside) {
                      return Doorbell::resume(call.descriptor, cell->page, std::move(close_aside));
                  }));
    if (kind == abi::DoorbellKind::events) {
        partition.events = doorbell;
    } else if (kind == abi::DoorbellKind::mover) {
        partition.mover_doorbells[cell->index] = doorbell;
        call.fabric.mover(cell->index).open_doorbell(partition.session, doorbell);
    } else {
        ++partition.usage.completion_queues;
    }
    platform::UniqueFd socket = std::move(doorbell->peer_socket_fd);
    DoorbellRecord record;
    record.kind = kind;
    record.doorbell = std::move(doorbell);
    record.cell = cell;
    partition.doorbells.emplace(request.doorbell, std::move(record));
    expected.erase(found);
    return Reply::empty(call.header, std::move(socket), [](auto) {});
}

}  // namespace causeway::adapter
