#include "peer/peer.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "interrupt.hpp"
#include "perf/probe.hpp"
#include "text.hpp"

namespace causeway::bench {
namespace {

using nlohmann::json;
using namespace perf;

constexpr std::uint64_t kBufferBudget = std::uint64_t{128} << 20;  // bytes on each side
constexpr std::uint32_t kMostBuffers = 4096;

struct Options {
    std::string variant;
    std::string test = "latency";
    std::string size = "8";
    std::string touch = "read";
    std::string wait = "spin";
    std::string cores;
    std::string executor = "adapter";
    std::string socket;
    double seconds = 0.25;
    double warm_up = 0.02;
    int repeat = 5;
    std::uint32_t buffers = 0;
    std::uint32_t outstanding = 0;
    bool serve = false;
};

class RigSampler final : public Sampler {
public:
    explicit RigSampler(Rig rig) : rig_(std::move(rig)) {}
    Result<const Outcome*> sample(const SampleOrder& order) override {
        return rig_.run_sample(order);
    }
    std::string executor() const override { return rig_.executor(); }

private:
    Rig rig_;
};

Result<Plan> make_plan(const Options& options) {
    Plan plan;
    plan.test = options.test == "latency" ? Test::latency
                                          : (options.test == "rate" ? Test::rate : Test::bandwidth);
    plan.touch = options.touch == "none" ? Touch::none : Touch::read;
    plan.wait = options.wait == "spin"    ? Wait::spin
                : options.wait == "block" ? Wait::block
                                          : Wait::adaptive;
    plan.executor = options.executor;
    plan.socket = options.socket;
    plan.seconds = options.seconds;
    plan.warm_up = options.warm_up;
    plan.repeat = options.repeat;
    CW_TRY_ASSIGN(plan.size, cli::parse_size(options.size));
    if (plan.size == 0)
        return fail(ErrorCode::invalid_argument, "--size must be at least 1");
    const std::uint64_t affordable = std::max<std::uint64_t>(kBufferBudget / plan.size, 2);
    const std::uint64_t window =
        plan.test == Test::latency ? 1 : (plan.test == Test::rate ? 64 : 8);
    plan.outstanding = options.outstanding != 0
                           ? options.outstanding
                           : static_cast<std::uint32_t>(std::min(window, affordable));
    plan.buffers = options.buffers != 0 ? options.buffers : plan.default_buffers();
    if (plan.outstanding > plan.buffers || plan.buffers > kMostBuffers)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("--buffers ({}) must be as many as --outstanding ({}) at least "
                                "and {} at most",
                                plan.buffers, plan.outstanding, kMostBuffers));
    if (options.cores.empty()) {
        plan.cores = choose_cores(Peer::unix_socket);
    } else {
        CW_TRY_ASSIGN(const auto cores, cli::parse_numbers(options.cores));
        if (cores.size() != 2)
            return fail(ErrorCode::invalid_argument,
                        "--cores takes two numbers, for sender and receiver");
        plan.cores = {cores[0], cores[1], std::nullopt};
    }
    return plan;
}

json sample_json(const Plan& plan, const Outcome& outcome) {
    const double seconds = static_cast<double>(outcome.elapsed_ns) / 1e9;
    const auto messages = static_cast<double>(outcome.messages);
    json line{{"messages", outcome.messages},
              {"seconds", seconds},
              {"verified", outcome.verified},
              {"mops", messages / seconds / 1e6},
              {"gbytes_per_s", messages * static_cast<double>(plan.size) / seconds / 1e9},
              {"cpu_ns",
               {{"sender", outcome.initiator_cpu_ns},
                {"receiver", outcome.responder_cpu_ns},
                {"helper", outcome.helper_cpu_ns}}}};
    if (const Histogram& times = outcome.one_way; times.count() > 0) {
        json buckets = json::array();
        times.each_bucket([&](std::size_t bucket, std::uint64_t count) {
            buckets.push_back({bucket, count});
        });
        line["one_way_ns"] = {{"p50", times.quantile(0.5)},
                              {"p99", times.quantile(0.99)},
                              {"p9999", times.quantile(0.9999)},
                              {"max", times.max()},
                              {"mean", times.mean()},
                              {"times", times.count()},
                              {"buckets", std::move(buckets)}};
    }
    return line;
}

void print_line(const json& line) {
    fmt::print("{}\n", line.dump());
    std::fflush(stdout);
}

int failed(const Error& error) {
    print_line({{"error", error.text}, {"code", static_cast<int>(error.code)}});
    return 1;
}

Result<SampleOrder> parse_order(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    std::string touch;
    SampleOrder order{};
    if (!(words >> verb >> touch >> order.seconds >> order.verify) || verb != "sample" ||
        (touch != "read" && touch != "none") || !(order.seconds > 0))
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' is not `sample read|none SECONDS 0|1`", line));
    order.touch = touch == "read" ? Touch::read : Touch::none;
    return order;
}

Result<void> print_sample(Sampler& sampler, const Plan& plan, const SampleOrder& order) {
    CW_TRY_ASSIGN(const Outcome* const outcome, sampler.sample(order));
    print_line(sample_json(plan, *outcome));
    return {};
}

Result<void> serve(Sampler& sampler, const Plan& plan) {
    print_line({{"ready", true},
                {"executor", sampler.executor()},
                {"buffers", plan.buffers},
                {"outstanding", plan.outstanding}});
    std::string line;
    while (std::getline(std::cin, line)) {
        CW_TRY_ASSIGN(const SampleOrder order, parse_order(line));
        CW_TRY(print_sample(sampler, plan, order));
    }
    return {};
}

Result<void> run(const Variant& variant, const Options& options) {
    CW_TRY_ASSIGN(Plan plan, make_plan(options));
    if (variant.prepare)
        CW_TRY(variant.prepare(plan));
    std::unique_ptr<Sampler> sampler;
    if (variant.make_sampler) {
        CW_TRY_ASSIGN(sampler, variant.make_sampler(plan));
    } else {
        CW_TRY_ASSIGN(Rig rig, Rig::start(plan, variant.make));
        sampler = std::make_unique<RigSampler>(std::move(rig));
    }
    if (options.serve)
        return serve(*sampler, plan);
    for (int i = 0; i < options.repeat; ++i)
        CW_TRY(print_sample(*sampler, plan, {plan.touch, plan.seconds, true}));
    return {};
}

}  // namespace

int run_peer(int argc, char** argv, const Program& program) {
    std::signal(SIGPIPE, SIG_IGN);
    CLI::App app{program.what, program.name};
    Options options;
    std::vector<std::string> names;
    std::string footer = "Variants:\n";
    for (const Variant& variant : program.variants) {
        names.push_back(variant.name);
        footer += fmt::format("  {:<16} {}\n", variant.name, variant.what);
    }
    app.footer(footer);
    options.variant = names.front();
    app.add_option("--variant", options.variant, "Data path")->check(CLI::IsMember(names));
    app.add_option("--test", options.test, "What to measure")
        ->check(CLI::IsMember({"latency", "rate", "bandwidth"}));
    app.add_option("--size", options.size, "Bytes of a message, with K, M or G");
    app.add_option("--seconds", options.seconds, "Of one sample")->check(CLI::Range(0.001, 60.0));
    app.add_option("--warm-up", options.warm_up, "Seconds in front of every sample")
        ->check(CLI::Range(0.0, 60.0));
    app.add_option("--repeat", options.repeat, "Samples")->check(CLI::Range(1, 10000));
    app.add_option("--touch", options.touch, "Does the receiver read every byte")
        ->check(CLI::IsMember({"read", "none"}));
    app.add_option("--wait", options.wait, "How both ends wait, where the path can")
        ->check(CLI::IsMember({"spin", "block", "adaptive"}));
    app.add_option("--cores", options.cores, "Cores of sender and receiver: A,B");
    app.add_option("--outstanding", options.outstanding,
                   "Messages on their way at once (0: latency 1, rate 64, bandwidth 8)");
    app.add_option("--buffers", options.buffers, "Messages' places on each side (0: as many)");
    app.add_option("--executor", options.executor, "Causeway: who moves the data");
    app.add_option("--socket", options.socket, "Causeway: of the adapter");
    app.add_flag("--serve", options.serve, "Take orders from standard input");
    app.get_formatter()->column_width(28);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return code == 0 ? 0 : 2;
    }
    const auto chosen =
        std::find_if(program.variants.begin(), program.variants.end(),
                     [&](const Variant& each) { return each.name == options.variant; });
    const Result<void> result = run(*chosen, options);
    return result.has_value() ? 0 : failed(result.error());
}

}  // namespace causeway::bench
