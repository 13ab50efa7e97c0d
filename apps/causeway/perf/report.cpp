#include "perf/report.hpp"

#include <fmt/format.h>

#include "perf/probe.hpp"
#include "text.hpp"

namespace causeway::perf {
namespace {

using cli::Table;
using nlohmann::json;

json optional_json(const auto& value) { return value.has_value() ? json(*value) : json(nullptr); }

json histogram_json(const Histogram& times) {
    if (times.count() == 0)
        return nullptr;
    return {{"p50", times.quantile(0.5)},  {"p90", times.quantile(0.9)},
            {"p99", times.quantile(0.99)}, {"p999", times.quantile(0.999)},
            {"max", times.max()},          {"min", times.min()},
            {"mean", times.mean()},        {"samples", times.count()}};
}

json summary_json(const Summary& summary) {
    return {{"runs", summary.runs},
            {"median", summary.median},
            {"mad", summary.mad},
            {"min", summary.min},
            {"max", summary.max}};
}

template<typename F>
double median_over(const Measurement& measurement, F&& figure) {
    std::vector<double> values;
    for (const Sample& sample : measurement.samples)
        values.push_back(figure(sample));
    return median_of(std::move(values));
}

double median_mops(const Measurement& measurement) {
    return median_over(measurement, [](const Sample& sample) { return sample.mops(); });
}
double median_gbytes(const Measurement& measurement) {
    return median_over(measurement, [&](const Sample& sample) {
        return sample.gbytes_per_s(measurement.plan.size);
    });
}

// All probes of a measurement.
std::optional<double> median_bounce(const Measurement& measurement) {
    std::vector<double> values;
    for (const Sample& sample : measurement.samples) {
        for (const auto& probe : {sample.bounce_before, sample.bounce_after}) {
            if (probe.has_value())
                values.push_back(*probe);
        }
    }
    return values.empty() ? std::nullopt : std::optional(median_of(std::move(values)));
}

// What a single time of the histogram is.
std::string_view meaning(const Plan& plan) {
    switch (plan.flow()) {
        case Flow::ping_pong:
            return "half_round_trip";
        case Flow::completion:
            return "post_to_completion";
        case Flow::fetch:
            return "post_to_data_read";
        default:
            return "none";
    }
}

json machine_json(const Plan& plan) {
    const Machine machine = this_machine();
    return {{"cpu", machine.cpu},
            {"kernel", machine.kernel},
            {"cores",
             {{"online", machine.cores_online},
              {"sender", optional_json(plan.cores.initiator)},
              {"receiver", optional_json(plan.cores.responder)},
              {"mover", optional_json(plan.cores.mover)}}},
            {"clock_ns", clock_ns()}};
}

std::string percentiles(const Histogram& times) {
    std::string line;
    for (const auto& [label, share] :
         {std::pair("p50", 0.5), {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}})
        line += fmt::format("{} {}   ", label, cli::human_ns(times.quantile(share)));
    return line + fmt::format("max {}   ({} times)", cli::human_ns(times.max()), times.count());
}

std::string title(const Measurement& measurement) {
    const Plan& plan = measurement.plan;
    if (plan.peer == Peer::unix_socket)
        return fmt::format("{} of a Unix stream socket, {} messages, receiver reads: {}",
                           name(plan.test), cli::human_bytes(plan.size),
                           plan.effective_touch() == Touch::read ? "every byte" : "nothing");
    return fmt::format("{} of {}, {} messages, executor {}, wait {}, receiver reads: {}",
                       name(plan.test), name(plan.operation), cli::human_bytes(plan.size),
                       measurement.executor, name(plan.wait),
                       plan.effective_touch() == Touch::read ? "every byte" : "nothing");
}

std::string figure_text(const Measurement& measurement, double value) {
    if (measurement.plan.test == Test::latency)
        return fmt::format("{:.0f} ns", value);
    return measurement.plan.test == Test::rate ? fmt::format("{:.3f} Mops/s", value)
                                               : fmt::format("{:.2f} GB/s", value);
}

std::string bounce_text(const std::optional<double>& bounce) {
    return bounce.has_value() ? fmt::format("{:.0f}", *bounce) : "-";
}

}  // namespace

std::string table_of(const Measurement& measurement) {
    using enum Table::Align;
    Table table({{"RUN", right},
                 {"P50 ns", right},
                 {"P99 ns", right},
                 {"MOPS", right},
                 {"GB/s", right},
                 {"CORE TO CORE ns", right}});
    int run = 0;
    for (const Sample& sample : measurement.samples) {
        const bool timed = sample.one_way.count() > 0;
        table.add({std::to_string(++run),
                   timed ? std::to_string(sample.one_way.quantile(0.5)) : "-",
                   timed ? std::to_string(sample.one_way.quantile(0.99)) : "-",
                   fmt::format("{:.3f}", sample.mops()),
                   fmt::format("{:.2f}", sample.gbytes_per_s(measurement.plan.size)),
                   bounce_text(sample.bounce_before) + " " + bounce_text(sample.bounce_after)});
    }
    const Summary summary = measurement.summary();
    std::string text = title(measurement) + "\n" + table.text(2);
    if (const Histogram times = measurement.one_way(); times.count() > 0)
        text += "  " + percentiles(times) + "\n";
    text +=
        fmt::format("  median {}  (MAD {}, min {}, max {}; {})\n",
                    figure_text(measurement, summary.median), figure_text(measurement, summary.mad),
                    figure_text(measurement, summary.min), figure_text(measurement, summary.max),
                    measurement.verified() ? "data verified" : "DATA WRONG");
    return text;
}

json json_of(const Measurement& measurement) {
    const Plan& plan = measurement.plan;
    json runs = json::array();
    for (const Sample& sample : measurement.samples) {
        runs.push_back({{"one_way_ns", histogram_json(sample.one_way)},
                        {"mops", sample.mops()},
                        {"gbytes_per_s", sample.gbytes_per_s(plan.size)},
                        {"messages", sample.messages},
                        {"seconds", sample.seconds},
                        {"verified", sample.verified},
                        {"bounce_ns",
                         {{"before", optional_json(sample.bounce_before)},
                          {"after", optional_json(sample.bounce_after)}}}});
    }
    json summary = summary_json(measurement.summary());
    summary["figure"] = measurement.figure_name();
    return {{"peer", name(plan.peer)},
            {"test", name(plan.test)},
            {"operation", name(plan.operation)},
            {"executor", measurement.executor},
            {"size", plan.size},
            {"wait", name(plan.wait)},
            {"touch", name(plan.effective_touch())},
            {"buffers", plan.buffers},
            {"outstanding", plan.outstanding},
            {"verified", measurement.verified()},
            {"one_way_ns", histogram_json(measurement.one_way())},
            {"one_way_is", meaning(plan)},
            {"mops", median_mops(measurement)},
            {"gbytes_per_s", median_gbytes(measurement)},
            {"bounce_ns", optional_json(median_bounce(measurement))},
            {"summary", summary},
            {"runs", runs},
            {"machine", machine_json(plan)},
            {"version", CAUSEWAY_VERSION},
            {"commit", this_machine().commit}};
}

Ratio ratio_of(const Measurement& first, const Measurement& second) {
    const bool low_is_good = first.plan.test == Test::latency;
    const auto ratio = [&](double a, double b) {
        const double above = low_is_good ? b : a;
        const double below = low_is_good ? a : b;
        return below > 0 ? above / below : 0;
    };
    std::vector<double> pairs;
    const auto a = first.figures();
    const auto b = second.figures();
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
        pairs.push_back(ratio(a[i], b[i]));
    return {ratio(first.summary().median, second.summary().median), summarize(pairs)};
}

std::string comparison_table(const Measurement& first, const Measurement& second) {
    const Ratio ratio = ratio_of(first, second);
    return table_of(first) + "\n" + table_of(second) +
           fmt::format(
               "\n{} is {:.2f} times as {} as {} (medians; pairs of samples: {:.2f} to "
               "{:.2f})\n",
               name(first.plan.peer), ratio.of_medians,
               first.plan.test == Test::latency ? "quick" : "fast", name(second.plan.peer),
               ratio.of_pairs.min, ratio.of_pairs.max);
}

json comparison_json(const Measurement& first, const Measurement& second) {
    const Ratio ratio = ratio_of(first, second);
    return {{"measurements", {json_of(first), json_of(second)}},
            {"ratio",
             {{"of_medians", ratio.of_medians},
              {"of_pairs", summary_json(ratio.of_pairs)},
              {"meaning", "above 1: the first is better"}}}};
}

}  // namespace causeway::perf
