// Regions: registering part by part, deregistering, looking at one's own.
#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "adapter/requests.hpp"

#include "base/fault_point.hpp"

namespace causeway::adapter {
namespace {

Result<void> check_quota(const Partition& partition, const abi::RegisterRequest& request) {
    const Quota& quota = partition.terms.quota;
    const Usage& usage = partition.usage;
    if (usage.regions >= quota.max_regions) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("partition {} has {} of at most {} regions: deregister some, or "
                                "configure a larger quota.max_regions",
                                partition.name, usage.regions, quota.max_regions));
    }
    if (request.size > quota.max_bytes || usage.bytes > quota.max_bytes - request.size) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("partition {} has {} bytes registered and wants {} more, of at "
                                "most {}: deregister some, or configure a larger "
                                "quota.max_bytes",
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

// A checked file becomes part of what is pending.
Result<void> keep_part(Call& call, const abi::RegisterRequest& request, RegionFile file) {
    if (const auto room = take_room(call, request, file); !room) {
        call.descriptor = std::move(file.fd);  // not to be closed here: its memory may go with it
        return room;
    }
    call.fabric.know_inode(file.key);
    Partition& partition = *call.partition;
    if (!partition.pending_region)
        partition.pending_region.emplace().first = request;
    partition.pending_region->files.push_back(std::move(file));
    CAUSEWAY_FAULT_POINT("adapter.register.part_taken");
    return {};
}

Result<void> take_part(Call& call, const abi::RegisterRequest& request) {
    Partition& partition = *call.partition;
    if (request.part == 0)
        call.fabric.drop_pending_region(partition);
    CW_TRY(check_register_request(request));
    CW_TRY(check_order(partition, request));
    CW_TRY(check_quota(partition, request));
    CW_TRY_ASSIGN(RegionFile file, check_region_file(request, call.descriptor));
    return keep_part(call, request, std::move(file));
}

std::uint32_t random_generation() {
    std::uint32_t generation = 0;
    while (generation == 0) {
        if (::getrandom(&generation, sizeof generation, 0) < 0 && errno != EINTR)
            generation = 0;
    }
    return generation;
}

// Writes the region down. Freed again by the caller where something else fails.
Result<std::vector<RegionFilesCell*>> journal_files(Journal& journal, std::uint32_t session,
                                                    const std::vector<RegionFile>& files) {
    std::vector<RegionFilesCell*> cells;
    for (std::size_t first = 0; first < files.size(); first += RegionFilesCell::kMost) {
        auto added = journal.add<RegionFilesCell>(session);
        if (!added) {
            for (RegionFilesCell* cell : cells)
                journal.free(cell);
            return tl::unexpected(added.error());
        }
        RegionFilesCell& cell = **added;
        cells.push_back(&cell);
        cell.first = static_cast<std::uint32_t>(first);
        while (cell.count < RegionFilesCell::kMost && first + cell.count < files.size()) {
            cell.inodes[cell.count] = files[first + cell.count].key.inode;
            ++cell.count;
        }
    }
    return cells;
}

void journal_region(RegisteredRegion& region, const abi::RegisterRequest& request) {
    RegionCell& cell = *region.cell;
    cell.handle = region.entry.handle;
    cell.generation = region.entry.generation;
    cell.network_id = region.entry.network_id;
    cell.rights.store(request.rights, std::memory_order_relaxed);
    cell.size = request.size;
    cell.address = request.address;
    cell.device = region.memory.files.front().key.device;
    cell.parts = request.parts;
    for (RegionFilesCell* files : region.file_cells) {
        files->handle = cell.handle;
        Journal::publish(files);
    }
    Journal::publish(&cell);
}

// The memory is mapped: the region becomes known. Control thread.
Result<Reply> publish(Fabric& fabric, Partition& partition, const abi::Header& header,
                      const abi::RegisterRequest& request, RegionMemory& memory) {
    CW_TRY_ASSIGN(RegionCell * cell, fabric.journal().add<RegionCell>(partition.session));
    auto files = journal_files(fabric.journal(), partition.session, memory.files);
    if (!files) {
        fabric.journal().free(cell);
        return tl::unexpected(files.error());
    }
    auto region = std::make_shared<RegisteredRegion>(*cell);
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
        fabric.journal().free(cell);
        for (RegionFilesCell* file : *files)
            fabric.journal().free(file);
        return fail(ErrorCode::limit_reached,
                    fmt::format("the region table of partition {} is full: deregister regions, or "
                                "attach anew",
                                partition.name));
    }
    region->memory = std::move(memory);
    region->file_cells = std::move(*files);
    partition.cell->handle_uses = std::max(partition.cell->handle_uses, (entry.handle >> 16) + 1);
    journal_region(*region, request);
    auto reply = control::make_reply<abi::RegisterReply>(header);
    reply.handle = entry.handle;
    reply.generation = entry.generation;
    reply.network_id = entry.network_id;
    fabric.add_region(partition, std::move(region));
    CAUSEWAY_FAULT_POINT("adapter.register.published");
    return Reply::of(reply);
}

// The same for one that the journal knows: under its old handle.
Result<Reply> publish_again(Fabric& fabric, Partition& partition, const abi::Header& header,
                            std::uint32_t handle, RegionMemory& memory) {
    RegionCell* const cell = partition.resuming->regions.extract(handle).mapped();
    auto region = std::make_shared<RegisteredRegion>(*cell);
    if (auto files = partition.resuming->region_files.extract(handle))
        region->file_cells = std::move(files.mapped());
    region->session = partition.session;
    region->registered_bytes = cell->size;
    region->granted = cell->granted.load(std::memory_order_relaxed) != 0;
    engine::Region& entry = region->entry;
    entry.handle = cell->handle;
    entry.generation = cell->generation;
    entry.network_id = cell->network_id;
    entry.rights = cell->rights.load(std::memory_order_relaxed);
    entry.base = memory.mapping.data();
    entry.length = cell->size;
    entry.address = cell->address;
    region->memory = std::move(memory);
    if (!partition.table->place(entry))
        return fail(ErrorCode::not_found, "the journal holds a handle that there cannot be");
    fabric.add_region(partition, std::move(region));
    return Reply::empty(header);
}

// Back on the control thread, with the worker's result.
void finish_register(Fabric& fabric, std::uint32_t session, const abi::Header& header,
                     const abi::RegisterRequest& request, std::uint32_t known,
                     Result<RegionMemory> memory, const std::vector<FileKey>& keys,
                     const LateReply& answer) {
    CAUSEWAY_FAULT_POINT("adapter.register.mapped");
    Partition* partition = fabric.find(session);
    Result<Reply> reply = fail(ErrorCode::peer_gone, "the session has ended");
    if (partition != nullptr) {
        if (memory) {
            reply = known != 0 ? publish_again(fabric, *partition, header, known, *memory)
                               : publish(fabric, *partition, header, request, *memory);
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
    const std::uint32_t known = partition.pending_region->known;
    const std::uint64_t mappings = keys.size() + 1;
    CW_TRY(fabric.take_mappings(mappings));
    std::vector<RegionFile> files = std::move(partition.pending_region->files);
    partition.pending_region.reset();
    partition.usage.bytes += request.size;
    ++partition.usage.regions;
    auto done = [&fabric, inbox = fabric.shared_inbox(), session = partition.session,
                 header = call.header, request, known, keys = std::move(keys), mappings,
                 answer = call.answer_later()](Result<RegionMemory> memory) {
        if (memory)
            memory->mappings = mappings;
        auto shared = std::make_shared<Result<RegionMemory>>(std::move(memory));
        inbox->post([&fabric, session, header, request, known, keys, answer, shared] {
            finish_register(fabric, session, header, request, known, std::move(*shared), keys,
                            answer);
        });
    };
    fabric.worker().post(map_region(std::move(files), std::move(done)));
    return {};
}

// What was registered, as the journal knows it, if `request` is about the next part of it.
Result<abi::RegisterRequest> expected_part(Call& call, const abi::ResumeRegionRequest& request) {
    Partition& partition = *call.partition;
    const auto& expected = partition.resuming->regions;
    const auto found = expected.find(request.handle);
    if (request.reserved != 0 || found == expected.end() ||
        found->second->generation != request.generation ||
        call.fabric.regions().count(found->second->network_id) != 0) {
        return fail(ErrorCode::not_found,
                    fmt::format("the journal knows no region with handle {} and that generation "
                                "of partition {}",
                                request.handle, partition.name));
    }
    const RegionCell& cell = *found->second;
    auto as_registered = control::make<abi::RegisterRequest>(abi::Request::register_region);
    as_registered.size = cell.size;
    as_registered.address = cell.address;
    as_registered.rights = cell.rights.load(std::memory_order_relaxed);
    as_registered.part = request.part;
    as_registered.parts = cell.parts;
    return as_registered;
}

// The inode that the journal knows for this part.
Result<std::uint64_t> expected_inode(const Estate& estate, std::uint32_t handle,
                                     std::uint32_t part) {
    const auto found = estate.region_files.find(handle);
    if (found != estate.region_files.end()) {
        for (const RegionFilesCell* cell : found->second) {
            if (part - cell->first < std::min(cell->count, RegionFilesCell::kMost))
                return cell->inodes[part - cell->first];
        }
    }
    return fail(ErrorCode::not_found, fmt::format("the journal knows no part {} of it", part));
}

Result<void> take_known_part(Call& call, const abi::ResumeRegionRequest& request,
                             const abi::RegisterRequest& as_registered) {
    Partition& partition = *call.partition;
    if (request.part == 0)
        call.fabric.drop_pending_region(partition);
    CW_TRY(check_register_request(as_registered));
    CW_TRY(check_order(partition, as_registered));
    CW_TRY(check_quota(partition, as_registered));
    CW_TRY_ASSIGN(const std::uint64_t inode,
                  expected_inode(*partition.resuming, request.handle, request.part));
    CW_TRY_ASSIGN(RegionFile file, check_region_file(as_registered, call.descriptor));
    const std::uint64_t device = partition.resuming->regions.at(request.handle)->device;
    if (file.key.inode != inode || file.key.device != device) {
        call.descriptor = std::move(file.fd);
        return fail(
            ErrorCode::denied,
            fmt::format("part {} is not the memory file that was registered", request.part));
    }
    CW_TRY(keep_part(call, as_registered, std::move(file)));
    partition.pending_region->known = request.handle;
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

// One part of a region that the journal knows.
Answer resume_region(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::ResumeRegionRequest>(call.bytes));
    CW_TRY_ASSIGN(const abi::RegisterRequest as_registered, expected_part(call, request));
    Result<void> taken = take_known_part(call, request, as_registered);
    if (taken && request.part + 1 == as_registered.parts) {
        taken = start_mapping(call, as_registered);
        if (taken)
            return std::nullopt;
    }
    if (!taken) {
        call.fabric.drop_pending_region(*call.partition);
        return tl::unexpected(taken.error());
    }
    return Reply::empty(call.header);
}

Answer deregister_region(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::RegionRequest>(call.bytes));
    CW_TRY_ASSIGN(const auto region, find_region(*call.partition, request));
    auto reply = call.reply<abi::DeregisterReply>();
    reply.granted = region->granted ? 1 : 0;
    call.fabric.remove_region(*call.partition, request.handle,
                              [answer = call.answer_later(), reply] { answer(Reply::of(reply)); });
    return std::nullopt;
}

// Takes rights away. A mover looks at them once per piece: the answer waits until each of them has
// come to its next one.
Answer narrow_region(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::NarrowRegionRequest>(call.bytes));
    CW_TRY_ASSIGN(
        const auto region,
        find_region(*call.partition,
                    {.header = {}, .handle = request.handle, .generation = request.generation}));
    const std::uint32_t before = region->entry.rights.load(std::memory_order_relaxed);
    if (request.reserved != 0 || (request.rights & ~before) != 0) {
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("region {} has rights {:#x} and cannot be narrowed to {:#x}: rights "
                        "can only be taken away",
                        request.handle, before, request.rights));
    }
    const std::uint32_t gone = before & ~request.rights;
    if ((gone & abi::right::kExportable) != 0 && (request.rights & abi::right::kAppend) != 0) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("region {} is a log of records because it is exportable: take the "
                                "right to append away, too",
                                request.handle));
    }
    region->entry.rights.store(request.rights, std::memory_order_relaxed);
    region->cell->rights.store(request.rights, std::memory_order_relaxed);
    if (region->granted)
        call.fabric.count_revocation(*call.partition);
    auto reply = call.reply<abi::DeregisterReply>();
    reply.granted = region->granted ? 1 : 0;
    call.fabric.after_movers([answer = call.answer_later(), reply] { answer(Reply::of(reply)); });
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
