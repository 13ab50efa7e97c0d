// The text of one refresh of `causeway top`.
#include <fmt/format.h>

#include <ctime>

#include "see/view.hpp"
#include "stats.hpp"
#include "text.hpp"

namespace causeway::cli {
namespace {

constexpr char kHelp[] =
    "keys: P cpu, T throughput, N name, S stalls, < > next sort; v partitions or queue pairs;\n"
    "      space refreshes, h this help, q quits. CPU: 100% is one processor. *: as the partition\n"
    "      itself says (executor direct), which nobody has checked.\n";

std::string number(const Rate& rate) {
    if (!rate)
        return "-";
    if (*rate >= 9'999'500)
        return fmt::format("{:.1f}M", *rate / 1e6);
    if (*rate >= 99'950)
        return fmt::format("{:.0f}k", *rate / 1e3);
    return fmt::format("{:.{}f}", *rate, *rate != 0 && *rate < 9.95 ? 1 : 0);
}

std::string percent(const Rate& rate) { return rate ? fmt::format("{:.1f}", *rate * 100) : "-"; }

std::string bytes(const Rate& rate) {
    return rate ? human_bytes(static_cast<std::uint64_t>(*rate)) : "-";
}

std::string uptime(std::uint64_t ns) {
    const std::uint64_t minutes = ns / 60'000'000'000;
    if (minutes < 1)
        return fmt::format("{} s", ns / 1'000'000'000);
    if (minutes < 24 * 60)
        return fmt::format("{}:{:02} h", minutes / 60, minutes % 60);
    return fmt::format("{} days {}:{:02} h", minutes / (24 * 60), minutes / 60 % 24, minutes % 60);
}

std::string clock_text() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::localtime_r(&now, &parts);
    return fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string head(const Rates& rates) {
    std::string text = fmt::format("causeway top - {}  adapter {}, process {}, up {}\n",
                                   clock_text(), array_text(rates.adapter.version),
                                   rates.adapter.pid, uptime(rates.adapter.uptime_ns));
    Rate operations;
    Rate moved;
    for (const PartitionRates& row : rates.partitions) {
        if (row.operations)
            operations = operations.value_or(0) + *row.operations;
        if (row.bytes)
            moved = moved.value_or(0) + *row.bytes;
    }
    text += fmt::format(
        "{} partitions, {} queue pairs; adapter moves {} operations/s, {}/s; {} denied, {} "
        "refused\n",
        rates.adapter.partitions, rates.adapter.queue_pairs, number(operations), bytes(moved),
        rates.denied, rates.adapter.refused);
    if (!rates.movers.empty()) {
        text += "movers ";
        for (const MoverRates& mover : rates.movers) {
            text +=
                fmt::format(" {}: {}% cpu {} ops/s {} wake/s;", mover.row.index, percent(mover.cpu),
                            number(mover.operations), number(mover.wakeups));
        }
        text.back() = '\n';
    }
    if (rates.latency.count() != 0) {
        text += fmt::format("latency p50 {}, p99 {}, max {}; size p50 {}, p99 {} (at most)\n",
                            human_ns(rates.latency.quantile(0.5)),
                            human_ns(rates.latency.quantile(0.99)), human_ns(rates.latency.max()),
                            human_bytes(rates.size.quantile(0.5)),
                            human_bytes(rates.size.quantile(0.99)));
    }
    return text;
}

// What the adapter counted, and what the partition claims beside it.
std::string with_claim(const std::string& counted, const Rate& claim, const std::string& claimed) {
    return claim && *claim > 0 ? counted + "+" + claimed + "*" : counted;
}

std::string partitions_table(const Rates& rates) {
    using enum Table::Align;
    Table table({{"PARTITION", left},
                 {"PID", right},
                 {"%CPU", right},
                 {"%MOVER", right},
                 {"OPS/S", right},
                 {"BYTES/S", right},
                 {"STALLS/S", right},
                 {"%STALLED", right},
                 {"ERR/S", right},
                 {"PAIRS", right},
                 {"MEMORY", right},
                 {"ENTRANCE", left}});
    for (const PartitionRates& it : rates.partitions) {
        table.add({std::string(array_text(it.row.name)), std::to_string(it.row.pid),
                   percent(it.cpu), percent(it.moving),
                   with_claim(number(it.operations), it.claimed_operations,
                              number(it.claimed_operations)),
                   with_claim(bytes(it.bytes), it.claimed_bytes, bytes(it.claimed_bytes)),
                   with_claim(number(it.stalls), it.claimed_stalls, number(it.claimed_stalls)),
                   percent(it.stalled), number(it.errors), std::to_string(it.row.queue_pairs),
                   human_bytes(it.row.registered_bytes), std::string(array_text(it.row.entrance))});
    }
    return table.text();
}

std::string or_dash(std::string_view text) { return text.empty() ? "-" : std::string(text); }

std::string pairs_table(const Rates& rates) {
    using enum Table::Align;
    Table table({{"PARTITION", left},
                 {"PEER", left},
                 {"SERVICE", left},
                 {"EXECUTOR", left},
                 {"STATE", left},
                 {"OPS/S", right},
                 {"BYTES/S", right},
                 {"STALLS/S", right},
                 {"%STALLED", right},
                 {"ERR/S", right},
                 {"OUT", right},
                 {"RECV", right}});
    for (const PairRates& it : rates.pairs) {
        const bool claimed = it.row.executor == static_cast<std::uint32_t>(abi::Executor::direct);
        const char* const mark = claimed ? "*" : "";
        table.add({or_dash(array_text(it.row.partition)), or_dash(array_text(it.row.peer)),
                   or_dash(array_text(it.row.service)),
                   std::string(executor_name(it.row.executor)) + mark,
                   std::string(state_name(it.row.state)), number(it.operations), bytes(it.bytes),
                   number(it.stalls), percent(it.stalled), number(it.errors),
                   std::to_string(it.row.outstanding), std::to_string(it.row.receives)});
    }
    return table.text();
}

// Cut to the terminal: the last line is left empty, so that nothing scrolls.
std::string fit(const std::string& text, const View& view) {
    if (view.columns == 0)
        return text;
    std::string out;
    std::size_t lines = 0;
    for (std::size_t at = 0; at < text.size() && lines + 1 < view.lines; ++lines) {
        const std::size_t end = text.find('\n', at);
        out += text.substr(at, std::min(end - at, view.columns)) + '\n';
        at = end + 1;
    }
    return out;
}

json rate_json(const Rate& rate) { return rate ? json(*rate) : json(nullptr); }

json partition_json(const PartitionRates& it) {
    return {{"name", array_text(it.row.name)},
            {"entrance", array_text(it.row.entrance)},
            {"pid", it.row.pid},
            {"cpu", rate_json(it.cpu)},
            {"mover_cpu", rate_json(it.moving)},
            {"operations_per_s", rate_json(it.operations)},
            {"bytes_per_s", rate_json(it.bytes)},
            {"errors_per_s", rate_json(it.errors)},
            {"stalls_per_s", rate_json(it.stalls)},
            {"stalled", rate_json(it.stalled)},
            {"claimed_operations_per_s", rate_json(it.claimed_operations)},
            {"claimed_bytes_per_s", rate_json(it.claimed_bytes)},
            {"claimed_stalls_per_s", rate_json(it.claimed_stalls)},
            {"queue_pairs", it.row.queue_pairs},
            {"registered_bytes", it.row.registered_bytes}};
}

json pair_json(const PairRates& it) {
    return {
        {"partition", array_text(it.row.partition)}, {"peer", array_text(it.row.peer)},
        {"service", array_text(it.row.service)},     {"executor", executor_name(it.row.executor)},
        {"state", state_name(it.row.state)},         {"operations_per_s", rate_json(it.operations)},
        {"bytes_per_s", rate_json(it.bytes)},        {"errors_per_s", rate_json(it.errors)},
        {"stalls_per_s", rate_json(it.stalls)},      {"stalled", rate_json(it.stalled)},
        {"outstanding", it.row.outstanding},         {"receives", it.row.receives}};
}

}  // namespace

std::string frame(const Rates* rates, const View& view, const std::string& problem) {
    std::string text;
    if (!problem.empty())
        text += fmt::format("{}  no adapter: {}\n", clock_text(), problem);
    if (rates != nullptr)
        text += head(*rates);
    if (view.help == Help::shown)
        text += kHelp;
    if (rates != nullptr) {
        text += fmt::format("by {}\n", sort_name(view.sort));
        text += view.show == Show::partitions ? partitions_table(*rates) : pairs_table(*rates);
    }
    return fit(text, view);
}

json to_json(const Distribution& distribution) {
    return {{"count", distribution.count()},
            {"sum", distribution.sum},
            {"p50", distribution.quantile(0.5)},
            {"p99", distribution.quantile(0.99)},
            {"max", distribution.max()}};
}

json frame_json(const Rates* rates, const std::string& problem) {
    json out{{"time", std::time(nullptr)}, {"adapter", nullptr}};
    if (!problem.empty())
        out["error"] = problem;
    if (rates == nullptr)
        return out;
    out["seconds"] = rates->seconds;
    out["adapter"] = {{"version", array_text(rates->adapter.version)},
                      {"pid", rates->adapter.pid},
                      {"uptime_ns", rates->adapter.uptime_ns},
                      {"refused", rates->adapter.refused},
                      {"denied", rates->denied}};
    out["latency_ns"] = to_json(rates->latency);
    out["size_bytes"] = to_json(rates->size);
    out["movers"] = json::array();
    for (const MoverRates& it : rates->movers) {
        out["movers"].push_back({{"mover", it.row.index},
                                 {"cpu", rate_json(it.cpu)},
                                 {"operations_per_s", rate_json(it.operations)},
                                 {"wakeups_per_s", rate_json(it.wakeups)}});
    }
    out["partitions"] = json::array();
    for (const PartitionRates& it : rates->partitions)
        out["partitions"].push_back(partition_json(it));
    out["queue_pairs"] = json::array();
    for (const PairRates& it : rates->pairs)
        out["queue_pairs"].push_back(pair_json(it));
    return out;
}

}  // namespace causeway::cli
