// Fuzzes the configuration file (src/config/config.hpp) with arbitrary bytes. What was accepted
// must satisfy the header's invariants; what was not must say so, with a place inside the text.
// mutations: 5000
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "config/change.hpp"
#include "config/config.hpp"
#include "config/policy.hpp"

namespace {

using namespace causeway::config;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

void check_places(const Loaded& loaded, std::string_view text) {
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    for (const Problem& problem : loaded.problems) {
        require(!problem.text.empty(), "a problem without a text");
        require(problem.where.kind == Origin::Kind::file, "a problem from elsewhere");
        require(problem.where.line >= 1 && problem.where.line <= lines, "a line that is not there");
        require(problem.where.column >= 1, "a column that is not there");
    }
}

void check_rule(const Rule& rule) {
    require(!rule.name.empty() && rule.name.size() <= 63, "a rule without a name");
    require(!rule.from.empty() && !rule.to.empty(), "a rule for nobody");
    require(rule.operations != 0 && rule.operations <= kAllOperations, "a rule for nothing");
    require(
        rule.executor == Executor::adapter || (rule.mutual && rule.operations == kAllOperations),
        "direct to one side, or for some operations");
}

void check_accepted(const Config& config) {
    require(config.from_file, "a file that is none");
    require(config.adapter.movers <= 64, "too many movers");
    require(config.adapter.resume_patience_s >= 0 && config.adapter.resume_patience_s <= 86400,
            "too much patience");
    for (const auto& [name, partition] : config.partitions) {
        require(name == partition.name && !name.empty() && name.size() <= 63, "a bad name");
        require(partition.weight >= 1 && partition.weight <= 10000, "a bad weight");
        require(partition.quota.max_regions >= 1 && partition.quota.max_regions <= 4096,
                "a bad quota");
    }
    for (const auto& [name, segment] : config.segments)
        require(segment.size >= 4096 && segment.size % 4096 == 0, "a bad segment");
    for (const auto& [name, unit] : config.units) {
        require(name == unit.partition + "/" + unit.name, "a unit under another name");
        require(!unit.partition.empty() && !unit.name.empty(), "a unit of nobody");
        require(decide_unit(config, unit.partition, unit.name, unit.type).allowed,
                "a unit that allows nothing");
    }
    for (const Rule& rule : config.rules)
        check_rule(rule);
    require(changes(config, config).empty(), "it differs from itself");
    // Who is allowed something is allowed it by a rule that is there.
    const Verdict verdict =
        decide(config, "orders", "billing", Operation::connect, Executor::adapter, "invoices");
    require(
        verdict.allowed == std::any_of(config.rules.begin(), config.rules.end(),
                                       [&](const Rule& rule) { return rule.name == verdict.rule; }),
        "a verdict without its rule");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Loaded loaded = load_text(text, "fuzz.toml", {});
    check_places(loaded, text);
    if (loaded.ok())
        check_accepted(loaded.config);
    // The same bytes as an option: KEY and VALUE.
    const std::size_t half = std::min(text.find('='), text.size());
    Overrides overrides;
    overrides.command_line.emplace_back(text.substr(0, half),
                                        text.substr(std::min(half + 1, text.size())));
    (void)load("", overrides);
    return 0;
}
