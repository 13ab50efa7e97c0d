// Stats of how the adapter works: movers, denials, histograms. A cursor counts rows here: these
// listings grow at their end, or all over where a denial is new.
#include <algorithm>

#include "adapter/stats_page.hpp"

namespace causeway::adapter {
namespace {

// Of all rows, which are few, those of the page that `cursor` begins.
template<typename Row>
Reply page_of(const Call& call, const std::vector<Row>& rows, std::uint32_t cursor) {
    const std::size_t from = std::min<std::size_t>(cursor, rows.size());
    const std::size_t to = std::min(from + kMostRows<Row>, rows.size());
    const std::vector<Row> shown(rows.begin() + static_cast<std::ptrdiff_t>(from),
                                 rows.begin() + static_cast<std::ptrdiff_t>(to));
    return page(call.header, shown, to == rows.size() ? 0 : static_cast<std::uint32_t>(to));
}

std::vector<abi::MoverRow> mover_rows(Fabric& fabric) {
    std::vector<abi::MoverRow> rows;
    for (std::uint32_t i = 0; i < fabric.mover_count(); ++i) {
        const Mover& mover = fabric.mover(i);
        const MoverFigures& figures = mover.figures();
        abi::MoverRow& row = rows.emplace_back();
        row.index = i;
        row.load = mover.load();
        row.cpu_ns = mover.cpu_ns();
        row.turns = figures.turns.load();
        row.sleeps = figures.sleeps.load();
        row.wakeups = figures.wakeups.load();
        row.operations = figures.latency.view().count();
        row.bytes = figures.size.view().sum;
        row.given = figures.given.load();
    }
    return rows;
}

std::vector<abi::HistogramRow> histogram_rows(Fabric& fabric) {
    std::vector<abi::HistogramRow> rows;
    const auto add = [&](std::uint32_t mover, abi::Measure measure, const HistogramView& view) {
        abi::HistogramRow& row = rows.emplace_back();
        row.measure = static_cast<std::uint32_t>(measure);
        row.mover = mover;
        row.sum = view.sum;
        std::copy(view.buckets.begin(), view.buckets.end(), row.buckets);
    };
    for (std::uint32_t i = 0; i < fabric.mover_count(); ++i) {
        const MoverFigures& figures = fabric.mover(i).figures();
        add(i, abi::Measure::latency, figures.latency.view());
        add(i, abi::Measure::size, figures.size.view());
    }
    return rows;
}

// Whose: the name of a named entrance's partition, or that of the open entrance: everybody's.
std::vector<abi::DenialRow> denial_rows(const Call& call) {
    std::vector<abi::DenialRow> rows;
    for (const auto& [key, count] : call.fabric.denials().counts()) {
        if (!call.entrance.empty() && key.first != call.entrance)
            continue;
        abi::DenialRow& row = rows.emplace_back();
        put(row.partition, key.first);
        put(row.rule, key.second);
        row.count = count;
    }
    return rows;
}

}  // namespace

Answer figures(const Call& call, const abi::StatsRequest& request) {
    const auto kind = static_cast<abi::StatsKind>(request.kind);
    if (kind == abi::StatsKind::denials)
        return page_of(call, denial_rows(call), request.cursor);
    const bool all = call.view().all;
    if (kind == abi::StatsKind::movers) {
        return page_of(call, all ? mover_rows(call.fabric) : std::vector<abi::MoverRow>(),
                       request.cursor);
    }
    return page_of(call, all ? histogram_rows(call.fabric) : std::vector<abi::HistogramRow>(),
                   request.cursor);
}

}  // namespace causeway::adapter
