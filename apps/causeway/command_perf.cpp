// causeway perf: latency, rate and bandwidth of one operation between two partitions.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "command_perf.hpp"
#include "interrupt.hpp"
#include "json.hpp"
#include "perf/measure.hpp"
#include "perf/probe.hpp"
#include "perf/report.hpp"
#include "private_adapter.hpp"
#include "text.hpp"

namespace causeway::cli {
namespace {

using namespace perf;

constexpr std::uint64_t kLargestMessage = std::uint64_t{1} << 30;
constexpr std::uint64_t kBufferBudget = std::uint64_t{256} << 20;  // bytes on each side, by default
constexpr std::uint64_t kLatencySamples = 100'000;
constexpr std::uint32_t kMostOutstanding = 16384;
constexpr int kLeastComparisons = 5;

struct Options {
    Plan plan{};
    std::string socket;
    std::string test = "latency";
    std::string operation = "send";
    std::string executor = "adapter";
    std::string size;
    std::string wait = "adaptive";
    std::string touch = "read";
    std::string peer = "causeway";
    std::string cores;
    std::optional<double> seconds;
    std::optional<std::uint32_t> buffers;
    std::optional<std::uint32_t> outstanding;
    unsigned movers = 1;
    bool compare = false;
    bool json = false;
};

// Where `word` stands among `words`; the option's check has made sure that it does.
template<typename Enum, std::size_t N>
Enum enum_of(const std::string& word, const std::array<const char*, N>& words) {
    const auto at = std::find(words.begin(), words.end(), word);
    return static_cast<Enum>(at - words.begin());
}

constexpr std::array kTests{"latency", "rate", "bandwidth"};
constexpr std::array kOperations{"send", "write", "read", "append"};
constexpr std::array kExecutors{"adapter", "direct"};
constexpr std::array kWaits{"adaptive", "spin", "block"};
constexpr std::array kTouches{"read", "none"};
constexpr std::array kPeers{"causeway", "unix"};

template<std::size_t N>
CLI::Option* add_choice(CLI::App& perf, const std::string& flag, std::string& value,
                        const std::array<const char*, N>& words, const std::string& what) {
    return perf
        .add_option(flag, value,
                    fmt::format("{}: {} (default: {})", what, fmt::join(words, ", "), value))
        ->check([words, flag](const std::string& word) {
            if (std::find(words.begin(), words.end(), word) != words.end())
                return std::string();
            return fmt::format("'{}' is none of {}", word, fmt::join(words, ", "));
        })
        ->type_name("WORD");
}

Result<Cores> make_cores(const std::string& text, Peer peer) {
    if (text.empty())
        return choose_cores(peer);
    CW_TRY_ASSIGN(const std::vector<unsigned> given, parse_numbers(text));
    if (given.size() < 2 || given.size() > 3)
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("--cores takes two or three numbers, for sender, receiver and mover, "
                        "not {}",
                        given.size()));
    Cores cores{given[0], given[1], std::nullopt};
    if (given.size() == 3)
        cores.mover = given[2];
    return cores;
}

Result<Plan> make_plan(const Options& options) {
    Plan plan;
    plan.test = enum_of<Test>(options.test, kTests);
    plan.operation = enum_of<Operation>(options.operation, kOperations);
    plan.peer = enum_of<Peer>(options.peer, kPeers);
    plan.executor = options.executor;
    plan.wait = enum_of<Wait>(options.wait, kWaits);
    plan.touch = enum_of<Touch>(options.touch, kTouches);
    plan.size = plan.test == Test::bandwidth ? std::uint64_t{1} << 20 : 8;
    if (!options.size.empty()) {
        CW_TRY_ASSIGN(plan.size, parse_size(options.size));
    }
    if (plan.size == 0 || plan.size > kLargestMessage)
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("--size must be 1 to {} bytes (1G), not {}", kLargestMessage, plan.size));
    if (plan.peer == Peer::unix_socket && plan.operation != Operation::send)
        return fail(ErrorCode::invalid_argument,
                    "a Unix socket can only send: use --operation send with --peer unix");
    const std::uint64_t affordable = std::max<std::uint64_t>(kBufferBudget / plan.size, 2);
    const std::uint64_t window =
        plan.test == Test::latency ? 1 : (plan.test == Test::rate ? 64 : 8);
    plan.outstanding =
        options.outstanding.value_or(static_cast<std::uint32_t>(std::min(window, affordable)));
    plan.buffers = options.buffers.value_or(plan.default_buffers());
    if (plan.outstanding < 1 || plan.outstanding > kMostOutstanding ||
        plan.buffers < plan.outstanding || plan.buffers > kMostOutstanding)
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("--outstanding ({}) must be 1 to {}, and --buffers ({}) at least as "
                        "many and at most {}",
                        plan.outstanding, kMostOutstanding, plan.buffers, kMostOutstanding));
    plan.seconds = options.seconds.value_or(1);
    plan.least_operations =
        plan.test == Test::latency && !options.seconds.has_value() ? kLatencySamples : 0;
    plan.repeat = options.plan.repeat;
    CW_TRY_ASSIGN(plan.cores, make_cores(options.cores, plan.peer));
    plan.socket = options.socket;
    return plan;
}

Result<std::vector<Measurement>> measure_with_adapter(std::vector<Plan> plans, unsigned movers) {
    std::optional<PrivateAdapter> adapter;
    const bool needed = std::any_of(plans.begin(), plans.end(), [](const Plan& plan) {
        return plan.peer == Peer::causeway && plan.socket.empty();
    });
    if (needed) {
        AdapterOptions wanted{.movers = movers};
        if (plans.front().cores.mover.has_value())
            wanted.mover_cores = {*plans.front().cores.mover};
        auto started = PrivateAdapter::start(wanted);
        if (!started.has_value()) {
            return fail(started.error().code,
                        started.error().text +
                            "; or measure at a running adapter: --socket DIR/fabric.sock");
        }
        adapter.emplace(std::move(*started));
        for (Plan& plan : plans) {
            if (plan.socket.empty())
                plan.socket = adapter->socket();
        }
    }
    auto measurements = measure(plans);
    if (adapter.has_value()) {
        if (!measurements.has_value())
            return measurements;
        CW_TRY(adapter->stop());
    }
    return measurements;
}

Result<int> run(const Options& options) {
    catch_interrupts();
    const auto plan = make_plan(options);
    if (!plan.has_value())
        return wrong_usage(plan.error().text, "perf");
    std::vector<Plan> plans{*plan};
    if (options.compare) {
        plans.front().repeat = std::max(plan->repeat, kLeastComparisons);
        plans.push_back(plans.front());
        plans.back().peer = Peer::unix_socket;
        plans.back().operation = Operation::send;
        if (options.cores.empty())
            plans.back().cores = choose_cores(Peer::unix_socket);
    }
    const auto result = measure_with_adapter(plans, options.movers);
    if (const int signal = interrupted(); signal != 0)
        return 128 + signal;
    if (!result.has_value())
        return tl::unexpected(result.error());
    const std::vector<Measurement>& all = *result;
    if (options.json)
        print_json(options.compare ? comparison_json(all[0], all[1]) : json_of(all[0]));
    else
        fmt::print("{}", options.compare ? comparison_table(all[0], all[1]) : table_of(all[0]));
    for (const Measurement& measurement : all) {
        if (!measurement.verified())
            return fail(ErrorCode::system,
                        "the data that came was not the data that was sent: please report this");
    }
    return 0;
}

}  // namespace

void add_perf(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App& perf =
        *app.add_subcommand("perf", "Measure latency, rate or bandwidth between two partitions");
    add_choice(perf, "--test", options->test, kTests, "What to measure");
    add_choice(perf, "--operation", options->operation, kOperations, "How data moves");
    add_choice(perf, "--executor", options->executor, kExecutors, "Who moves it");
    perf.add_option("--size", options->size,
                    "Bytes of a message, with K, M or G (default: 8; bandwidth: 1M)")
        ->type_name("N");
    perf.add_option("--seconds", options->seconds,
                    "Of one sample (default: 1, and for latency until 100000 times were taken)")
        ->check(CLI::Range(0.001, 3600.0))
        ->type_name("S");
    perf.add_option("--repeat", options->plan.repeat, "Samples (default: 5)")
        ->check(CLI::Range(1, 10000))
        ->type_name("N");
    perf.add_option("--cores", options->cores, "Cores of sender, receiver and mover")
        ->type_name("A,B[,C]");
    add_choice(perf, "--wait", options->wait, kWaits, "How the partitions wait");
    add_choice(perf, "--touch", options->touch, kTouches,
               "Does the receiver read every byte in the timed part");
    perf.add_option("--outstanding", options->outstanding,
                    "Messages on their way at once (default: latency 1, rate 64, bandwidth 8)")
        ->type_name("N");
    perf.add_option("--buffers", options->buffers,
                    "Messages' places on each side (default: as outstanding, at least 2, and 128 "
                    "of messages up to 256 bytes)")
        ->type_name("N");
    perf.add_option("--movers", options->movers,
                    "Mover threads of the private adapter (default: 1)")
        ->check(CLI::Range(1U, 64U))
        ->type_name("N");
    CLI::Option* const peer =
        add_choice(perf, "--peer", options->peer, kPeers, "What to measure, with the same harness");
    perf.add_flag("--compare", options->compare,
                  "Causeway and a Unix stream socket in turn, and the ratio")
        ->excludes(peer);
    add_socket_option(perf, options->socket);
    perf.get_option("--socket")
        ->description(
            "Open entrance of a running adapter (default: a private adapter, which leaves "
            "nothing)");
    add_json_option(perf, options->json);
    perf.footer(
        "Half of a round trip is the latency of send and write; of read and append it is the time\n"
        "from posting to the end. GB/s are 10^9 bytes per second.\n\n"
        "Example:\n"
        "  causeway perf --test bandwidth --operation send --size 1M --compare");
    add_perf_block(perf);
    on_run(perf, [options, &perf]() -> Result<int> {
        if (!perf.get_subcommands().empty())
            return 0;  // it has run
        return run(*options);
    });
}

}  // namespace causeway::cli
