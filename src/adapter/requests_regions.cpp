// Regions: registering part by part, deregistering, looking at one's own.
#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>
#include <utility>

#include "adapter/requests.hpp"

#include "base/fault_point.hpp"

namespace causeway::adapter {
namespace {

Result<void> check_quota(const Fabric& fabric, const Partition& partition,
                         const abi::RegisterRequest& request) {
    const Quota& quota = fabric.quota();
    const Usage& usage = partition.usage;
    if (usage.regions >= quota.max_regions) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("partition {} has {} of at most {} regions: deregister some, or "
                                "start causewayd with a larger --max-regions",
                                partition.name, usage.regions, quota.max_regions));
    }
    if (request.size > quota.max_bytes || usage.bytes > quota.max_bytes - request.size) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("partition {} has {} bytes registered and wants {} more, of at "
                                "most {}: deregister some, or start causewayd with a larger "
                                "--max-bytes",
                                partition.name, usage.bytes, request.size, quota.max_bytes));
    }
    return {};
}

// Does this part continue what is pending?
Result<void> check_order(const Partition& partition, const abi::RegisterRequest& request) {
    if (request.part == 0)
        return {};
    if (!partition.pending_region || partition.pending_region->files.size() != request.part) {
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("part {} of {} does not follow: {} parts are there, begin with "
                        "part 0",
                        request.part, request.parts,
                        partition.pending_region ? partition.pending_region->files.size() : 0));
    }
    const abi::RegisterRequest& first = partition.pending_region->first;
    if (first.size != request.size || first.address != request.address ||
        first.rights != request.rights) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("part {} is of another region than part 0: size {}, address {:#x}, "
                                "rights {:#x} now, size {}, address {:#x}, rights {:#x} then",
                                request.part, request.size, request.address, request.rights,
                                first.size, first.address, first.rights));
    }
    return {};
}

Result<void> take_room(Call& call, const abi::RegisterRequest& request, const RegionFile& file) {
    if (call.fabric.inode_known(file.key)) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("part {}: this memory file is part of a region already: memory is "
                                "registered once, by one partition",
                                request.part));
    }
    return call.fabric.take_files(*call.partition, 1);
}

Result<void> take_part(Call& call, const abi::RegisterRequest& request) {
    Partition& partition = *call.partition;
    if (request.part == 0)
        call.fabric.drop_pending_region(partition);
    CW_TRY(check_register_request(request));
    CW_TRY(check_order(partition, request));
    CW_TRY(check_quota(call.fabric, partition, request));
    CW_TRY_ASSIGN(RegionFile file, check_region_file(request, call.descriptor));
    if (const auto room = take_room(call, request, file); !room) {
        call.descriptor = std::move(file.fd);  // not to be closed here: its memory may go with it
        return room;
    }
    call.fabric.know_inode(file.key);
    if (!partition.pending_region)
        partition.pending_region.emplace().first = request;
    partition.pending_region->files.push_back(std::move(file));
    CAUSEWAY_FAULT_POINT("adapter.register.part_taken");
    return {};
}

std::uint32_t random_generation() {
    std::uint32_t generation = 0;
    while (generation == 0) {
        if (::getrandom(&generation, sizeof generation, 0) < 0 && errno != EINTR)
            generation = 0;
    }
    return generation;
}

// The memory is mapped: the region becomes known. Control thread.
Result<Reply> publish(Fabric& fabric, Partition& partition, const abi::Header& header,
                      const abi::RegisterRequest& request, RegionMemory& memory) {
    auto region = std::make_shared<RegisteredRegion>();
    region->session = partition.session;
    region->registered_bytes = request.size;
    engine::Region& entry = region->entry;
    entry.generation = random_generation();
    entry.network_id = fabric.next_network_id();
    entry.rights = request.rights;
    entry.base = memory.mapping.data();
    entry.length = request.size;
    entry.address = request.address;
    if (!partition.table->insert(entry)) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("the region table of partition {} is full: deregister regions, or "
                                "attach anew",
                                partition.name));
    }
    region->memory = std::move(memory);
    auto reply = control::make_reply<abi::RegisterReply>(header);
    reply.handle = entry.handle;
    reply.generation = entry.generation;
    reply.network_id = entry.network_id;
    fabric.add_region(partition, std::move(region));
    CAUSEWAY_FAULT_POINT("adapter.register.published");
    return Reply::of(reply);
}

// Back on the control thread, with the worker's result.
void finish_register(Fabric& fabric, std::uint32_t session, const abi::Header& header,
                     const abi::RegisterRequest& request, Result<RegionMemory> memory,
                     const std::vector<FileKey>& keys, const LateReply& answer) {
    CAUSEWAY_FAULT_POINT("adapter.register.mapped");
    Partition* partition = fabric.find(session);
    Result<Reply> reply = fail(ErrorCode::peer_gone, "the session has ended");
    if (partition != nullptr) {
        if (memory) {
            reply = publish(fabric, *partition, header, request, *memory);
        } else {
            reply = tl::unexpected(memory.error());
        }
    }
    if (!reply) {
        if (partition != nullptr) {
            partition->usage.bytes -= request.size;
            --partition->usage.regions;
            fabric.give_files(*partition, keys.size());
        }
        fabric.forget_inodes(keys);
        if (memory) {
            fabric.free_memory(std::move(*memory));
        } else {
            fabric.give_mappings(keys.size() + 1);
        }
    }
    answer(std::move(reply));
}

// All parts are there: mapping and populating is the worker's.
Result<void> start_mapping(Call& call, const abi::RegisterRequest& request) {
    Fabric& fabric = call.fabric;
    Partition& partition = *call.partition;
    std::vector<FileKey> keys;
    for (const RegionFile& file : partition.pending_region->files)
        keys.push_back(file.key);
    const std::uint64_t mappings = keys.size() + 1;
    CW_TRY(fabric.take_mappings(mappings));
    std::vector<RegionFile> files = std::move(partition.pending_region->files);
    partition.pending_region.reset();
    partition.usage.bytes += request.size;
    ++partition.usage.regions;
    auto done = [&fabric, inbox = fabric.shared_inbox(), session = partition.session,
                 header = call.header, request, keys = std::move(keys), mappings,
                 answer = call.answer_later()](Result<RegionMemory> memory) {
        if (memory)
            memory->mappings = mappings;
        auto shared = std::make_shared<Result<RegionMemory>>(std::move(memory));
        inbox->post([&fabric, session, header, request, keys, answer, shared] {
            finish_register(fabric, session, header, request, std::move(*shared), keys, answer);
        });
    };
    fabric.worker().post(map_region(std::move(files), std::move(done)));
    return {};
}

Result<std::shared_ptr<RegisteredRegion>> find_region(const Partition& partition,
                                                      const abi::RegionRequest& request) {
    const auto found = partition.regions.find(request.handle);
    if (found == partition.regions.end() || found->second->entry.generation != request.generation) {
        return fail(ErrorCode::not_found,
                    fmt::format("partition {} has no region with handle {} and that generation: it "
                                "was never registered, or is deregistered",
                                partition.name, request.handle));
    }
    return found->second;
}

}  // namespace

Answer register_region(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::RegisterRequest>(call.bytes));
    Result<void> taken = take_part(call, request);
    if (taken && request.part + 1 == request.parts) {
        taken = start_mapping(call, request);
        if (taken)
            return std::nullopt;
    }
    if (!taken) {
        call.fabric.drop_pending_region(*call.partition);
        return tl::unexpected(taken.error());
    }
    return Reply::of(call.reply<abi::RegisterReply>());
}

Answer deregister_region(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::RegionRequest>(call.bytes));
    CW_TRY(find_region(*call.partition, request));
    call.fabric.remove_region(
        *call.partition, request.handle,
        [answer = call.answer_later(), header = call.header] { answer(Reply::empty(header)); });
    return std::nullopt;
}

Answer region_status(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::RegionRequest>(call.bytes));
    CW_TRY_ASSIGN(const auto region, find_region(*call.partition, request));
    auto reply = call.reply<abi::RegionStatusReply>();
    reply.size = region->entry.length;
    reply.append_offset = region->entry.append_offset.load(std::memory_order_relaxed);
    reply.rights = region->entry.rights;
    reply.network_id = region->entry.network_id;
    return Reply::of(reply);
}

}  // namespace causeway::adapter
