// bench_lab: measures Causeway and its peers in one run and reports. `make bench` runs it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "commit.hpp"
#include "interrupt.hpp"
#include "lab/campaign.hpp"
#include "lab/plan.hpp"
#include "lab/report.hpp"
#include "lab/roudi.hpp"
#include "perf/probe.hpp"
#include "private_adapter.hpp"
#include "text.hpp"

namespace {

using namespace causeway;
using namespace causeway::bench;

constexpr double kQuickSeconds = 0.03;
constexpr double kQuickBudget = 90;
constexpr int kQuickRounds = 5;

struct Options {
    std::vector<std::string> peers;
    std::vector<std::string> sizes;
    std::vector<std::string> tests;
    std::string touch = "both";
    std::string cores;
    std::string output = "build/bench";
    std::optional<int> rounds;
    std::optional<double> seconds;
    std::optional<double> budget;
    double near_below = kNearBelow;
    bool quick = false;
    bool list = false;
};

Result<Wishes> make_wishes(const Options& options) {
    Wishes wishes;
    wishes.extent = options.quick ? Extent::quick : Extent::full;
    for (const std::string& text : options.sizes) {
        CW_TRY_ASSIGN(const std::uint64_t size, cli::parse_size(text));
        if (size == 0)
            return fail(ErrorCode::invalid_argument, "--sizes begin at 1 byte");
        wishes.sizes.push_back(size);
    }
    wishes.tests = options.tests;
    if (options.touch != "both")
        wishes.touches = {options.touch == "read" ? perf::Touch::read : perf::Touch::none};
    return wishes;
}

Result<CampaignOptions> make_campaign(const Options& options) {
    CampaignOptions campaign;
    campaign.around.directory =
        std::filesystem::path(cli::sibling_program("bench_lab")).parent_path();
    campaign.rounds = options.rounds.value_or(options.quick ? kQuickRounds : campaign.rounds);
    campaign.seconds = options.seconds.value_or(options.quick ? kQuickSeconds : campaign.seconds);
    campaign.budget = options.budget.value_or(options.quick ? kQuickBudget : campaign.budget);
    campaign.near_below = options.near_below;
    const perf::Cores chosen = perf::choose_cores(perf::Peer::unix_socket);
    std::vector<unsigned> cores;
    if (!options.cores.empty()) {
        CW_TRY_ASSIGN(cores, cli::parse_numbers(options.cores));
    } else if (chosen.initiator.has_value() && chosen.responder.has_value()) {
        cores = {*chosen.initiator, *chosen.responder};
    }
    if (cores.size() != 2 || cores[0] == cores[1])
        return fail(ErrorCode::invalid_argument,
                    "the laboratory needs two cores, for sender and receiver: --cores A,B");
    campaign.around.sender = cores[0];
    campaign.around.receiver = cores[1];
    return campaign;
}

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

Result<void> write_file(const std::filesystem::path& path, const std::string& text) {
    std::ofstream file(path);
    file << text;
    if (!file.flush())
        return fail(ErrorCode::system, fmt::format("{} cannot be written", path.string()));
    return {};
}

Result<void> write_reports(const Results& results, const std::string& directory) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error)
        return fail(ErrorCode::system,
                    fmt::format("{} cannot be made: {}", directory, error.message()));
    const std::filesystem::path folder(directory);
    CW_TRY(write_file(folder / "results.json", json_of(results).dump(1) + "\n"));
    CW_TRY(write_file(folder / "results.md", page_of(results)));
    return write_file(folder / "results.svg", picture_of(results));
}

void list(const std::vector<Contestant>& contestants, const Surroundings& around) {
    using enum cli::Table::Align;
    cli::Table table({{"ID", left}, {"KIND", left}, {"TITLE", left}, {"HERE", left}});
    for (const Contestant& each : contestants) {
        const std::string absent = why_absent(each, around);
        table.add({each.id, std::string(name(each.kind)), each.title,
                   absent.empty() ? "yes" : "no: " + absent});
    }
    fmt::print("{}", table.text());
}

Result<int> run(const Options& options) {
    CW_TRY_ASSIGN(const Wishes wishes, make_wishes(options));
    CW_TRY_ASSIGN(CampaignOptions campaign, make_campaign(options));
    const std::vector<Contestant> contestants = choose_contestants(options.peers);
    if (contestants.empty())
        return fail(ErrorCode::invalid_argument, "--peers names nobody: see --list");
    const bool needs_roudi =
        std::any_of(contestants.begin(), contestants.end(), [&](const Contestant& each) {
            return each.service == Service::roudi && why_absent(each, campaign.around).empty();
        });
    if (options.list) {
        list(contestants, campaign.around);
        return 0;
    }
    cli::catch_interrupts();
    // The mover works on the receiver's core where there are but two: the partitions make room.
    const perf::Cores placed = perf::choose_cores();
    cli::AdapterOptions wanted;
    if (placed.mover.has_value())
        wanted.mover_cores = {*placed.mover};
    CW_TRY_ASSIGN(auto adapter, cli::PrivateAdapter::start(wanted));
    campaign.around.adapter_socket = adapter.socket();
    std::optional<Roudi> roudi;
    if (needs_roudi) {
        if (auto started = Roudi::start(adapter.directory()); started.has_value())
            roudi.emplace(std::move(*started));
        else
            campaign.around.without_roudi = started.error().text;
    }

    Campaign measuring(campaign, contestants, make_groups(wishes), [](const std::string& line) {
        fmt::print("{}\n", line);
        std::fflush(stdout);
    });
    CW_TRY_ASSIGN(Results results, measuring.run());
    if (cli::interrupted() != 0)
        return fail(ErrorCode::system, "interrupted: nothing was written");
    results.date = utc_now();
    results.version = CAUSEWAY_VERSION;
    results.commit = cli::source_commit();
    for (const std::string& remark : remarks_on_others())
        results.remarks.push_back(remark);
    CW_TRY(write_reports(results, options.output));
    fmt::print("{0}/results.md, {0}/results.json, {0}/results.svg\n", options.output);
    CW_TRY(adapter.stop());
    for (const Cell& cell : results.cells) {
        if (!cell.verified())
            return fail(
                ErrorCode::system,
                fmt::format("{}: {}", results.contestants[cell.contestant].title, cell.missing));
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    CLI::App app{"Measures Causeway and its peers in one run, in turn, on the same cores.",
                 "bench_lab"};
    Options options;
    app.add_option("--peers", options.peers, "Only these (see --list; default: all)")
        ->delimiter(',');
    app.add_option("--sizes", options.sizes, "Message sizes, with K, M or G")->delimiter(',');
    app.add_option("--tests", options.tests, "Of latency, rate, wake, bandwidth")
        ->delimiter(',')
        ->check(CLI::IsMember({"latency", "rate", "wake", "bandwidth"}));
    app.add_option("--touch", options.touch, "Does the receiver read every byte")
        ->check(CLI::IsMember({"read", "none", "both"}));
    app.add_option("--cores", options.cores, "Cores of sender and receiver: A,B");
    app.add_option("--rounds", options.rounds, "Samples of each figure (default: 5)")
        ->check(CLI::Range(1, 1000));
    app.add_option("--seconds", options.seconds, "Of one sample (default: 0.06)")
        ->check(CLI::Range(0.001, 0.2));
    app.add_option("--budget", options.budget,
                   "Seconds after which nothing new is begun (default: 780)");
    app.add_option("--near-below", options.near_below,
                   "Core-to-core time in ns under which the regime is called near (default: 130)");
    app.add_option("--output", options.output, "Folder of the results (default: build/bench)");
    app.add_flag("--quick", options.quick, "Few sizes and short samples: under two minutes");
    app.add_flag("--list", options.list, "Who can be measured here");
    app.get_formatter()->column_width(28);
    CLI11_PARSE(app, argc, argv);
    try {
        const auto result = run(options);
        if (result.has_value())
            return *result;
        fmt::print(stderr, "bench_lab: {}\n", result.error().text);
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_lab: {}\n", error.what());
    }
    const int signal = cli::interrupted();
    return signal != 0 ? 128 + signal : 1;
}
