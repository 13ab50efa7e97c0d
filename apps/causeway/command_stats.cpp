// causeway stats: what the adapter has done since its start, once or again and again.
#include <fmt/format.h>
#include <poll.h>

#include <memory>

#include "command.hpp"
#include "interrupt.hpp"
#include "json.hpp"
#include "see/view.hpp"
#include "stats.hpp"
#include "text.hpp"

namespace causeway::cli {
namespace {

struct Options {
    std::string socket;
    bool json = false;
    double watch = 0;  // seconds; 0: once
};

json to_json(const abi::PartitionRow& row) {
    return {{"name", array_text(row.name)},
            {"entrance", array_text(row.entrance)},
            {"queue_pairs", row.queue_pairs},
            {"regions", row.regions},
            {"registered_bytes", row.registered_bytes},
            {"adapter",
             {{"operations", row.operations},
              {"bytes", row.bytes},
              {"errors", row.errors},
              {"stalls", row.stalls},
              {"stall_ns", row.stall_ns},
              {"mover_ns", row.mover_ns}}},
            {"direct_claimed",
             {{"operations", row.claimed_operations},
              {"bytes", row.claimed_bytes},
              {"errors", row.claimed_errors},
              {"stalls", row.claimed_stalls},
              {"stall_ns", row.claimed_stall_ns}}}};
}

json to_json(const abi::MoverRow& row) {
    return {{"mover", row.index},           {"load", row.load / 1000.0}, {"cpu_ns", row.cpu_ns},
            {"turns", row.turns},           {"sleeps", row.sleeps},      {"wakeups", row.wakeups},
            {"operations", row.operations}, {"bytes", row.bytes},        {"given", row.given}};
}

json to_json(const abi::DenialRow& row) {
    return {{"partition", array_text(row.partition)},
            {"rule", array_text(row.rule)},
            {"count", row.count}};
}

// Queue pairs by executor and state.
std::map<std::string, std::map<std::string, std::uint64_t>> pairs_by(const Sample& sample) {
    std::map<std::string, std::map<std::string, std::uint64_t>> counts;
    for (const abi::QueuePairRow& row : sample.queue_pairs)
        ++counts[std::string(executor_name(row.executor))][std::string(state_name(row.state))];
    return counts;
}

json histogram_json(const Sample& sample, abi::Measure measure) {
    const Distribution all = distribution_of(sample.histograms, measure);
    json out = to_json(all);
    out["buckets"] = json::array();
    for (std::size_t i = 0; i < all.buckets.size(); ++i) {
        if (all.buckets[i] == 0)
            continue;
        const bool last = i + 1 == all.buckets.size();
        out["buckets"].push_back(
            {{"at_most", last ? json(nullptr) : json(bucket_bound(i))}, {"count", all.buckets[i]}});
    }
    return out;
}

json whole_json(const Sample& sample) {
    json out{{"adapter",
              {{"version", array_text(sample.adapter.version)},
               {"pid", sample.adapter.pid},
               {"uptime_ns", sample.adapter.uptime_ns},
               {"refused", sample.adapter.refused},
               {"own_bytes", sample.adapter.own_bytes},
               {"registered_bytes", sample.adapter.registered_bytes},
               {"open_files", sample.adapter.open_files},
               {"mappings", sample.adapter.mappings}}},
             {"partitions", json::array()},
             {"queue_pairs", pairs_by(sample)},
             {"denials", json::array()},
             {"movers", json::array()},
             {"latency_ns", histogram_json(sample, abi::Measure::latency)},
             {"size_bytes", histogram_json(sample, abi::Measure::size)}};
    for (const auto& row : sample.partitions)
        out["partitions"].push_back(to_json(row));
    for (const auto& row : sample.denials)
        out["denials"].push_back(to_json(row));
    for (const auto& row : sample.movers)
        out["movers"].push_back(to_json(row));
    return out;
}

std::string or_dash(std::string_view text) { return text.empty() ? "-" : std::string(text); }

void print_adapter(const Sample& sample) {
    const abi::AdapterRow& row = sample.adapter;
    fmt::print("adapter      {}, process {}, up {}; {} of its own, {} open files, {} mappings\n",
               array_text(row.version), row.pid, human_ns(row.uptime_ns),
               human_bytes(row.own_bytes), row.open_files, row.mappings);
    fmt::print("connections  {} partitions, {} regions with {}, {} refused since the start\n",
               row.partitions, row.regions, human_bytes(row.registered_bytes), row.refused);
    std::string pairs;
    for (const auto& [executor, states] : pairs_by(sample)) {
        for (const auto& [state, count] : states) {
            pairs += fmt::format("{}{} {}{}", pairs.empty() ? "" : ", ", count, state,
                                 executor == "-" ? "" : " (" + executor + ")");
        }
    }
    fmt::print("queue pairs  {}\n", pairs.empty() ? "none" : pairs);
}

void print_partitions(const Sample& sample) {
    using enum Table::Align;
    Table table({{"PARTITION", left},
                 {"EXECUTOR", left},
                 {"OPS", right},
                 {"BYTES", right},
                 {"ERRORS", right},
                 {"STALLS", right},
                 {"STALLED", right},
                 {"MOVER TIME", right}});
    bool claims = false;
    for (const auto& row : sample.partitions) {
        table.add({std::string(array_text(row.name)), "adapter", std::to_string(row.operations),
                   human_bytes(row.bytes), std::to_string(row.errors), std::to_string(row.stalls),
                   human_ns(row.stall_ns), human_ns(row.mover_ns)});
        if (row.claimed_operations == 0 && row.claimed_bytes == 0 && row.claimed_errors == 0)
            continue;
        claims = true;
        table.add({std::string(array_text(row.name)), "direct*",
                   std::to_string(row.claimed_operations), human_bytes(row.claimed_bytes),
                   std::to_string(row.claimed_errors), std::to_string(row.claimed_stalls),
                   human_ns(row.claimed_stall_ns), "-"});
    }
    if (!table.empty())
        fmt::print("\n{}", table.text());
    if (claims)
        fmt::print("* as the partition itself says: nobody has checked it\n");
}

void print_movers(const Sample& sample) {
    using enum Table::Align;
    Table table({{"MOVER", right},
                 {"CPU TIME", right},
                 {"OPS", right},
                 {"BYTES", right},
                 {"TURNS", right},
                 {"SLEEPS", right},
                 {"WAKE-UPS", right},
                 {"GIVEN", right}});
    for (const auto& row : sample.movers) {
        table.add({std::to_string(row.index), human_ns(row.cpu_ns), std::to_string(row.operations),
                   human_bytes(row.bytes), std::to_string(row.turns), std::to_string(row.sleeps),
                   std::to_string(row.wakeups), std::to_string(row.given)});
    }
    if (!table.empty())
        fmt::print("\n{}", table.text());
}

void print_denials(const Sample& sample) {
    using enum Table::Align;
    Table table({{"DENIED", right}, {"RULE", left}, {"PARTITION", left}});
    for (const auto& row : sample.denials) {
        table.add({std::to_string(row.count), or_dash(array_text(row.rule)),
                   or_dash(array_text(row.partition))});
    }
    if (!table.empty())
        fmt::print("\n{}", table.text());
}

void print_histograms(const Sample& sample) {
    using enum Table::Align;
    Table table({{"OF ALL MOVERS", left},
                 {"COUNT", right},
                 {"MEAN", right},
                 {"P50", right},
                 {"P99", right},
                 {"MAX", right}});
    const auto add = [&](const char* name, abi::Measure measure, auto text) {
        const Distribution all = distribution_of(sample.histograms, measure);
        const std::uint64_t count = all.count();
        if (count == 0)
            return;
        table.add({name, std::to_string(count), text(all.sum / count), text(all.quantile(0.5)),
                   text(all.quantile(0.99)), text(all.max())});
    };
    add("latency", abi::Measure::latency, human_ns);
    add("size", abi::Measure::size, human_bytes);
    if (!table.empty())
        fmt::print(
            "\n{}P50, P99 and MAX are the bounds of their buckets, powers of two: at most "
            "this.\n",
            table.text());
}

Result<void> show(const Options& options) {
    CW_TRY_ASSIGN(const Sample sample, take_sample(options.socket));
    if (options.json && options.watch > 0) {
        fmt::print("{}\n", whole_json(sample).dump(-1, ' ', false, json::error_handler_t::replace));
    } else if (options.json) {
        print_json(whole_json(sample));
    } else {
        print_adapter(sample);
        print_partitions(sample);
        print_movers(sample);
        print_denials(sample);
        print_histograms(sample);
    }
    return {};
}

Result<int> run(const Options& options) {
    if (options.watch == 0) {
        CW_TRY(show(options));
        return 0;
    }
    catch_interrupts();
    while (interrupted() == 0) {
        if (const auto shown = show(options); !shown)
            print_error(shown.error().text);  // it may come back
        else if (!options.json)
            fmt::print("\n");
        if (std::fflush(stdout) != 0)
            return kFailed;
        (void)::poll(nullptr, 0, static_cast<int>(options.watch * 1000));
    }
    return 128 + interrupted();
}

}  // namespace

void add_stats(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App& stats =
        *app.add_subcommand("stats", "Show what the adapter has done since its start");
    add_socket_option(stats, options->socket);
    add_json_option(stats, options->json);
    stats.add_option("--watch", options->watch, "Show it again every SECONDS, until interrupted")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.1, 86400.0));
    stats.footer(
        "Counts are since the adapter's start. By executor adapter they are the adapter's own; "
        "what "
        "is\nmarked direct* is what the partitions say of themselves. LATENCY: from a mover's "
        "first look at a\ndescriptor to its completion. At a named entrance: what concerns its "
        "partition.\n\n"
        "Examples:\n"
        "  causeway stats\n"
        "  causeway stats --json | jq .latency_ns.p99\n"
        "  causeway stats --json --watch 5 >> causeway.jsonl");
    on_run(stats, [options] { return run(*options); });
}

}  // namespace causeway::cli
