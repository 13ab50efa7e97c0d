// Segments of the fabric: made, changed, removed, and their openings; and how they come back after
// a restart.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapter/fabric.hpp"
#include "platform/limits.hpp"

namespace causeway::adapter {
namespace {

// Each has its file and its mapping.
constexpr std::uint64_t kPerSegment = 1;

[[nodiscard]] const config::Segment* find_in(const std::vector<config::Segment>& segments,
                                             const std::string& name) {
    const auto found = std::find_if(segments.begin(), segments.end(),
                                    [&](const auto& segment) { return segment.name == name; });
    return found == segments.end() ? nullptr : &*found;
}

[[nodiscard]] bool brings(const Estate& estate, const config::Segment& terms) {
    return std::any_of(estate.segments.begin(), estate.segments.end(), [&](const auto& entry) {
        const SegmentCell& cell = *entry.second;
        return terms.name == cell.name && cell.size == terms.size &&
               cell.manner == static_cast<std::uint32_t>(abi::SegmentManner::descriptor);
    });
}

}  // namespace

std::shared_ptr<SegmentRecord> Fabric::segment(std::string_view name) const {
    const auto found = std::find_if(segments_.begin(), segments_.end(), [&](const auto& entry) {
        return entry.second->terms.name == name;
    });
    return found == segments_.end() ? nullptr : found->second;
}

SegmentUse Fabric::use_of(const SegmentRecord& segment) const {
    SegmentUse use;
    for (const auto& [session, partition] : partitions_) {
        bool open = false;
        bool mapped = false;
        for (const auto& [id, opening] : partition->segments) {
            if (opening.segment.get() != &segment || !opening.ended.empty())
                continue;
            open = true;
            mapped |= opening.manner == abi::SegmentManner::descriptor;
        }
        use.open += open ? 1 : 0;
        use.copies += open && !mapped ? 1 : 0;
    }
    return use;
}

// Is somebody of the last daemon still to come who had it?
bool Fabric::segment_comes(const config::Segment& terms) const {
    return std::any_of(estates_.begin(), estates_.end(),
                       [&](const auto& entry) { return brings(*entry.second, terms); }) ||
           std::any_of(partitions_.begin(), partitions_.end(), [&](const auto& entry) {
               return entry.second->resuming && brings(*entry.second->resuming, terms);
           });
}

// ---- what is configured

Result<void> Fabric::check_segment_change(const std::vector<config::Segment>& segments) const {
    CW_TRY(check_segments(segments));
    std::uint64_t bytes = 0;
    std::uint64_t count = 0;
    for (const config::Segment& wanted : segments) {
        const std::shared_ptr<SegmentRecord> there = segment(wanted.name);
        if (there && there->terms.size == wanted.size)
            continue;
        if (there && (use_of(*there).open != 0 || segment_comes(there->terms))) {
            return fail(ErrorCode::wrong_state,
                        fmt::format("segment '{}' has {} bytes and cannot get {} while {} "
                                    "partitions have it open: end those first, or take another "
                                    "name for the new one",
                                    wanted.name, there->terms.size, wanted.size,
                                    std::max(use_of(*there).open, 1U)));
        }
        bytes += wanted.size;
        ++count;
    }
    const auto headroom = platform::memory_headroom();
    if (headroom && bytes > *headroom) {
        return fail(ErrorCode::no_memory,
                    fmt::format("{} new segments of {} bytes in all, but the memory limit of the "
                                "adapter's cgroup leaves {}: raise it, or make them smaller",
                                count, bytes, *headroom));
    }
    return {};
}

Result<void> Fabric::set_segments(std::vector<config::Segment> segments) {
    CW_TRY(check_segment_change(segments));
    std::vector<std::shared_ptr<SegmentRecord>> gone;
    for (const auto& [number, record] : segments_) {
        const config::Segment* wanted = find_in(segments, record->terms.name);
        if (wanted == nullptr || wanted->size != record->terms.size)
            gone.push_back(record);
    }
    for (const auto& record : gone)
        remove_segment(record);
    for (config::Segment& wanted : segments) {
        if (const auto record = segment(wanted.name)) {
            if (record->terms != wanted) {
                record->terms = std::move(wanted);
                narrow_openings(*record);
            }
            continue;
        }
        CW_TRY(add_segment(std::move(wanted)));
    }
    return {};
}

Result<void> Fabric::add_segment(config::Segment terms) {
    if (files_short()) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("segment '{}': the adapter has {} of {} descriptors open: raise "
                                "its limit (ulimit -n)",
                                terms.name, files_, options_.max_files));
    }
    CW_TRY(take_mappings(kPerSegment));
    files_ += kPerSegment;
    auto record = std::make_shared<SegmentRecord>();
    record->terms = std::move(terms);
    record->number = next_id(last_segment_, segments_);
    segments_.emplace(record->number, record);
    if (segment_comes(record->terms)) {
        record->state = abi::SegmentState::awaited;
        log_->info("segment {}: waits for the partitions that have it", record->terms.name);
    } else {
        make_segment_memory(record);
    }
    return {};
}

void Fabric::make_segment_memory(const std::shared_ptr<SegmentRecord>& record) {
    record->state = abi::SegmentState::making;
    if (!record->memory)
        record->memory = std::make_shared<SegmentMemory>();
    auto done = [this, record, inbox = inbox_](Result<void> made) {
        auto shared = std::make_shared<Result<void>>(std::move(made));
        inbox->post([this, record, shared] {
            if (record->removed)
                return;
            record->state = *shared ? abi::SegmentState::ready : abi::SegmentState::failed;
            if (*shared) {
                record->key = record->memory->key;
            } else {
                record->failure = shared->error();
                log_->error("segment {} of {} bytes cannot be made: {}", record->terms.name,
                            record->terms.size, shared->error().text);
            }
            tell_waiting(*record);
        });
    };
    worker_.post(
        make_segment(record->terms.name, record->terms.size, record->memory, std::move(done)));
}

void Fabric::when_segment_settles(SegmentRecord& record, std::uint32_t session,
                                  std::function<void()> then) {
    record.waiting[session] = std::move(then);
}

void Fabric::tell_waiting(SegmentRecord& record) {
    for (const auto& [session, then] : std::exchange(record.waiting, {}))
        then();
}

void Fabric::remove_segment(const std::shared_ptr<SegmentRecord>& record) {
    record->removed = true;
    segments_.erase(record->number);
    for (const auto& [session, partition] : partitions_) {
        for (auto& [id, opening] : partition->segments) {
            if (opening.segment == record) {
                end_opening(*partition, opening,
                            fmt::format("segment '{}' was taken out of the configuration",
                                        record->terms.name));
            }
        }
    }
    tell_waiting(*record);
    // Its memory goes with the last copy that is under way, not on this thread.
    auto memory = std::make_shared<std::shared_ptr<SegmentMemory>>(std::move(record->memory));
    offload([this, memory]() -> std::function<void()> {
        memory->reset();
        return [this] {
            give_mappings(kPerSegment);
            files_ -= kPerSegment;
        };
    });
}

// Who may not have any more what it has.
void Fabric::narrow_openings(const SegmentRecord& record) {
    for (const auto& [session, partition] : partitions_) {
        for (auto& [id, opening] : partition->segments) {
            if (opening.segment.get() != &record || !opening.ended.empty())
                continue;
            if (const auto allowed = may_open(record.terms, partition->name, opening.access);
                !allowed)
                end_opening(*partition, opening, allowed.error().text);
        }
    }
}

// ---- openings

std::uint32_t Fabric::add_opening(Partition& partition, SegmentOpening opening) {
    const std::uint32_t id = next_id(partition.last_segment, partition.segments);
    if (opening.cell != nullptr) {
        opening.cell->id = id;
        Journal::publish(opening.cell);
    }
    partition.segments.emplace(id, std::move(opening));
    return id;
}

void Fabric::end_opening(Partition& partition, SegmentOpening& opening, std::string why) {
    if (!opening.ended.empty())
        return;
    opening.ended = std::move(why);
    journal_->free(std::exchange(opening.cell, nullptr));
    if (partition.events && !partition.ending)
        partition.events->ring(static_cast<std::uint32_t>(abi::DoorbellEvent::segment_changed));
}

void Fabric::close_opening(Partition& partition, std::uint32_t id) {
    auto node = partition.segments.extract(id);
    if (!node.empty())
        journal_->free(node.mapped().cell);
}

void Fabric::close_openings(Partition& partition) {
    for (auto& [id, opening] : std::exchange(partition.segments, {}))
        journal_->free(opening.cell);
    for (const auto& [number, record] : segments_)
        record->waiting.erase(partition.session);
}

// ---- after a restart

Result<void> Fabric::resume_opening(Partition& partition, std::uint32_t id,
                                    const platform::UniqueFd& file) {
    const auto found = partition.resuming->segments.find(id);
    if (found == partition.resuming->segments.end()) {
        return fail(ErrorCode::not_found,
                    fmt::format("the journal knows no opening {} of a segment of partition {}", id,
                                partition.name));
    }
    SegmentCell* const cell = found->second;
    const std::shared_ptr<SegmentRecord> record = segment(cell->name);
    if (!record || record->terms.size != cell->size) {
        return fail(ErrorCode::not_found,
                    fmt::format("segment '{}' of {} bytes is not configured any more", cell->name,
                                cell->size));
    }
    const auto access = static_cast<abi::SegmentAccess>(cell->access);
    CW_TRY(may_open(record->terms, partition.name, access));
    if (record->state != abi::SegmentState::awaited && !same_file(record->key, cell->memory)) {
        return fail(ErrorCode::not_found,
                    fmt::format("segment '{}' was made anew meanwhile: open it again", cell->name));
    }
    CW_TRY_ASSIGN(auto memory, take_back_segment(file, cell->memory, cell->size));
    partition.resuming->segments.erase(found);
    partition.segments.emplace(
        id,
        SegmentOpening{
            record, access, static_cast<abi::SegmentManner>(cell->manner), cell->memory, {}, cell});
    if (record->state == abi::SegmentState::awaited) {
        record->memory = std::move(memory);
        record->key = cell->memory;
        make_segment_memory(record);
    }
    return {};
}

// Of those that it reads by copies it has nothing to bring. What it did not bring of the others it
// has closed meanwhile.
void Fabric::resume_copies(Partition& partition) {
    for (const auto& [id, cell] : std::exchange(partition.resuming->segments, {})) {
        const std::shared_ptr<SegmentRecord> record = segment(cell->name);
        const bool copies = cell->manner == static_cast<std::uint32_t>(abi::SegmentManner::copies);
        const auto access = static_cast<abi::SegmentAccess>(cell->access);
        if (!record || !copies || record->terms.size != cell->size ||
            !may_open(record->terms, partition.name, access)) {
            journal_->free(cell);
            continue;
        }
        partition.segments.emplace(
            id, SegmentOpening{record, access, abi::SegmentManner::copies, cell->memory, {}, cell});
    }
}

// Those for which nobody comes any more are made anew.
void Fabric::settle_segments() {
    for (const auto& [number, record] : segments_) {
        if (record->state != abi::SegmentState::awaited || segment_comes(record->terms))
            continue;
        log_->warn("segment {}: nobody has brought it back: it begins empty", record->terms.name);
        make_segment_memory(record);
    }
}

}  // namespace causeway::adapter
