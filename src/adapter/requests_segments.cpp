// Named segments: opening one by its name, reading it by copies, letting go of it.
//
// What is checked where: that a partition may open a segment, here; that a reader does not write
// what it has mapped, by the kernel (its descriptor is read-only, and the file nobody else's to
// open); the bounds of a copy, here, for each one.
#include <fmt/format.h>

#include <utility>

#include "adapter/requests.hpp"
#include "base/names.hpp"
#include "config/policy.hpp"
#include "engine/copy.hpp"
#include "platform/fault_guard.hpp"

namespace causeway::adapter {
namespace {

struct Wanted {
    std::string name;
    abi::SegmentAccess access;
};

Result<Wanted> check_open(const abi::OpenSegmentRequest& request) {
    CW_TRY_ASSIGN(std::string name, load_name("segment", request.name));
    const auto access = static_cast<abi::SegmentAccess>(request.access);
    if (request.reserved != 0 ||
        (access != abi::SegmentAccess::read && access != abi::SegmentAccess::write)) {
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("segment '{}': access {} is unknown: read is {}, write {}", name,
                        request.access, static_cast<std::uint32_t>(abi::SegmentAccess::read),
                        static_cast<std::uint32_t>(abi::SegmentAccess::write)));
    }
    return Wanted{std::move(name), access};
}

Result<std::shared_ptr<SegmentRecord>> find_segment(const Fabric& fabric,
                                                    const Partition& partition,
                                                    const Wanted& wanted) {
    auto record = fabric.segment(wanted.name);
    if (!record) {
        return fail(ErrorCode::not_found,
                    fmt::format("no segment '{}' is configured: write [segment.{}] with its size "
                                "and who may have it, and apply it",
                                wanted.name, wanted.name));
    }
    CW_TRY(may_open(record->terms, partition.name, wanted.access));
    return record;
}

// Of a segment that is ready: the descriptor that this partition gets, if any.
Result<platform::UniqueFd> descriptor_for(Fabric& fabric, const Partition& partition,
                                          const SegmentRecord& record, abi::SegmentAccess access) {
    if (access == abi::SegmentAccess::write)
        return duplicate(record.memory->file);
    // Who may write anyway is not kept from it.
    if (config::access_of(record.terms, partition.name) != config::SegmentAccess::write) {
        const std::string why = why_copies(partition.credentials);
        if (!why.empty()) {
            fabric.log()->debug("segment {}: partition {} reads it by copies: {}",
                                record.terms.name, partition.name, why);
            return platform::UniqueFd();
        }
    }
    return open_to_read(record.memory->file);
}

Result<Reply> open_ready(Fabric& fabric, Partition& partition, const abi::Header& header,
                         const Wanted& wanted) {
    CW_TRY_ASSIGN(const auto record, find_segment(fabric, partition, wanted));
    if (record->state == abi::SegmentState::failed)
        return tl::unexpected(record->failure);
    if (record->state != abi::SegmentState::ready)
        return fail(ErrorCode::again, fmt::format("segment '{}' is not ready", wanted.name));
    CW_TRY_ASSIGN(platform::UniqueFd descriptor,
                  descriptor_for(fabric, partition, *record, wanted.access));
    CW_TRY_ASSIGN(SegmentCell * cell, fabric.journal().add<SegmentCell>(partition.session));
    auto reply = control::make_reply<abi::OpenSegmentReply>(header);
    const auto manner = descriptor ? abi::SegmentManner::descriptor : abi::SegmentManner::copies;
    reply.access = static_cast<std::uint32_t>(wanted.access);
    reply.size = record->terms.size;
    reply.manner = static_cast<std::uint32_t>(manner);
    cell->access = reply.access;
    cell->manner = reply.manner;
    cell->size = reply.size;
    cell->memory = record->key;
    (void)store_text(cell->name, record->terms.name);  // its length was checked
    const std::uint32_t id =
        fabric.add_opening(partition, {record, wanted.access, manner, record->key, {}, cell});
    reply.segment = id;
    if (!descriptor)
        return Reply::of(reply);
    return Reply::of(reply, std::move(descriptor),
                     [&fabric, session = partition.session, id](platform::UniqueFd) {
                         if (Partition* const still = fabric.find(session))
                             fabric.close_opening(*still, id);
                     });
}

Result<SegmentOpening*> find_opening(Partition& partition, std::uint32_t id) {
    const auto found = partition.segments.find(id);
    if (found == partition.segments.end()) {
        return fail(ErrorCode::not_found,
                    fmt::format("partition {} has no segment open under number {}: it was never "
                                "opened, or is closed, or was made anew by the next adapter",
                                partition.name, id));
    }
    return &found->second;
}

// Why it is none any more.
Result<void> still_open(const SegmentOpening& opening) {
    if (!opening.ended.empty())
        return fail(ErrorCode::denied, opening.ended);
    const SegmentRecord& record = *opening.segment;
    if (record.state != abi::SegmentState::awaited && !same_file(record.key, opening.key)) {
        return fail(ErrorCode::not_found,
                    fmt::format("segment '{}' was made anew with a new adapter: open it again",
                                record.terms.name));
    }
    return {};
}

struct Copy {
    std::shared_ptr<SegmentMemory> from;
    std::shared_ptr<RegisteredRegion> to;  // the worker frees it after the copy at the earliest
    std::byte* target;
    const std::byte* source;
    std::size_t length;
};

Result<Copy> check_copy(Partition& partition, const abi::CopySegmentRequest& request) {
    CW_TRY_ASSIGN(const SegmentOpening* opening, find_opening(partition, request.segment));
    CW_TRY(still_open(*opening));
    const SegmentRecord& record = *opening->segment;
    if (record.state != abi::SegmentState::ready) {
        return fail(ErrorCode::not_found,
                    fmt::format("segment '{}' is not there any more", record.terms.name));
    }
    if (request.length == 0 || request.length > abi::kMostSegmentCopy) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("a copy of {} bytes: take 1 to {} at a time", request.length,
                                abi::kMostSegmentCopy));
    }
    if (request.length > record.terms.size || request.offset > record.terms.size - request.length) {
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("{} bytes at offset {} go past the end of segment '{}', which has "
                        "{}",
                        request.length, request.offset, record.terms.name, record.terms.size));
    }
    const auto region = partition.regions.find(request.handle);
    if (region == partition.regions.end() ||
        region->second->entry.generation != request.generation) {
        return fail(ErrorCode::not_found,
                    fmt::format("partition {} has no region with handle {} and that generation",
                                partition.name, request.handle));
    }
    const engine::Region& entry = region->second->entry;
    const std::uint64_t at = request.address - entry.address;
    if (request.length > entry.length || at > entry.length - request.length) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} bytes at address {:#x} go past region {}, which has {} at "
                                "{:#x}",
                                request.length, request.address, request.handle, entry.length,
                                entry.address));
    }
    return Copy{record.memory, region->second, entry.base + at,
                record.memory->mapping.data() + request.offset, request.length};
}

// On the worker. Both sides may have holes by now, which the kernel fills; and what it cannot fill
// faults.
Result<void> run_copy(const Copy& copy) {
    platform::FaultInfo fault;
    const bool done = platform::guarded(
        [&] { engine::copy(copy.target, copy.source, copy.length, engine::CopyKernel::cached); },
        fault);
    if (done)
        return {};
    engine::settle_stores();
    return fail(ErrorCode::no_memory,
                "memory of the segment or of the region was taken away meanwhile: write it anew, "
                "or register the region again");
}

void start_copy(Fabric& fabric, std::uint32_t session, const abi::CopySegmentRequest& request,
                Copy copy, const LateReply& answer) {
    auto shared = std::make_shared<Copy>(std::move(copy));
    fabric.offload([&fabric, shared, request, session, answer]() -> std::function<void()> {
        auto copied = std::make_shared<Result<void>>(run_copy(*shared));
        return [&fabric, copied, request, session, answer] {
            Partition* const partition = fabric.find(session);
            if (partition == nullptr)
                return;
            // It may have ended while the copy was under way.
            if (const auto opening = find_opening(*partition, request.segment); *copied && opening)
                *copied = still_open(**opening);
            answer(*copied ? Result<Reply>(Reply::empty(request.header))
                           : Result<Reply>(tl::unexpected(copied->error())));
        };
    });
}

}  // namespace

Answer open_segment(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::OpenSegmentRequest>(call.bytes));
    CW_TRY_ASSIGN(const Wanted wanted, check_open(request));
    Partition& partition = *call.partition;
    CW_TRY_ASSIGN(const auto record, find_segment(call.fabric, partition, wanted));
    if (partition.segments.size() >= kMostOpenings) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("partition {} has {} segments open, as many as it may: close some",
                                partition.name, partition.segments.size()));
    }
    if (record->state == abi::SegmentState::ready) {
        CW_TRY_ASSIGN(Reply reply, open_ready(call.fabric, partition, call.header, wanted));
        return reply;
    }
    if (record->state == abi::SegmentState::failed)
        call.fabric.make_segment_memory(record);
    call.fabric.when_segment_settles(*record, partition.session,
                                     [&fabric = call.fabric, session = partition.session,
                                      header = call.header, wanted, answer = call.answer_later()] {
                                         if (Partition* const still = fabric.find(session))
                                             answer(open_ready(fabric, *still, header, wanted));
                                     });
    return std::nullopt;
}

Answer copy_segment(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::CopySegmentRequest>(call.bytes));
    CW_TRY_ASSIGN(const SegmentOpening* opening, find_opening(*call.partition, request.segment));
    CW_TRY(still_open(*opening));
    if (opening->segment->state == abi::SegmentState::ready) {
        CW_TRY_ASSIGN(Copy copy, check_copy(*call.partition, request));
        start_copy(call.fabric, call.partition->session, request, std::move(copy),
                   call.answer_later());
        return std::nullopt;
    }
    // After a restart: it waits for who brings it back.
    call.fabric.when_segment_settles(*opening->segment, call.partition->session,
                                     [&fabric = call.fabric, session = call.partition->session,
                                      request, answer = call.answer_later()] {
                                         Partition* const still = fabric.find(session);
                                         if (still == nullptr)
                                             return;
                                         auto copy = check_copy(*still, request);
                                         if (copy)
                                             start_copy(fabric, session, request, std::move(*copy),
                                                        answer);
                                         else
                                             answer(tl::unexpected(copy.error()));
                                     });
    return std::nullopt;
}

Answer close_segment(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::SegmentRequest>(call.bytes));
    if (request.reserved != 0)
        return fail(ErrorCode::invalid_argument, "the reserved field must be zero");
    CW_TRY(find_opening(*call.partition, request.segment));
    call.fabric.close_opening(*call.partition, request.segment);
    return Reply::empty(call.header);
}

Answer segment_status(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::SegmentRequest>(call.bytes));
    if (request.reserved != 0)
        return fail(ErrorCode::invalid_argument, "the reserved field must be zero");
    CW_TRY_ASSIGN(const SegmentOpening* opening, find_opening(*call.partition, request.segment));
    CW_TRY(still_open(*opening));
    return Reply::empty(call.header);
}

Answer resume_segment(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::SegmentRequest>(call.bytes));
    if (request.reserved != 0)
        return fail(ErrorCode::invalid_argument, "the reserved field must be zero");
    CW_TRY(call.fabric.resume_opening(*call.partition, request.segment, call.descriptor));
    return Reply::empty(call.header);
}

}  // namespace causeway::adapter
