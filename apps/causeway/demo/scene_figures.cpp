// What it costs, next to a Unix stream socket measured in the same run by the same harness.
#include <fmt/format.h>

#include <sstream>

#include "demo/stage.hpp"
#include "perf/measure.hpp"
#include "perf/probe.hpp"
#include "perf/report.hpp"
#include "text.hpp"

namespace causeway::demo {
namespace {

constexpr int kSamples = 5;

perf::Plan plan_of(perf::Test test, std::uint64_t size, std::uint32_t outstanding,
                   const Stage& stage) {
    perf::Plan plan;
    plan.test = test;
    plan.size = size;
    plan.outstanding = outstanding;
    plan.buffers = std::max(outstanding, 2U);
    plan.seconds = stage.options.seconds;
    plan.repeat = kSamples;
    plan.cores = perf::choose_cores();
    plan.socket = stage.adapter.socket();
    return plan;
}

// The same by both ways, their samples in turn.
Result<std::vector<perf::Measurement>> measure_both(const perf::Plan& plan) {
    perf::Plan other = plan;
    other.peer = perf::Peer::unix_socket;
    other.cores = perf::choose_cores(other.peer);
    return perf::measure({plan, other});
}

std::string text_of(const perf::Measurement& measurement) {
    const double median = measurement.summary().median;
    return measurement.plan.test == perf::Test::latency
               ? cli::human_ns(static_cast<std::uint64_t>(median))
               : fmt::format("{:.2f} GB/s", median);
}

// Also where it is not the better one.
std::string comparison_of(const std::vector<perf::Measurement>& both) {
    const double ratio = perf::ratio_of(both[0], both[1]).of_medians;
    return ratio >= 1 ? fmt::format("{:.1f} times better", ratio)
                      : fmt::format("{:.1f} times worse", 1 / ratio);
}

}  // namespace

Result<void> Stage::show_figures() {
    story.step("What it costs");
    CW_TRY_ASSIGN(const auto latency, measure_both(plan_of(perf::Test::latency, 8, 1, *this)));
    CW_TRY_ASSIGN(const auto bandwidth,
                  measure_both(plan_of(perf::Test::bandwidth, 1 << 20, 8, *this)));
    using enum cli::Table::Align;
    cli::Table table({{"", left}, {"CAUSEWAY", right}, {"UNIX SOCKET", right}, {"", right}});
    const auto add = [&table](const char* what, const std::vector<perf::Measurement>& both) {
        table.add({what, text_of(both[0]), text_of(both[1]), comparison_of(both)});
    };
    add("8 bytes, one way", latency);
    add("1 MiB messages", bandwidth);
    std::istringstream lines(table.text());
    for (std::string line; std::getline(lines, line);)
        story.line(line);
    const perf::Machine machine = perf::this_machine();
    story.line(fmt::format("medians of {} samples; {}, {} cores; wait mode {}", kSamples,
                           machine.cpu, machine.cores_online, perf::name(latency[0].plan.wait)));
    story.line("sender and receiver are plain processes; both receivers read every byte");
    bool verified = true;
    for (const auto* both : {&latency, &bandwidth}) {
        for (const perf::Measurement& each : *both)
            verified &= each.verified();
    }
    story.claim(verified && latency[0].executor == "adapter" && bandwidth[0].executor == "adapter",
                "executor adapter; every byte that was looked at was right");
    return {};
}

}  // namespace causeway::demo
