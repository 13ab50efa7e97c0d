#include "config/denial.hpp"

#include "base/names.hpp"
#include "base/nearest.hpp"
#include "config/document.hpp"
#include "config/problems.hpp"

namespace causeway::config {
namespace {

constexpr char kNoRule[] = "no rule";
constexpr std::size_t kMostNear = 3;  // rules that a denial tells of

[[nodiscard]] std::string names_text(const std::vector<std::string>& names) {
    std::vector<std::string> words;
    for (const std::string& name : names)
        words.push_back("'" + name + "'");
    return listed(words, "and");
}

// Why a rule that names the pair does not allow it; a clause with the rule as its subject.
[[nodiscard]] std::string shortcoming(const Rule& rule, const Asked& asked) {
    if (!allows_operation(rule, asked.operation))
        return "does not have " + std::string(operation_name(asked.operation));
    if (!allows_executor(rule, asked.executor))
        return "has executor adapter only";
    return "has services " + names_text(rule.services) + " only";
}

// Does the rule name the pair the other way round?
[[nodiscard]] bool is_turned(const Rule& rule, const Asked& asked) {
    return !rule.mutual && names_pair(rule, asked.to, asked.from) &&
           allows_operation(rule, asked.operation);
}

[[nodiscard]] std::string near_rules(const Config& config, const Asked& asked) {
    std::string text;
    std::size_t told = 0;
    std::size_t left_out = 0;
    for (const Rule& rule : config.rules) {
        const bool pair = names_pair(rule, asked.from, asked.to);
        if (!pair && !is_turned(rule, asked))
            continue;
        if (++told > kMostNear) {
            ++left_out;
            continue;
        }
        text += (text.empty() ? "rule '" : ", rule '") + rule.name + "' (" + text_of(rule.origin) +
                ") " +
                (pair ? shortcoming(rule, asked) : "is for the other direction and not mutual");
    }
    if (left_out > 0)
        text += " and " + std::to_string(left_out) + " more";
    return text;
}

[[nodiscard]] std::string lines_for(const Asked& asked) {
    std::string lines = "[[allow]]\nfrom = " + quoted(asked.from) + "\nto = " + quoted(asked.to);
    if (asked.executor == Executor::direct)
        return lines + "\noperations = \"all\"\nexecutor = \"direct\"\nmutual = true";
    lines += "\noperations = " + quoted(operation_name(asked.operation));
    if (asked.operation == Operation::connect && !asked.service.empty())
        lines += "\nservices = " + quoted(asked.service);
    return lines;
}

[[nodiscard]] std::string question(const Asked& asked) {
    std::string text = "'" + printable(asked.from, kMaxName) + "' ";
    if (asked.operation == Operation::connect)
        text += "to connect to '" + printable(asked.to, kMaxName) + "'";
    else
        text += "to " + std::string(operation_name(asked.operation)) +
                (asked.operation == Operation::read ? " from '" : " to '") +
                printable(asked.to, kMaxName) + "'";
    if (asked.operation == Operation::connect && !asked.service.empty())
        text += ", service '" + printable(asked.service, kMaxName) + "',";
    return text + (asked.executor == Executor::direct ? " by direct" : " by adapter");
}

}  // namespace

Verdict denied(const Config& config, const Asked& asked) {
    Verdict verdict;
    verdict.rule = kNoRule;
    const std::string near = near_rules(config, asked);
    verdict.text =
        "no rule allows " + question(asked) + ": " + (near.empty() ? "none names this pair" : near);
    verdict.remedy = lines_for(asked);
    verdict.text += "; to allow it, add to the file:\n" + verdict.remedy;
    return verdict;
}

Verdict unit_denied(const Config& config, std::string_view partition, std::string_view name,
                    UnitType type) {
    const std::string key = std::string(partition) + "/" + std::string(name);
    Verdict verdict;
    verdict.remedy = "[" + path_of("unit", key) + "]\ntype = " + quoted(unit_type_name(type));
    if (const auto found = config.units.find(key); found != config.units.end()) {
        verdict.rule = "unit " + key;
        verdict.text = "unit '" + key + "' (" + text_of(found->second.origin) + ") has type " +
                       std::string(unit_type_name(found->second.type)) + ", not " +
                       std::string(unit_type_name(type)) + "; to allow it, write there instead:\n" +
                       verdict.remedy;
        return verdict;
    }
    std::vector<std::string> names;
    for (const auto& [each, unit] : config.units) {
        if (unit.partition == partition)
            names.push_back(unit.name);
    }
    verdict.rule = kNoRule;
    verdict.text =
        "there is no unit '" + printable(key, 2 * kMaxName + 1) + "' in the configuration";
    if (const std::string nearest = nearest_word(name, names); !nearest.empty())
        verdict.text += " (did you mean '" + nearest + "'?)";
    verdict.text += "; to allow it, add to the file:\n" + verdict.remedy;
    return verdict;
}

Verdict unknown_partition(const Config& config, std::string_view name) {
    std::vector<std::string> names;
    for (const auto& [each, partition] : config.partitions)
        names.push_back(each);
    Verdict verdict;
    verdict.rule = kNoRule;
    verdict.text = "there is no partition '" + printable(name, kMaxName) + "' in the configuration";
    if (const std::string nearest = nearest_word(name, names); !nearest.empty())
        verdict.text += " (did you mean '" + nearest + "'?)";
    verdict.remedy = "[" + path_of("partition", name) + "]";
    verdict.text += "; to declare it, add to the file:\n" + verdict.remedy;
    return verdict;
}

}  // namespace causeway::config
