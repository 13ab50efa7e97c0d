#include "see/rates.hpp"

#include <map>

namespace causeway::cli {
namespace {

// Counters that went down have begun anew.
Rate per_second(std::uint64_t before, std::uint64_t now, double seconds, double scale = 1) {
    if (now < before)
        return std::nullopt;
    return static_cast<double>(now - before) * scale / seconds;
}

constexpr double kPerNs = 1e-9;

template<typename Row, typename Key>
std::map<std::uint32_t, const Row*> index(const std::vector<Row>& rows, Key key) {
    std::map<std::uint32_t, const Row*> found;
    for (const Row& row : rows)
        found[key(row)] = &row;
    return found;
}

PartitionRates compare(const abi::PartitionRow& was, const abi::PartitionRow& is, double s) {
    PartitionRates rates;
    rates.operations = per_second(was.operations, is.operations, s);
    rates.bytes = per_second(was.bytes, is.bytes, s);
    rates.errors = per_second(was.errors, is.errors, s);
    rates.stalls = per_second(was.stalls, is.stalls, s);
    rates.stalled = per_second(was.stall_ns, is.stall_ns, s, kPerNs);
    rates.moving = per_second(was.mover_ns, is.mover_ns, s, kPerNs);
    rates.claimed_operations = per_second(was.claimed_operations, is.claimed_operations, s);
    rates.claimed_bytes = per_second(was.claimed_bytes, is.claimed_bytes, s);
    rates.claimed_stalls = per_second(was.claimed_stalls, is.claimed_stalls, s);
    return rates;
}

PairRates compare(const abi::QueuePairRow& was, const abi::QueuePairRow& is, double s) {
    PairRates rates;
    rates.operations = per_second(was.operations, is.operations, s);
    rates.bytes = per_second(was.bytes, is.bytes, s);
    rates.errors = per_second(was.errors, is.errors, s);
    rates.stalls = per_second(was.stalls, is.stalls, s);
    rates.stalled = per_second(was.stall_ns, is.stall_ns, s, kPerNs);
    return rates;
}

MoverRates compare(const abi::MoverRow& was, const abi::MoverRow& is, double s) {
    MoverRates rates;
    rates.cpu = per_second(was.cpu_ns, is.cpu_ns, s, kPerNs);
    rates.operations = per_second(was.operations, is.operations, s);
    rates.wakeups = per_second(was.wakeups, is.wakeups, s);
    return rates;
}

template<typename Rated, typename Row, typename Key>
std::vector<Rated> compare_all(const std::vector<Row>* before, const std::vector<Row>& now,
                               double seconds, Key key) {
    std::map<std::uint32_t, const Row*> were;
    if (before != nullptr)
        were = index(*before, key);
    std::vector<Rated> all;
    for (const Row& row : now) {
        const auto was = were.find(key(row));
        all.push_back(was == were.end() ? Rated{} : compare(*was->second, row, seconds));
        all.back().row = row;
    }
    return all;
}

}  // namespace

Rates rates_between(const Sample* before, const Sample& now) {
    Rates rates;
    rates.adapter = now.adapter;
    rates.latency = distribution_of(now.histograms, abi::Measure::latency);
    rates.size = distribution_of(now.histograms, abi::Measure::size);
    for (const abi::DenialRow& row : now.denials)
        rates.denied += row.count;
    // Another adapter: nothing of the last one's goes on.
    if (before != nullptr && (before->adapter.pid != now.adapter.pid ||
                              before->adapter.uptime_ns >= now.adapter.uptime_ns))
        before = nullptr;
    if (before != nullptr && now.at_ns > before->at_ns) {
        rates.seconds = static_cast<double>(now.at_ns - before->at_ns) * kPerNs;
        rates.latency =
            rates.latency.since(distribution_of(before->histograms, abi::Measure::latency));
        rates.size = rates.size.since(distribution_of(before->histograms, abi::Measure::size));
    } else {
        before = nullptr;
    }
    const double s = rates.seconds;
    rates.partitions = compare_all<PartitionRates>(
        before != nullptr ? &before->partitions : nullptr, now.partitions, s,
        [](const abi::PartitionRow& row) { return row.session; });
    rates.pairs =
        compare_all<PairRates>(before != nullptr ? &before->queue_pairs : nullptr, now.queue_pairs,
                               s, [](const abi::QueuePairRow& row) { return row.id; });
    rates.movers =
        compare_all<MoverRates>(before != nullptr ? &before->movers : nullptr, now.movers, s,
                                [](const abi::MoverRow& row) { return row.index; });
    for (PartitionRates& partition : rates.partitions) {
        const auto is = now.cpu_ns.find(partition.row.pid);
        if (before == nullptr || is == now.cpu_ns.end())
            continue;
        if (const auto was = before->cpu_ns.find(partition.row.pid); was != before->cpu_ns.end())
            partition.cpu = per_second(was->second, is->second, s, kPerNs);
    }
    return rates;
}

}  // namespace causeway::cli
