// Executor direct (Fig 12): the adapter hands out queue memory and bells, and translates regions
// (steps 1202 and 1203); from then on the partitions move data by themselves.
#include <fmt/format.h>

#include <utility>

#include "adapter/requests.hpp"
#include "platform/memfd.hpp"

namespace causeway::adapter {
namespace {

// A connected direct end of the caller, and the other end.
struct DirectEnds {
    QueuePair* own;
    QueuePair* peer;
};

Result<DirectEnds> direct_ends(Call& call, std::uint32_t id) {
    CW_TRY_ASSIGN(QueuePair * own, call.fabric.queue_pair_of(*call.partition, id));
    if (own->executor != abi::Executor::direct || own->phase != QueuePair::Phase::connected ||
        own->cut) {
        return fail(ErrorCode::denied,
                    fmt::format("queue pair {} is not connected by executor direct: nothing is "
                                "granted through it",
                                id));
    }
    QueuePair* peer = call.fabric.queue_pair(own->peer_id);
    if (peer == nullptr || peer->peer_id != id || peer->phase == QueuePair::Phase::closing)
        return fail(ErrorCode::peer_gone, fmt::format("the peer of queue pair {} has gone", id));
    return DirectEnds{own, peer};
}

}  // namespace

Answer open_direct(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::OpenDirectRequest>(call.bytes));
    if (request.side > static_cast<std::uint32_t>(abi::DirectSide::peer))
        return fail(ErrorCode::invalid_argument,
                    fmt::format("side {} of a direct connection is unknown", request.side));
    CW_TRY_ASSIGN(const DirectEnds ends, direct_ends(call, request.queue_pair));
    const bool own = request.side == static_cast<std::uint32_t>(abi::DirectSide::own);
    QueuePair& of = own ? *ends.own : *ends.peer;
    bool& given = own ? of.inbound.given_to_owner : of.inbound.given_to_peer;
    if (given || !of.inbound.memory) {
        return fail(ErrorCode::wrong_state,
                    fmt::format("the inbound memory of queue pair {} was handed out already: it is "
                                "there once",
                                request.queue_pair));
    }
    CW_TRY_ASSIGN(platform::UniqueFd memory, duplicate(of.inbound.memory));
    given = true;
    call.fabric.inbound_fetched(*ends.own, of);
    auto reply = call.reply<abi::OpenDirectReply>();
    reply.memory_size = of.inbound.size;
    reply.receive_entries = of.end->options().shape.receive_entries;
    reply.receive_completion_entries = of.end->options().shape.receive_completion_entries;
    reply.peer_session = ends.peer->session;
    reply.peer_ready_bit = ends.peer->end->options().ready_bit;
    reply.bell_in = ends.own->bell_in;
    reply.bell_out = ends.peer->bell_in;
    return Reply::of(reply, std::move(memory),
                     [&fabric = call.fabric, own = ends.own, &of, &given](platform::UniqueFd back) {
                         given = false;
                         fabric.inbound_came_back(*own, of, std::move(back));
                     });
}

Answer resolve(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::ResolveRequest>(call.bytes));
    if (request.reserved != 0)
        return fail(ErrorCode::invalid_argument, "the reserved field must be zero");
    CW_TRY_ASSIGN(const QueuePair* own,
                  call.fabric.queue_pair_of(*call.partition, request.queue_pair));
    if (own->unsettled) {
        return fail(ErrorCode::again,
                    fmt::format("the peer of queue pair {} has not come back to this adapter yet",
                                request.queue_pair));
    }
    CW_TRY_ASSIGN(const DirectEnds ends, direct_ends(call, request.queue_pair));
    const Partition* owner = call.fabric.find(ends.peer->session);
    if (owner == nullptr)
        return fail(ErrorCode::peer_gone, "the peer has gone");
    const auto found = owner->regions.find(request.handle);
    if (found == owner->regions.end()) {
        return fail(ErrorCode::not_found, fmt::format("partition {} has no region with handle {}",
                                                      owner->name, request.handle));
    }
    RegisteredRegion& region = *found->second;
    if ((region.entry.rights & abi::right::kExportable) == 0) {
        call.fabric.count_denial(call.partition->name, "region is not exportable");
        return fail(ErrorCode::denied,
                    fmt::format("region {} of partition {} is not exportable: its owner registers "
                                "it with that right, or connects by executor adapter",
                                request.handle, owner->name));
    }
    if (request.part >= region.memory.files.size()) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("part {} of a region that has {}: parts are numbered from 0",
                                request.part, region.memory.files.size()));
    }
    CW_TRY_ASSIGN(platform::UniqueFd memory, duplicate(region.memory.files[request.part].fd));
    // Or its holder could seal it against being mapped by the next one to whom it is granted.
    CW_TRY_ASSIGN(const unsigned seals, platform::memfd_seals(memory.get()));
    if ((seals & F_SEAL_SEAL) == 0)
        CW_TRY(platform::add_seals(memory.get(), F_SEAL_SEAL));
    const bool granted_before = std::exchange(region.granted, true);
    region.cell->granted.store(1, std::memory_order_relaxed);
    auto reply = call.reply<abi::ResolveReply>();
    reply.size = region.entry.length;
    reply.address = region.entry.address;
    reply.generation = region.entry.generation;
    reply.rights = region.entry.rights;
    reply.parts = static_cast<std::uint32_t>(region.memory.files.size());
    reply.network_id = region.entry.network_id;
    return Reply::of(reply, std::move(memory),
                     [&region, granted_before](auto) { region.granted = granted_before; });
}

}  // namespace causeway::adapter
