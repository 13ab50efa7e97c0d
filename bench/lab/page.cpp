// Results as a page of tables.
#include <fmt/format.h>

#include <cmath>
#include <functional>

#include "lab/goals.hpp"
#include "lab/report.hpp"

namespace causeway::bench {
namespace {

using perf::Test;
using perf::Touch;

constexpr const char* kNothing = "";

// Three figures that count: 47.3, 1250, 0.123.
std::string number(double value) {
    if (value == 0 || !std::isfinite(value))
        return "0";
    const int digits = 2 - static_cast<int>(std::floor(std::log10(std::abs(value))));
    return fmt::format("{:.{}f}", value, std::max(0, digits));
}

// A row of a table: one contestant, or several as one.
struct Row {
    std::string title;
    std::vector<std::string> contestants;
};

class Page {
public:
    Page(const Results& results, Regime regime) : results_(results), regime_(regime) {}

    [[nodiscard]] std::string text() {
        for (const Touch touch : {Touch::read, Touch::none}) {
            const char* const reads = touch == Touch::read ? "the receiver reads every byte"
                                                           : "the receiver does not read";
            table(fmt::format("Latency, {}", reads), "one way, median, ns", Test::latency,
                  Waiting::spin, touch);
            table(fmt::format("Bandwidth, {}", reads), "GB/s", Test::bandwidth, Waiting::spin,
                  touch);
            table(fmt::format("Message rate, {}", reads), "million a second", Test::rate,
                  Waiting::spin, touch);
        }
        table("Wake-up: both ends sleep until there is something", "one way, median, ns",
              Test::latency, Waiting::block, Touch::read);
        table("Bandwidth where both ends sleep when they wait", "GB/s", Test::bandwidth,
              Waiting::block, Touch::read);
        percentiles();
        cpu();
        return std::move(text_);
    }

private:
    using CellText = std::function<std::string(const Row&, std::size_t column)>;

    [[nodiscard]] std::vector<Row> rows() const {
        std::vector<Row> all{{"*best hand-made ring*", ring_kernels()},
                             {"*best copy on one core*", copy_kernels()}};
        for (const Contestant& each : results_.contestants) {
            if (each.kind != Kind::limit)
                all.push_back({each.kind == Kind::causeway ? "**" + each.title + "**" : each.title,
                               {each.id}});
        }
        return all;
    }

    // Rows without a figure are left out; a table without rows too.
    void print(const std::string& title, const std::string& unit,
               const std::vector<std::string>& columns, const std::vector<Row>& rows,
               const CellText& cell, const std::string& first = "") {
        std::string body = first;
        for (const Row& row : rows) {
            std::string line;
            bool any = false;
            for (std::size_t i = 0; i < columns.size(); ++i) {
                const std::string text = cell(row, i);
                any = any || !text.empty();
                line += " " + text + " |";
            }
            if (any)
                body += fmt::format("| {} |{}\n", row.title, line);
        }
        if (body == first)
            return;
        text_ += fmt::format("\n### {}\n\n| {} |", title, unit);
        for (const std::string& column : columns)
            text_ += " " + column + " |";
        text_ += "\n|---|";
        for (std::size_t i = 0; i < columns.size(); ++i)
            text_ += "---:|";
        text_ += "\n" + body;
    }

    void table(const std::string& title, const std::string& unit, Test test, Waiting waiting,
               Touch touch) {
        const auto sizes = sizes_of(results_, test, waiting);
        std::vector<std::string> columns;
        for (const std::uint64_t size : sizes)
            columns.push_back(size_text(size));
        std::string first;
        if (const perf::Summary bounce = results_.bounce(regime_);
            test == Test::latency && waiting == Waiting::spin && bounce.runs > 0) {
            first = fmt::format("| *a cache line, core to core* | {} |", number(bounce.median));
            for (std::size_t i = 1; i < columns.size(); ++i)
                first += " |";
            first += "\n";
        }
        print(
            title, unit, columns, rows(),
            [&](const Row& row, std::size_t column) {
                const auto value = best_of(results_, row.contestants, test, sizes[column], touch,
                                           regime_, waiting);
                if (!value.has_value())
                    return std::string(kNothing);
                const Cell* const cell =
                    results_.find(row.contestants.front(), {test, sizes[column], waiting}, touch);
                const bool few = cell != nullptr && row.contestants.size() == 1 &&
                                 cell->kept(regime_) < static_cast<std::size_t>(results_.rounds);
                return number(*value) + (few ? "\\*" : "");
            },
            first);
    }

    void percentiles() {
        const std::pair<const char*, double> shares[] = {
            {"p50", 0.5}, {"p99", 0.99}, {"p99.99", 0.9999}};
        std::vector<std::string> columns;
        for (const Waiting waiting : {Waiting::spin, Waiting::block}) {
            for (const auto& share : shares)
                columns.push_back(std::string(share.first) +
                                  (waiting == Waiting::spin ? "" : ", asleep"));
        }
        print("Percentiles of the latency, 8 B, the receiver reads", "one way, ns", columns, rows(),
              [&](const Row& row, std::size_t column) {
                  const Waiting waiting = column < 3 ? Waiting::spin : Waiting::block;
                  const Cell* const cell = results_.find(row.contestants.front(),
                                                         {Test::latency, 8, waiting}, Touch::read);
                  const perf::Histogram times =
                      cell != nullptr ? cell->times(regime_) : perf::Histogram();
                  if (times.count() == 0)
                      return std::string(kNothing);
                  return number(static_cast<double>(times.quantile(shares[column % 3].second)));
              });
    }

    void cpu() {
        struct Column {
            std::uint64_t size;
            Waiting waiting;
        };
        std::vector<Column> wanted;
        std::vector<std::string> columns;
        for (const Waiting waiting : {Waiting::spin, Waiting::block}) {
            for (const std::uint64_t size : {std::uint64_t{64} << 10, std::uint64_t{1} << 20}) {
                wanted.push_back({size, waiting});
                columns.push_back(size_text(size) + (waiting == Waiting::spin ? "" : ", sleeping"));
            }
        }
        print("Processor time of everybody on the way, the receiver reads", "seconds per GB",
              columns, rows(), [&](const Row& row, std::size_t column) {
                  const auto [size, waiting] = wanted[column];
                  const Cell* const cell = results_.find(
                      row.contestants.front(), {Test::bandwidth, size, waiting}, Touch::read);
                  const auto value =
                      cell != nullptr ? cell->cpu_s_per_gbyte(size, regime_) : std::nullopt;
                  return value.has_value() ? number(*value) : std::string(kNothing);
              });
    }

    const Results& results_;
    const Regime regime_;
    std::string text_;
};

std::string head(const Results& results) {
    const Machine& machine = results.machine;
    std::string text = fmt::format(
        "# Causeway and its peers, measured in one run\n\n"
        "{}, {} cores, Linux {}; sender on core {}, receiver on core {}. {}{}, Causeway {}, "
        "{:.0f} s, load average {:.1f} before. How to read this: `docs/bench.md`.\n\n"
        "| regime | a cache line, core to core (ns) | probes |\n|---|---:|---:|\n",
        machine.cpu, machine.cores_online, machine.kernel, machine.sender, machine.receiver,
        results.date, results.commit.empty() ? "" : ", commit " + results.commit, results.version,
        results.seconds, machine.load_before);
    for (const Regime regime : kRegimes) {
        const perf::Summary bounce = results.bounce(regime);
        if (bounce.runs > 0)
            text +=
                fmt::format("| {} | {} ({} to {}) | {} |\n", name(regime), number(bounce.median),
                            number(bounce.min), number(bounce.max), bounce.runs);
    }
    std::size_t samples = 0;
    std::size_t discarded = 0;
    for (const Cell& cell : results.cells) {
        samples += cell.samples.size();
        discarded += cell.samples.size() - cell.kept(Regime::near) - cell.kept(Regime::far);
    }
    return text + fmt::format(
                      "\n{} samples, {} discarded because the regime changed within them. "
                      "Figures are medians of at least {} samples; \\* marks fewer.\n",
                      samples, discarded, results.rounds);
}

std::string goals(const Results& results, Regime regime) {
    std::string text = fmt::format(
        "\n### Goals, {} regime\n\n| what | goal | found | |\n|---|---|---|---|\n", name(regime));
    for (const Verdict& verdict : judge(results, regime))
        text +=
            fmt::format("| {} | {} | {} | {} |\n", verdict.what, verdict.goal, verdict.found_text,
                        !verdict.found.has_value() ? "" : (verdict.met ? "met" : "**missed**"));
    return text;
}

std::string notes(const Results& results) {
    std::string text = "\n## Notes\n\n";
    for (const Contestant& each : results.contestants) {
        if (!each.note.empty())
            text += fmt::format("- {}: {}.\n", each.title, each.note);
    }
    for (std::size_t i = 0; i < results.contestants.size(); ++i) {
        if (!results.absent[i].empty())
            text += fmt::format("- {} was not measured: {}.\n", results.contestants[i].title,
                                results.absent[i]);
    }
    for (const Cell& cell : results.cells) {
        if (cell.missing.empty() || !results.absent[cell.contestant].empty())
            continue;
        const Group& group = results.groups[cell.group];
        text += fmt::format("- {}, {} {}, {}: {}.\n", results.contestants[cell.contestant].title,
                            perf::name(group.test), size_text(group.size), perf::name(cell.touch),
                            cell.missing);
    }
    for (const std::string& remark : results.remarks)
        text += fmt::format("- {}.\n", remark);
    return text;
}

}  // namespace

std::string page_of(const Results& results) {
    std::string text = head(results);
    const Regime main = results.main_regime();
    for (const Regime regime : {main, main == Regime::near ? Regime::far : Regime::near}) {
        if (results.bounce(regime).runs == 0)
            continue;
        const std::string tables = Page(results, regime).text();
        if (!tables.empty())
            text +=
                fmt::format("\n## The {} regime\n", name(regime)) + goals(results, regime) + tables;
    }
    return text + notes(results);
}

}  // namespace causeway::bench
