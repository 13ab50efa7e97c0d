// causeway perf block: requests to a disk of a block unit.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "command_perf.hpp"
#include "interrupt.hpp"
#include "json.hpp"
#include "perf/block_load.hpp"
#include "text.hpp"

namespace causeway::cli {
namespace {

using perf::BlockFigures;
using perf::BlockPlan;

constexpr std::array kPatterns{"read", "randread", "write", "randwrite", "rw", "randrw"};
constexpr std::array kWaits{"adaptive", "spin", "block"};

struct Options {
    BlockPlan plan;
    std::string socket;
    std::string attach = "perf";
    std::string pattern = "randread";
    std::string size = "4K";
    std::string range;
    std::string wait = "adaptive";
    bool share = false;
    bool json = false;
};

template<std::size_t N>
CLI::Validator one_of(const std::array<const char*, N>& words) {
    return CLI::IsMember(std::vector<std::string>(words.begin(), words.end()));
}

template<std::size_t N>
int place_of(const std::string& word, const std::array<const char*, N>& words) {
    return static_cast<int>(std::find(words.begin(), words.end(), word) - words.begin());
}

json json_of(const BlockPlan& plan, const std::string& pattern, const BlockFigures& figures) {
    const auto& latency = figures.latency;
    return {{"unit", plan.target},
            {"pattern", pattern},
            {"size", plan.size},
            {"depth", plan.depth},
            {"in_place", figures.in_place},
            {"touched", plan.touch},
            {"seconds", figures.seconds},
            {"cpu_seconds", figures.cpu_seconds},
            {"reads", figures.reads},
            {"writes", figures.writes},
            {"flushes", figures.flushes},
            {"errors", figures.errors},
            {"iops", figures.iops()},
            {"bytes_per_s", figures.iops() * plan.size},
            {"latency_ns",
             {{"p50", latency.quantile(0.5)},
              {"p99", latency.quantile(0.99)},
              {"p99.9", latency.quantile(0.999)},
              {"max", latency.max()}}}};
}

void print_table(const BlockPlan& plan, const std::string& pattern, const BlockFigures& figures) {
    const auto& latency = figures.latency;
    fmt::print("{} of {} on {}, {} at once{}: {:.0f} per second, {:.2f} GB/s\n", pattern,
               human_bytes(plan.size), plan.target, plan.depth,
               figures.in_place ? ", in place" : "", figures.iops(),
               figures.iops() * plan.size / 1e9);
    fmt::print("from submitting to the result: median {}, 99% {}, 99.9% {}, most {}\n",
               human_ns(latency.quantile(0.5)), human_ns(latency.quantile(0.99)),
               human_ns(latency.quantile(0.999)), human_ns(latency.max()));
    if (figures.flushes != 0)
        fmt::print("flushes: {}\n", figures.flushes);
}

Result<int> run(Options& options) {
    catch_interrupts();
    CW_TRY_ASSIGN(const std::uint64_t size, parse_size(options.size));
    if (size == 0 || size > io::block::kMostBytes)
        return wrong_usage("--size must be 1 byte to 32M, not " + options.size, "perf block");
    BlockPlan& plan = options.plan;
    plan.size = static_cast<std::uint32_t>(size);
    if (!options.range.empty()) {
        CW_TRY_ASSIGN(plan.range, parse_size(options.range));
    }
    plan.pattern = static_cast<perf::Pattern>(place_of(options.pattern, kPatterns));
    plan.disk.wait = static_cast<cw_wait>(place_of(options.wait, kWaits));
    plan.disk.access = options.share ? CW_DISK_SHARED : CW_DISK_WRITE;
    CW_TRY_ASSIGN(const auto partition,
                  client::Partition::attach(options.socket, options.attach, {}));
    auto figures = perf::run_block_load(partition, plan);
    partition->close();
    if (!figures.has_value())
        return fail(figures.error().code, figures.error().text);
    if (options.json)
        print_json(json_of(plan, options.pattern, *figures));
    else
        print_table(plan, options.pattern, *figures);
    if (figures->errors != 0) {
        return fail_format(ErrorCode::system, "%llu requests failed; the first: %s",
                           static_cast<unsigned long long>(figures->errors),
                           std::strerror(figures->first_error));
    }
    return interrupted() != 0 ? 128 + interrupted() : 0;
}

}  // namespace

void add_perf_block(CLI::App& perf) {
    auto options = std::make_shared<Options>();
    CLI::App& block =
        *perf.add_subcommand("block", "Measure a disk of a block unit, with fio's usual patterns");
    add_socket_option(block, options->socket);
    block.add_option("--attach", options->attach, "Join as this partition")
        ->capture_default_str()
        ->type_name("PARTITION");
    block.add_option("--unit", options->plan.target, "The disk, as `causeway bus` lists it")
        ->required()
        ->type_name("PARTITION/NAME");
    block
        .add_option("--pattern", options->pattern,
                    "read, randread, write, randwrite, rw, randrw. Writing overwrites the disk")
        ->capture_default_str()
        ->check(one_of(kPatterns))
        ->type_name("WORD");
    block.add_option("--size", options->size, "Bytes of a request, with K or M")
        ->capture_default_str()
        ->type_name("N");
    block.add_option("--depth", options->plan.depth, "Requests at once")
        ->capture_default_str()
        ->check(CLI::Range(1U, io::block::kMostDepth - 1))
        ->type_name("N");
    block.add_option("--seconds", options->plan.seconds, "How long")
        ->capture_default_str()
        ->check(CLI::Range(0.001, 3600.0))
        ->type_name("S");
    block.add_option("--range", options->range, "Use so much of the disk, from its start")
        ->type_name("BYTES");
    block.add_option("--reads", options->plan.reads, "Percent of reads, of rw and randrw")
        ->capture_default_str()
        ->check(CLI::Range(0U, 100U))
        ->type_name("N");
    block.add_option("--fsync", options->plan.fsync, "Flush after so many writes")->type_name("N");
    block.add_flag("--touch", options->plan.touch, "Look at every cache line of what was read");
    block.add_flag("--unregistered", options->plan.unregistered,
                   "Buffers that are not registered, and so copied once more");
    block.add_flag("--share", options->share, "Write as one of several");
    block.add_option("--wait", options->wait, "adaptive, spin, block")
        ->capture_default_str()
        ->check(one_of(kWaits))
        ->type_name("WORD");
    add_executor_option(block, options->plan.disk.executor);
    add_json_option(block, options->json);
    block.footer(
        "Example:\n"
        "  causeway perf block --unit storage/disk0 --pattern randread --size 4K --depth 32");
    on_run(block, [options] { return run(*options); });
}

}  // namespace causeway::cli
