// causeway ss: the queue pairs that the adapter knows, each end a line.
#include <fmt/format.h>

#include <memory>

#include "command.hpp"
#include "json.hpp"
#include "stats.hpp"
#include "text.hpp"

namespace causeway::cli {
namespace {

struct Options {
    std::string socket;
    bool json = false;
};

json to_json(const abi::QueuePairRow& row) {
    return {{"partition", array_text(row.partition)},
            {"peer", array_text(row.peer)},
            {"service", array_text(row.service)},
            {"executor", executor_name(row.executor)},
            {"why", array_text(row.why)},
            {"state", state_name(row.state)},
            {"reason", cw_error_name(static_cast<int>(row.reason))},
            {"id", row.id},
            {"peer_id", row.peer_id},
            {"mover", row.mover},
            {"outstanding", row.outstanding},
            {"receives", row.receives},
            {"operations", row.operations},
            {"bytes", row.bytes},
            {"errors", row.errors},
            {"stalls", row.stalls},
            {"stall_ns", row.stall_ns}};
}

std::string or_dash(std::string_view text) { return text.empty() ? "-" : std::string(text); }

std::string state_text(const abi::QueuePairRow& row) {
    std::string text(state_name(row.state));
    if (row.reason != 0)
        text += fmt::format(" ({})", cw_error_name(static_cast<int>(row.reason)));
    return text;
}

void print_table(const std::vector<abi::QueuePairRow>& rows) {
    using enum Table::Align;
    Table table({{"PARTITION", left},
                 {"PEER", left},
                 {"SERVICE", left},
                 {"STATE", left},
                 {"EXECUTOR", left},
                 {"OUT", right},
                 {"RECV", right},
                 {"OPS", right},
                 {"BYTES", right},
                 {"ERRORS", right},
                 {"STALLS", right},
                 {"STALLED", right},
                 {"WHY", left}});
    for (const abi::QueuePairRow& row : rows) {
        table.add({or_dash(array_text(row.partition)), or_dash(array_text(row.peer)),
                   or_dash(array_text(row.service)), state_text(row),
                   std::string(executor_name(row.executor)), std::to_string(row.outstanding),
                   std::to_string(row.receives), std::to_string(row.operations),
                   human_bytes(row.bytes), std::to_string(row.errors), std::to_string(row.stalls),
                   human_ns(row.stall_ns), or_dash(array_text(row.why))});
    }
    fmt::print("{}", table.text());
}

Result<int> run(const Options& options) {
    CW_TRY_ASSIGN(const auto rows,
                  stats_rows<abi::QueuePairRow>(options.socket, abi::StatsKind::queue_pairs));
    if (options.json) {
        json pairs = json::array();
        for (const abi::QueuePairRow& row : rows)
            pairs.push_back(to_json(row));
        print_json({{"queue_pairs", pairs}});
    } else {
        print_table(rows);
    }
    return 0;
}

}  // namespace

void add_ss(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App& ss = *app.add_subcommand("ss", "List queue pairs: who talks to whom, how, how much");
    add_socket_option(ss, options->socket);
    add_json_option(ss, options->json);
    ss.footer(
        "One line for each end of a connection. OUT: descriptors posted and not yet completed;\n"
        "RECV: receives posted and not yet used; STALLS: how often a send had to wait for a\n"
        "receive; WHY: why this executor. At a named entrance: the partition's own queue pairs.\n\n"
        "Example:\n"
        "  causeway ss --json | jq '.queue_pairs[] | select(.stalls > 0)'");
    on_run(ss, [options] { return run(*options); });
}

}  // namespace causeway::cli
