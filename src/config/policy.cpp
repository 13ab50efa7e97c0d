#include "config/policy.hpp"

#include <algorithm>

#include "config/denial.hpp"

namespace causeway::config {
namespace {

[[nodiscard]] bool matches_one(const std::vector<std::string>& patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return matches(pattern, name); });
}

[[nodiscard]] bool may_attach(const Config& config, std::string_view name) {
    return config.adapter.open_entrance || config.partitions.count(std::string(name)) != 0;
}

[[nodiscard]] Verdict allowed_by(const Rule& rule) {
    Verdict verdict;
    verdict.allowed = true;
    verdict.rule = rule.name;
    verdict.text = "rule '" + rule.name + "' (" + text_of(rule.origin) + ") allows it";
    return verdict;
}

[[nodiscard]] Verdict allowed_by(const Unit& unit) {
    const std::string name = unit.partition + "/" + unit.name;
    Verdict verdict;
    verdict.allowed = true;
    verdict.rule = "unit " + name;
    verdict.text = "unit '" + name + "' (" + text_of(unit.origin) + ") allows it";
    return verdict;
}

[[nodiscard]] Verdict without_file(Executor executor) {
    Verdict verdict;
    if (executor == Executor::adapter) {
        verdict.allowed = true;
        verdict.rule = "default: any to any";
        verdict.text =
            "there is no configuration: every partition may do everything with every other by "
            "adapter";
        return verdict;
    }
    verdict.rule = "default: direct only by the open entrance";
    verdict.condition = "both came in by the open entrance and live in one user namespace";
    verdict.text = "there is no configuration: direct is denied unless " + verdict.condition;
    return verdict;
}

}  // namespace

bool names_pair(const Rule& rule, std::string_view from, std::string_view to) {
    return (matches_one(rule.from, from) && matches_one(rule.to, to)) ||
           (rule.mutual && matches_one(rule.from, to) && matches_one(rule.to, from));
}

bool allows_service(const Rule& rule, const Asked& asked) {
    if (asked.operation != Operation::connect || rule.services.empty())
        return true;
    return !asked.service.empty() && matches_one(rule.services, asked.service);
}

bool allows_operation(const Rule& rule, Operation operation) {
    return (rule.operations & static_cast<std::uint8_t>(operation)) != 0;
}

bool allows_executor(const Rule& rule, Executor executor) {
    return executor == Executor::adapter || rule.executor == Executor::direct;
}

Verdict decide(const Config& config, std::string_view from, std::string_view to,
               Operation operation, Executor executor, std::string_view service) {
    if (!config.from_file)
        return without_file(executor);
    const Asked asked{from, to, operation, executor, service};
    for (const std::string_view name : {from, to}) {
        if (!may_attach(config, name))
            return unknown_partition(config, name);
    }
    for (const Rule& rule : config.rules) {
        if (names_pair(rule, from, to) && allows_operation(rule, operation) &&
            allows_executor(rule, executor) && allows_service(rule, asked))
            return allowed_by(rule);
    }
    return denied(config, asked);
}

Verdict decide_unit(const Config& config, std::string_view partition, std::string_view name,
                    UnitType type) {
    if (!config.from_file) {
        Verdict verdict;
        verdict.allowed = true;
        verdict.rule = "default: any controller";
        verdict.text =
            "there is no configuration: every partition may announce any controller of its own";
        return verdict;
    }
    if (!may_attach(config, partition))
        return unknown_partition(config, partition);
    const auto found = config.units.find(std::string(partition) + "/" + std::string(name));
    if (found == config.units.end() || found->second.type != type)
        return unit_denied(config, partition, name, type);
    return allowed_by(found->second);
}

std::uint8_t operations_allowed(const Config& config, std::string_view from, std::string_view to) {
    if (!config.from_file)
        return kAllOperations;
    if (!may_attach(config, from) || !may_attach(config, to))
        return 0;
    std::uint8_t operations = 0;
    for (const Rule& rule : config.rules) {
        if (names_pair(rule, from, to))
            operations |= rule.operations;
    }
    return operations;
}

SegmentAccess access_of(const Segment& segment, std::string_view partition) {
    if (matches_one(segment.writers, partition))
        return SegmentAccess::write;
    return matches_one(segment.readers, partition) ? SegmentAccess::read : SegmentAccess::none;
}

bool matches(std::string_view pattern, std::string_view name) noexcept {
    std::size_t p = 0;
    std::size_t n = 0;
    std::size_t star = std::string_view::npos;  // the last one, and what it stands for so far
    std::size_t taken = 0;
    while (n < name.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            taken = n;
        } else if (p < pattern.size() && pattern[p] == name[n]) {
            ++p;
            ++n;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            n = ++taken;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*')
        ++p;
    return p == pattern.size();
}

}  // namespace causeway::config
