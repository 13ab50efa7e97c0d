// Stats: rows of one kind, as many as fit one message. A cursor is the number of the next row's
// subject, so a listing stays in step while things come and go.
//
// Queue pairs are asked of the movers that serve them: their rings belong to them.
#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "adapter/stats_page.hpp"
#include "base/names.hpp"
#include "base/version.hpp"
#include "platform/clock.hpp"

namespace causeway::adapter {
namespace {

Reply adapter_rows(const Call& call) {
    Fabric& fabric = call.fabric;
    const View view = call.view();
    abi::AdapterRow row{};
    put(row.version, kVersion);
    row.major = abi::kMajor;
    row.minor = abi::kMinor;
    row.pid = static_cast<std::uint32_t>(::getpid());
    row.uptime_ns = platform::monotonic_ns() - fabric.started_ns();
    row.movers = fabric.mover_count();
    put(row.copy_kernels, fabric.copies().plan.describe());
    const std::string_view from = fabric.copies().source;
    put(row.copies_from,
        from.substr(from.size() - std::min(from.size(), sizeof row.copies_from - 1)));
    if (view.only != nullptr) {
        row.partitions = 1;
        row.queue_pairs = view.only->usage.queue_pairs;
        row.regions = view.only->usage.regions;
        row.registered_bytes = view.only->usage.bytes;
    } else if (view.all) {
        row.partitions = static_cast<std::uint32_t>(fabric.partitions().size());
        row.queue_pairs = static_cast<std::uint32_t>(fabric.queue_pairs().size());
        row.regions = static_cast<std::uint32_t>(fabric.regions().size());
        row.registered_bytes = fabric.registered_bytes();
        const OwnFigures::Figures own = fabric.own_figures();
        row.open_files = static_cast<std::uint32_t>(own.open_files);
        row.mappings = static_cast<std::uint32_t>(own.mappings);
        row.own_bytes = own.memory;
        row.own_bytes_most = fabric.own_memory_most();
        row.refused = fabric.refused();
    }
    return page(call.header, std::vector{row}, 0);
}

void fill_partition(Fabric& fabric, const Partition& partition, abi::PartitionRow& row) {
    put(row.name, partition.name);
    put(row.entrance, partition.entrance_label());
    row.session = partition.session;
    row.pid = static_cast<std::uint32_t>(partition.credentials.pid);
    row.uid = partition.credentials.uid;
    row.regions = partition.usage.regions;
    row.queue_pairs = partition.usage.queue_pairs;
    row.listeners = static_cast<std::uint32_t>(partition.listeners.size());
    row.registered_bytes = partition.usage.bytes;
    const PartitionTotals totals = fabric.totals_of(partition);
    row.operations = totals.adapter.operations;
    row.bytes = totals.adapter.bytes;
    row.mover_ns = totals.adapter.mover_ns;
    row.errors = totals.adapter.errors;
    row.stalls = totals.adapter.stalls;
    row.stall_ns = totals.adapter.stall_ns;
    row.claimed_operations = totals.claimed.operations;
    row.claimed_bytes = totals.claimed.bytes;
    row.claimed_errors = totals.claimed.errors;
    row.claimed_stalls = totals.claimed.stalls;
    row.claimed_stall_ns = totals.claimed.stall_ns;
}

Reply partition_rows(const Call& call, std::uint32_t cursor) {
    std::vector<abi::PartitionRow> rows;
    if (const View view = call.view(); !view.all) {
        if (view.only != nullptr)
            fill_partition(call.fabric, *view.only, rows.emplace_back());
        return page(call.header, rows, 0);
    }
    const std::uint32_t next = collect(call.fabric.partitions(), cursor, rows, kMapKey,
                                       [&](const auto& entry, abi::PartitionRow& row) {
                                           if (entry.second->ending)
                                               return false;
                                           fill_partition(call.fabric, *entry.second, row);
                                           return true;
                                       });
    return page(call.header, rows, next);
}

Reply region_rows(const Call& call, std::uint32_t cursor) {
    std::vector<abi::RegionRow> rows;
    const auto fill = [&](const auto& entry, abi::RegionRow& row) {
        const RegisteredRegion& region = *entry.second;
        const Partition* owner = call.fabric.find(region.session);
        if (owner == nullptr)
            return false;
        put(row.partition, owner->name);
        row.network_id = region.entry.network_id;
        row.handle = region.entry.handle;
        row.rights = region.entry.rights;
        row.size = region.entry.length;
        row.append_offset = region.entry.append_offset.load(std::memory_order_relaxed);
        return true;
    };
    // One's own are numbered by their handles, all of them by their network IDs.
    const View view = call.view();
    std::uint32_t next = 0;
    if (view.all)
        next = collect(call.fabric.regions(), cursor, rows, kMapKey, fill);
    else if (view.only != nullptr)
        next = collect(view.only->regions, cursor, rows, kMapKey, fill);
    return page(call.header, rows, next);
}

// Patterns, as many as there is room for.
void put_list(std::span<char> field, const std::vector<std::string>& patterns) {
    constexpr std::string_view kMore = "...";
    std::string text;
    for (const std::string& pattern : patterns) {
        const std::string next = (text.empty() ? "" : ", ") + pattern;
        if (text.size() + next.size() + 2 + kMore.size() >= field.size()) {
            text += text.empty() ? kMore : std::string(", ").append(kMore);
            break;
        }
        text += next;
    }
    put(field, text);
}

// Of a named entrance: those that its partition may open, whether or not it is attached.
Reply segment_rows(const Call& call, std::uint32_t cursor) {
    std::vector<abi::SegmentRow> rows;
    const bool all = call.view().all;
    const auto fill = [&](const auto& entry, abi::SegmentRow& row) {
        const SegmentRecord& segment = *entry.second;
        if (!all && config::access_of(segment.terms, call.entrance) == config::SegmentAccess::none)
            return false;
        put(row.name, segment.terms.name);
        put_list(row.readers, segment.terms.readers);
        put_list(row.writers, segment.terms.writers);
        row.size = segment.terms.size;
        const SegmentUse use = call.fabric.use_of(segment);
        row.open = use.open;
        row.copies = use.copies;
        row.state = static_cast<std::uint32_t>(segment.state);
        return true;
    };
    const std::uint32_t next = collect(call.fabric.segments(), cursor, rows, kMapKey, fill);
    return page(call.header, rows, next);
}

// Published descriptors from the next one on. Honest ones are contiguous, so that halving finds the
// end; of others the number is wrong, but found as fast.
std::uint32_t published(const shm::DescriptorConsumer& ring) {
    std::uint32_t least = 0;
    std::uint32_t most = ring.entries();
    while (least < most) {
        const std::uint32_t middle = least + (most - least) / 2;
        if (ring.ready(middle)) {
            least = middle + 1;
        } else {
            most = middle;
        }
    }
    return least;
}

// On the thread of the mover that serves the end.
void fill_from_end(End& end, abi::QueuePairRow& row) {
    const engine::Endpoint& endpoint = end.endpoint();
    row.state = static_cast<std::uint32_t>(end.state());
    row.reason = static_cast<std::uint32_t>(end.reason());
    if (row.executor == static_cast<std::uint32_t>(abi::Executor::direct)) {
        // What the partition itself says: nobody else sees it.
        const abi::Tally& tally = end.layout().tally;
        row.outstanding = tally.waiting.load(std::memory_order_relaxed);
        row.receives = tally.posted.load(std::memory_order_relaxed);
        row.operations = tally.operations.load(std::memory_order_relaxed);
        row.bytes = tally.bytes.load(std::memory_order_relaxed);
        row.errors = tally.errors.load(std::memory_order_relaxed);
        row.stalls = tally.stalls.load(std::memory_order_relaxed);
        row.stall_ns = tally.stall_ns.load(std::memory_order_relaxed);
        return;
    }
    row.outstanding = published(endpoint.sends);
    row.receives = published(endpoint.receives);
    row.operations = endpoint.counters.operations.load();
    row.bytes = endpoint.counters.bytes.load();
    row.errors = endpoint.counters.errors.load();
    row.stalls = endpoint.counters.stalls.load();
    row.stall_ns = endpoint.counters.stall_ns.load();
}

struct QueuePairPage {
    std::vector<abi::QueuePairRow> rows;
    std::vector<std::shared_ptr<End>> ends;
    std::uint32_t next = 0;
};

void queue_pair_rows(Call& call, std::uint32_t cursor) {
    Fabric& fabric = call.fabric;
    const View view = call.view();
    auto collected = std::make_shared<QueuePairPage>();
    const auto fill = [&](const QueuePair& pair, abi::QueuePairRow& row) {
        const Partition* owner = fabric.find(pair.session);
        if (owner == nullptr)
            return false;
        const EndOptions& options = pair.end->options();
        put(row.partition, owner->name);
        put(row.peer, pair.peer);
        put(row.service, pair.service);
        put(row.why, pair.why);
        row.id = options.id;
        row.peer_id = pair.peer_id;
        row.executor = static_cast<std::uint32_t>(pair.executor);
        const Mover* serving = pair.end->served_by.load(std::memory_order_acquire);
        row.mover = serving != nullptr ? serving->index() : options.mover;
        collected->ends.push_back(pair.end);
        return true;
    };
    if (view.all) {
        collected->next = collect(
            fabric.queue_pairs(), cursor, collected->rows, kMapKey,
            [&](const auto& entry, abi::QueuePairRow& row) { return fill(entry.second, row); });
    } else if (view.only != nullptr) {
        collected->next = collect(view.only->queue_pairs, cursor, collected->rows, kSetKey,
                                  [&](std::uint32_t id, abi::QueuePairRow& row) {
                                      return fill(*fabric.queue_pair(id), row);
                                  });
    }
    for (std::uint32_t i = 0; i < fabric.mover_count(); ++i) {
        fabric.mover(i).run([collected, i] {
            for (std::size_t row = 0; row < collected->rows.size(); ++row) {
                if (collected->rows[row].mover == i)
                    fill_from_end(*collected->ends[row], collected->rows[row]);
            }
        });
    }
    fabric.after_movers([collected, header = call.header, answer = call.answer_later()] {
        answer(page(header, collected->rows, collected->next));
    });
}

}  // namespace

Answer stats(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::StatsRequest>(call.bytes));
    switch (static_cast<abi::StatsKind>(request.kind)) {
        case abi::StatsKind::adapter:
            return adapter_rows(call);
        case abi::StatsKind::partitions:
            return partition_rows(call, request.cursor);
        case abi::StatsKind::queue_pairs:
            queue_pair_rows(call, request.cursor);
            return std::nullopt;
        case abi::StatsKind::regions:
            return region_rows(call, request.cursor);
        case abi::StatsKind::segments:
            return segment_rows(call, request.cursor);
        case abi::StatsKind::movers:
        case abi::StatsKind::denials:
        case abi::StatsKind::histograms:
            return figures(call, request);
    }
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("stats of kind {}: known are adapter (0), partitions (1), queue pairs "
                    "(2), regions (3), segments (4), movers (5), denials (6) and histograms (7)",
                    request.kind));
}

}  // namespace causeway::adapter
