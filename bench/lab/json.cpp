#include "lab/goals.hpp"
#include "lab/report.hpp"

namespace causeway::bench {
namespace {

using nlohmann::json;
using perf::Test;

constexpr int kSchema = 1;

json summary_json(const perf::Summary& summary) {
    return {{"runs", summary.runs},
            {"median", summary.median},
            {"mad", summary.mad},
            {"min", summary.min},
            {"max", summary.max}};
}

const char* figure_name(Test test) {
    if (test == Test::latency)
        return "one_way_ns.p50";
    return test == Test::rate ? "mops" : "gbytes_per_s";
}

json sample_json(const Sample& sample, const Group& group) {
    json line{{"bounce_ns", {{"before", sample.bounce.before}, {"after", sample.bounce.after}}},
              {"regime", sample.regime ? json(name(*sample.regime)) : json(nullptr)},
              {"verified", sample.verified},
              {"seconds", sample.seconds},
              {"messages", sample.messages},
              {"mops", sample.mops},
              {"gbytes_per_s", sample.gbytes_per_s}};
    if (group.test == Test::latency)
        line["one_way_ns"] = {{"p50", sample.p50_ns},
                              {"p99", sample.p99_ns},
                              {"p9999", sample.p9999_ns},
                              {"mean", sample.mean_ns}};
    if (sample.cpu_s >= 0)
        line["cpu_s"] = sample.cpu_s;
    return line;
}

json regime_json(const Cell& cell, const Group& group, Regime regime) {
    json entry = summary_json(cell.summary(group.test, regime));
    if (const perf::Histogram times = cell.times(regime); times.count() > 0)
        entry["one_way_ns"] = {{"p50", times.quantile(0.5)},
                               {"p99", times.quantile(0.99)},
                               {"p9999", times.quantile(0.9999)},
                               {"max", times.max()},
                               {"times", times.count()}};
    if (const auto cpu = cell.cpu_s_per_gbyte(group.size, regime); cpu.has_value())
        entry["cpu_s_per_gbyte"] = *cpu;
    return entry;
}

json cell_json(const Results& results, const Cell& cell) {
    const Group& group = results.groups[cell.group];
    json entry{{"contestant", results.contestants[cell.contestant].id},
               {"test", perf::name(group.test)},
               {"size", group.size},
               {"wait", name(group.waiting)},
               {"touch", perf::name(cell.touch)},
               {"figure", figure_name(group.test)},
               {"verified", cell.verified()},
               {"missing", cell.missing.empty() ? json(nullptr) : json(cell.missing)},
               {"regimes", json::object()},
               {"samples", json::array()}};
    std::size_t discarded = cell.samples.size();
    for (const Regime regime : kRegimes) {
        if (const std::size_t kept = cell.kept(regime); kept > 0) {
            entry["regimes"][std::string(name(regime))] = regime_json(cell, group, regime);
            discarded -= kept;
        }
    }
    entry["discarded"] = discarded;
    for (const Sample& sample : cell.samples)
        entry["samples"].push_back(sample_json(sample, group));
    return entry;
}

json contestants_json(const Results& results) {
    json all = json::array();
    for (std::size_t i = 0; i < results.contestants.size(); ++i) {
        const Contestant& each = results.contestants[i];
        all.push_back(
            {{"id", each.id},
             {"title", each.title},
             {"kind", name(each.kind)},
             {"program", each.program},
             {"arguments", each.arguments},
             {"waits_by", each.wait_in_spin},
             {"receiver_owns_its_buffer", each.owns},
             {"note", each.note},
             {"absent", results.absent[i].empty() ? json(nullptr) : json(results.absent[i])}});
        for (const auto& [variable, value] : each.environment)
            all.back()["environment"][variable] = value;
    }
    return all;
}

json goals_json(const Results& results, Regime regime) {
    json all = json::array();
    for (const Verdict& verdict : judge(results, regime))
        all.push_back({{"what", verdict.what},
                       {"goal", verdict.goal},
                       {"found", verdict.found ? json(*verdict.found) : json(nullptr)},
                       {"text", verdict.found_text},
                       {"met", verdict.found ? json(verdict.met) : json(nullptr)}});
    return all;
}

}  // namespace

json json_of(const Results& results) {
    const Machine& machine = results.machine;
    json all{{"schema", kSchema},
             {"date", results.date},
             {"version", results.version},
             {"commit", results.commit.empty() ? json(nullptr) : json(results.commit)},
             {"seconds", results.seconds},
             {"rounds", results.rounds},
             {"machine",
              {{"cpu", machine.cpu},
               {"kernel", machine.kernel},
               {"cores",
                {{"online", machine.cores_online},
                 {"sender", machine.sender},
                 {"receiver", machine.receiver}}},
               {"load", {{"before", machine.load_before}, {"after", machine.load_after}}}}},
             {"near_below_ns", results.near_below},
             {"main_regime", name(results.main_regime())},
             {"contestants", contestants_json(results)},
             {"remarks", results.remarks},
             {"cells", json::array()}};
    for (const Regime regime : kRegimes) {
        const std::string key(name(regime));
        all["bounce_ns"][key] = summary_json(results.bounce(regime));
        if (results.bounce(regime).runs > 0)
            all["goals"][key] = goals_json(results, regime);
    }
    for (const Cell& cell : results.cells)
        all["cells"].push_back(cell_json(results, cell));
    return all;
}

}  // namespace causeway::bench
