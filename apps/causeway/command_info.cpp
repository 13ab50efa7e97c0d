// causeway info: versions, the adapter, its partitions, regions and segments.
#include <causeway/causeway.h>
#include <fmt/format.h>

#include <causeway/abi/segment.hpp>

#include <memory>

#include "command.hpp"
#include "commit.hpp"
#include "json.hpp"
#include "stats.hpp"
#include "text.hpp"

namespace causeway::cli {
namespace {

struct Options {
    std::string socket;
    bool json = false;
};

struct Facts {
    abi::AdapterRow adapter;
    std::vector<abi::PartitionRow> partitions;
    std::vector<abi::RegionRow> regions;
    std::vector<abi::SegmentRow> segments;
};

Result<Facts> ask(const std::string& socket) {
    Facts facts{};
    CW_TRY_ASSIGN(const auto adapter, stats_rows<abi::AdapterRow>(socket, abi::StatsKind::adapter));
    if (adapter.size() != 1)
        return fail_format(ErrorCode::protocol,
                           "the adapter described itself in %zu rows instead of one: are causewayd "
                           "and causeway of the same release?",
                           adapter.size());
    facts.adapter = adapter.front();
    CW_TRY_ASSIGN(facts.partitions,
                  stats_rows<abi::PartitionRow>(socket, abi::StatsKind::partitions));
    CW_TRY_ASSIGN(facts.regions, stats_rows<abi::RegionRow>(socket, abi::StatsKind::regions));
    auto segments = stats_rows<abi::SegmentRow>(socket, abi::StatsKind::segments);
    // An adapter of an older release has none.
    if (!segments.has_value() && segments.error().code != ErrorCode::invalid_argument)
        return tl::unexpected(segments.error());
    if (segments.has_value())
        facts.segments = std::move(*segments);
    return facts;
}

std::string_view state_name(std::uint32_t state) {
    switch (static_cast<abi::SegmentState>(state)) {
        case abi::SegmentState::making:
            return "making";
        case abi::SegmentState::ready:
            return "ready";
        case abi::SegmentState::awaited:
            return "awaited";
        case abi::SegmentState::failed:
            return "failed";
    }
    return "unknown";
}

json library_json() {
    const char* const problem = cw_copies_problem();
    return {{"version", cw_version_string()},
            {"protocol", fmt::format("{}.{}", abi::kMajor, abi::kMinor)},
            {"commit", source_commit()},
            {"copies",
             {{"kernels", cw_copies_text()},
              {"from", cw_copies_source()},
              {"problem", *problem != '\0' ? json(problem) : json(nullptr)}}}};
}

json to_json(const abi::AdapterRow& row) {
    return {{"version", array_text(row.version)},
            {"protocol", fmt::format("{}.{}", row.major, row.minor)},
            {"pid", row.pid},
            {"uptime_ns", row.uptime_ns},
            {"movers", row.movers},
            {"partitions", row.partitions},
            {"queue_pairs", row.queue_pairs},
            {"regions", row.regions},
            {"registered_bytes", row.registered_bytes},
            {"open_files", row.open_files},
            {"mappings", row.mappings},
            {"own_bytes", row.own_bytes},
            {"own_bytes_most", row.own_bytes_most},
            {"refused", row.refused},
            {"copies",
             {{"kernels", array_text(row.copy_kernels)}, {"from", array_text(row.copies_from)}}}};
}

json to_json(const abi::PartitionRow& row) {
    return {{"name", array_text(row.name)},
            {"entrance", array_text(row.entrance)},
            {"session", row.session},
            {"pid", row.pid},
            {"uid", row.uid},
            {"regions", row.regions},
            {"queue_pairs", row.queue_pairs},
            {"listeners", row.listeners},
            {"registered_bytes", row.registered_bytes},
            {"operations", row.operations},
            {"bytes", row.bytes},
            {"mover_ns", row.mover_ns}};
}

json to_json(const abi::RegionRow& row) {
    return {{"partition", array_text(row.partition)},
            {"network_id", row.network_id},
            {"handle", row.handle},
            {"rights", right_names(row.rights)},
            {"size", row.size},
            {"append_offset", row.append_offset}};
}

json to_json(const abi::SegmentRow& row) {
    return {{"name", array_text(row.name)},
            {"size", row.size},
            {"readers", array_text(row.readers)},
            {"writers", array_text(row.writers)},
            {"open", row.open},
            {"by_copies", row.copies},
            {"state", state_name(row.state)}};
}

template<typename Row>
json to_json(const std::vector<Row>& rows) {
    json out = json::array();
    for (const Row& row : rows)
        out.push_back(to_json(row));
    return out;
}

void print_copies(std::string_view kernels, std::string_view from) {
    fmt::print("  copies     {} ({})\n", kernels, from);
}

void print_adapter(const abi::AdapterRow& row, const std::vector<abi::SegmentRow>& segments) {
    std::uint64_t segment_bytes = 0;
    for (const abi::SegmentRow& segment : segments)
        segment_bytes += segment.size;
    const std::string and_segments =
        segments.empty()
            ? std::string()
            : fmt::format(", {} in {} segments", human_bytes(segment_bytes), segments.size());
    fmt::print("adapter      {} (protocol {}.{}), process {}, up {}\n", array_text(row.version),
               row.major, row.minor, row.pid, human_ns(row.uptime_ns));
    fmt::print("movers       {}\n", row.movers);
    print_copies(array_text(row.copy_kernels), array_text(row.copies_from));
    fmt::print("memory       {} in {} regions{}; {} mappings, {} open files\n",
               human_bytes(row.registered_bytes), row.regions, and_segments, row.mappings,
               row.open_files);
    fmt::print("  of its own {} of at most {}\n", human_bytes(row.own_bytes),
               human_bytes(row.own_bytes_most));
    fmt::print("connections  {} partitions, {} queue pairs, {} refused since the start\n",
               row.partitions, row.queue_pairs, row.refused);
}

void print_partitions(const std::vector<abi::PartitionRow>& rows) {
    using enum Table::Align;
    Table table({{"PARTITION", left},
                 {"ENTRANCE", left},
                 {"PID", right},
                 {"UID", right},
                 {"REGIONS", right},
                 {"MEMORY", right},
                 {"PAIRS", right},
                 {"LISTENERS", right},
                 {"OPS", right},
                 {"BYTES", right},
                 {"MOVER TIME", right}});
    for (const abi::PartitionRow& row : rows) {
        table.add({std::string(array_text(row.name)), std::string(array_text(row.entrance)),
                   std::to_string(row.pid), std::to_string(row.uid), std::to_string(row.regions),
                   human_bytes(row.registered_bytes), std::to_string(row.queue_pairs),
                   std::to_string(row.listeners), std::to_string(row.operations),
                   human_bytes(row.bytes), human_ns(row.mover_ns)});
    }
    if (!table.empty())
        fmt::print("\n{}", table.text());
}

void print_regions(const std::vector<abi::RegionRow>& rows) {
    using enum Table::Align;
    Table table({{"REGION", right},
                 {"PARTITION", left},
                 {"SIZE", right},
                 {"APPEND OFFSET", right},
                 {"PEERS MAY", left}});
    for (const abi::RegionRow& row : rows) {
        const std::string rights = fmt::format("{}", fmt::join(right_names(row.rights), ","));
        table.add({std::to_string(row.network_id), std::string(array_text(row.partition)),
                   human_bytes(row.size), std::to_string(row.append_offset),
                   rights.empty() ? "-" : rights});
    }
    if (!table.empty())
        fmt::print("\n{}", table.text());
}

void print_segments(const std::vector<abi::SegmentRow>& rows) {
    using enum Table::Align;
    Table table({{"SEGMENT", left},
                 {"SIZE", right},
                 {"STATE", left},
                 {"OPEN", right},
                 {"BY COPIES", right},
                 {"WRITERS", left},
                 {"READERS", left}});
    const auto list = [](std::string_view text) {
        return text.empty() ? std::string("-") : std::string(text);
    };
    for (const abi::SegmentRow& row : rows) {
        table.add({std::string(array_text(row.name)), human_bytes(row.size),
                   std::string(state_name(row.state)), std::to_string(row.open),
                   std::to_string(row.copies), list(array_text(row.writers)),
                   list(array_text(row.readers))});
    }
    if (!table.empty())
        fmt::print("\n{}", table.text());
}

int show(const Result<Facts>& facts) {
    fmt::print("library      {} (protocol {}.{}), commit {}\n", cw_version_string(), abi::kMajor,
               abi::kMinor, source_commit());
    print_copies(cw_copies_text(), cw_copies_source());
    if (const char* const problem = cw_copies_problem(); *problem != '\0')
        fmt::print("             {}\n", problem);
    if (!facts.has_value()) {
        std::fflush(stdout);
        print_error(facts.error().text);
        return kFailed;
    }
    print_adapter(facts->adapter, facts->segments);
    print_partitions(facts->partitions);
    print_regions(facts->regions);
    print_segments(facts->segments);
    return 0;
}

int show_json(const Result<Facts>& facts) {
    json out{{"library", library_json()}, {"adapter", nullptr}};
    if (facts.has_value()) {
        out["adapter"] = to_json(facts->adapter);
        out["partitions"] = to_json(facts->partitions);
        out["regions"] = to_json(facts->regions);
        out["segments"] = to_json(facts->segments);
    } else {
        out["error"] = {{"code", cw_error_name(static_cast<int>(facts.error().code))},
                        {"text", facts.error().text}};
    }
    print_json(out);
    return facts.has_value() ? 0 : kFailed;
}

}  // namespace

void add_info(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App& info = *app.add_subcommand(
        "info", "Show versions, the adapter, its partitions, regions and segments");
    add_socket_option(info, options->socket);
    add_json_option(info, options->json);
    info.footer(
        "Without an adapter it shows what the library says of itself, and ends with status 1.\n\n"
        "Example:\n"
        "  causeway info --socket /run/causeway/fabric.sock");
    on_run(info, [options]() -> Result<int> {
        const Result<Facts> facts = ask(options->socket);
        return options->json ? show_json(facts) : show(facts);
    });
}

}  // namespace causeway::cli
