#include "calibrate/report.hpp"

#include <fmt/format.h>

#include "perf/probe.hpp"
#include "text.hpp"

namespace causeway::calibrate {
namespace {

using cli::Table;
using nlohmann::json;

const char* text_of(Touch touch) { return touch == Touch::read ? "read" : "none"; }

double best_rate(const Regime& regime, std::size_t cell) {
    double best = 0;
    for (const auto& figure : regime.figures[cell])
        best = std::max(best, figure.has_value() ? figure->rates.rate : 0);
    return best;
}

// The share of the best kernel that the plan reaches there, in percent.
std::string share_text(const Fitter& fitter, const Outcome& outcome, std::size_t r, std::size_t c) {
    const auto kernel = fitter.choice(outcome.fit.plan, r, c);
    const auto figure = kernel.has_value() ? fitter.figure(r, c, *kernel) : std::nullopt;
    if (!figure.has_value())
        return "-";
    return fmt::format("{} {:3.0f}%", engine::name(*kernel),
                       figure->rates.rate / best_rate(outcome.measured.regimes[r], c) * 100);
}

std::string regime_table(const Outcome& outcome, const Fitter& fitter, std::size_t r) {
    using enum Table::Align;
    const Measured& measured = outcome.measured;
    std::vector<Table::Column> columns{{"SIZE", right}, {"BUFFERS", right}, {"READS", left}};
    for (const engine::CopyKernel kernel : measured.kernels)
        columns.push_back({engine::name(kernel), right});
    columns.push_back({"PACE", right});
    columns.push_back({"PLAN", left});
    Table table(std::move(columns));
    for (std::size_t c = 0; c < measured.cells.size(); ++c) {
        const Cell& cell = measured.cells[c];
        std::vector<std::string> row{cli::human_bytes(cell.size), std::to_string(cell.buffers),
                                     cell.touch == Touch::read ? "all" : "-"};
        for (const auto& figure : measured.regimes[r].figures[c])
            row.push_back(figure.has_value() ? fmt::format("{:.1f}", figure->rates.rate) : "-");
        const auto cached = fitter.figure(r, c, outcome.fit.plan.cached_kernel(cell.size));
        row.push_back(cached.has_value() ? fmt::format("{:.1f}", cached->rates.pace) : "-");
        row.push_back(share_text(fitter, outcome, r, c));
        table.add(std::move(row));
    }
    return table.text(2);
}

std::string score_text(const Outcome& outcome, const Score& score) {
    const Cell& cell = outcome.measured.cells[score.worst_cell];
    return fmt::format("{:.0f}% of the best kernel, {:.0f}% at worst ({} x {}, {})",
                       score.mean * 100, score.worst * 100, cli::human_bytes(cell.size),
                       cell.buffers, cell.touch == Touch::read ? "read" : "not read");
}

json threshold_json(std::uint64_t threshold) {
    return threshold == engine::kNever ? json(nullptr) : json(threshold);
}

json plan_json(const engine::CopyPlan& plan) {
    return {{"large", engine::name(plan.large)},
            {"large_from", threshold_json(plan.large_from)},
            {"nontemporal", engine::name(plan.nontemporal)},
            {"nontemporal_from", threshold_json(plan.nontemporal_from)},
            {"nontemporal_least", threshold_json(plan.nontemporal_least)},
            {"slow_below_mb_per_s", plan.slow_below},
            {"text", plan.describe()}};
}

json score_json(const Score& score) { return {{"mean", score.mean}, {"worst", score.worst}}; }

json cell_json(const Outcome& outcome, const Fitter& fitter, std::size_t r, std::size_t c) {
    const Measured& measured = outcome.measured;
    json kernels = json::object();
    for (std::size_t k = 0; k < measured.kernels.size(); ++k) {
        if (const auto& figure = measured.regimes[r].figures[c][k]; figure.has_value())
            kernels[engine::name(measured.kernels[k])] = {{"gbytes_per_s", figure->rates.rate},
                                                          {"pace_gbytes_per_s", figure->rates.pace},
                                                          {"samples", figure->samples}};
    }
    const auto choice = fitter.choice(outcome.fit.plan, r, c);
    return {{"size", measured.cells[c].size},
            {"buffers", measured.cells[c].buffers},
            {"touch", text_of(measured.cells[c].touch)},
            {"kernels", kernels},
            {"plan", choice.has_value() ? json(engine::name(*choice)) : json(nullptr)}};
}

}  // namespace

std::string tables(const Outcome& outcome) {
    const Campaign& campaign = outcome.campaign;
    const Fitter fitter(outcome.measured);
    std::string text = fmt::format(
        "{}, cores {} and {}, {} of buffers on each side; GB/s, medians\n"
        "{} samples; discarded: {} as the cores moved, {} as somebody interrupted\n",
        perf::this_machine().cpu, outcome.options.sender, outcome.options.receiver,
        cli::human_bytes(campaign.bytes), campaign.samples.size(), campaign.other_regime,
        campaign.disturbed);
    for (std::size_t r = 0; r < outcome.measured.regimes.size(); ++r) {
        const Regime& regime = outcome.measured.regimes[r];
        text += fmt::format("\ncore to core {:.0f} ns, {} samples ({:.0f}%)\n", regime.bounce,
                            regime.samples, regime.share * 100);
        text += regime_table(outcome, fitter, r);
    }
    text += fmt::format("\nplan     {}\n", outcome.fit.plan.describe());
    if (outcome.measured.complete_cells() > 0) {
        text += fmt::format("reaches  {}\n", score_text(outcome, outcome.fit.score));
        text += fmt::format("by size  {}\n", score_text(outcome, outcome.fit.by_size));
    }
    if (!outcome.saved.empty())
        text += fmt::format("saved    {}\n", outcome.saved);
    return text;
}

json to_json(const Outcome& outcome) {
    const Campaign& campaign = outcome.campaign;
    const Fitter fitter(outcome.measured);
    json regimes = json::array();
    for (std::size_t r = 0; r < outcome.measured.regimes.size(); ++r) {
        const Regime& regime = outcome.measured.regimes[r];
        json cells = json::array();
        for (std::size_t c = 0; c < outcome.measured.cells.size(); ++c)
            cells.push_back(cell_json(outcome, fitter, r, c));
        regimes.push_back({{"bounce_ns", regime.bounce},
                           {"samples", regime.samples},
                           {"share", regime.share},
                           {"cells", cells}});
    }
    const perf::Machine machine = perf::this_machine();
    return {
        {"machine",
         {{"cpu", machine.cpu},
          {"kernel", machine.kernel},
          {"identity", engine::this_copy_machine().processor},
          {"width", engine::this_copy_machine().width},
          {"cores", {{"sender", outcome.options.sender}, {"receiver", outcome.options.receiver}}}}},
        {"seconds", outcome.options.seconds},
        {"bytes", campaign.bytes},
        {"samples",
         {{"kept", campaign.samples.size()},
          {"cores_moved", campaign.other_regime},
          {"interrupted", campaign.disturbed}}},
        {"regimes", regimes},
        {"plan", plan_json(outcome.fit.plan)},
        {"share_of_best",
         {{"plan", score_json(outcome.fit.score)},
          {"by_size_alone", score_json(outcome.fit.by_size)}}},
        {"saved", outcome.saved.empty() ? json(nullptr) : json(outcome.saved)},
        {"version", CAUSEWAY_VERSION}};
}

}  // namespace causeway::calibrate
