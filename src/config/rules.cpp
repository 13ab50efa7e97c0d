// [[allow]]: reading one rule.
#include <array>

#include "base/names.hpp"
#include "config/schema.hpp"
#include "config/values.hpp"

namespace causeway::config {
namespace {

constexpr char kAll[] = "all";
constexpr char kNone[] = "no rule";  // what a denial names where there is none
constexpr std::array<Operation, 5> kOperations{
    Operation::connect, Operation::send, Operation::write, Operation::read, Operation::append};

[[nodiscard]] std::vector<std::string> operation_words() {
    std::vector<std::string> words;
    for (const Operation operation : kOperations)
        words.emplace_back(operation_name(operation));
    words.emplace_back(kAll);
    return words;
}

void read_name(Draft& draft, const Value& value, Rule& into) {
    const auto name = read_text(draft, value);
    if (!name)
        return;
    if (name->empty() || name->size() > kMaxName || printable(*name) != *name || *name == kNone) {
        draft.problems.error(value.at,
                             value.path + " is " + shown(value) + ", which is no rule's name",
                             "take 1 to 63 printable characters without quotes");
        return;
    }
    store(draft, value, name, into.name);
}

void read_operations(Draft& draft, const Value& value, Rule& into) {
    const auto words = read_texts(draft, value);
    if (!words)
        return;
    std::uint8_t operations = 0;
    bool good = true;
    for (std::size_t i = 0; i < words->size(); ++i) {
        const std::string& word = (*words)[i];
        const auto operation = operation_of(word);
        if (operation) {
            operations |= static_cast<std::uint8_t>(*operation);
        } else if (word == kAll) {
            operations = kAllOperations;
        } else {
            good = false;
            draft.problems.error(
                draft.origin_of(value.path, i),
                value.path + " has " + quoted(printable(word, 40)) + ", which is no operation",
                meant(word, operation_words()));
        }
    }
    if (good)
        store(draft, value, std::optional(operations), into.operations);
}

[[nodiscard]] std::string operations_shown(const Rule& from) {
    if (from.operations == kAllOperations)
        return quoted(kAll);
    std::vector<std::string> words;
    for (const Operation operation : kOperations) {
        if ((from.operations & static_cast<std::uint8_t>(operation)) != 0)
            words.emplace_back(operation_name(operation));
    }
    return quoted_list(words);
}

template<std::vector<std::string> Rule::*member>
void read_list(Draft& draft, const Value& value, Rule& into) {
    if (auto patterns = read_patterns(draft, value))
        into.*member = *std::move(patterns);
}
template<std::vector<std::string> Rule::*member>
std::string list_shown(const Rule& from) {
    return (from.*member).empty() ? std::string() : quoted_list(from.*member);
}

constexpr std::array<Key<Rule>, 7> kRuleKeys{{
    {"name", read_name, [](const Rule& from) { return quoted(from.name); }},
    {"from", read_list<&Rule::from>, list_shown<&Rule::from>},
    {"to", read_list<&Rule::to>, list_shown<&Rule::to>},
    {"operations", read_operations, operations_shown},
    {"services", read_list<&Rule::services>, list_shown<&Rule::services>},
    {"executor",
     [](Draft& draft, const Value& value, Rule& into) {
         if (const auto name = read_choice(draft, value, {"adapter", "direct"}))
             store(draft, value,
                   std::optional(*name == "direct" ? Executor::direct : Executor::adapter),
                   into.executor);
     },
     [](const Rule& from) {
         return quoted(from.executor == Executor::direct ? "direct" : "adapter");
     }},
    {"mutual",
     [](Draft& draft, const Value& value, Rule& into) {
         store(draft, value, read_truth(draft, value), into.mutual);
     },
     [](const Rule& from) { return truth_shown(from.mutual); }},
}};

void check_required(Draft& draft, const Value& table) {
    struct Required {
        const char* key;
        const char* example;
    };
    for (const Required& required :
         {Required{"from", "from = \"orders\""}, Required{"to", "to = \"billing\""},
          Required{"operations", "operations = [\"connect\", \"send\"], or \"all\""}}) {
        if (table.member(required.key) == nullptr)
            draft.problems.error(table.at,
                                 table.path + " lacks '" + std::string(required.key) + "'",
                                 "add " + std::string(required.example));
    }
}

// Peers by executor direct map each other's memory.
void check_direct(Draft& draft, const Value& table, const Rule& rule) {
    const bool all = rule.operations == kAllOperations;
    if (rule.executor != Executor::direct || rule.operations == 0 || (all && rule.mutual))
        return;
    const std::string lacking = all           ? "mutual = true"
                                : rule.mutual ? "operations = \"all\""
                                              : "mutual = true and operations = \"all\"";
    draft.problems.error(draft.origin_of(table.path + ".executor"),
                         "rule '" + rule.name +
                             "' allows direct, where both sides map each other's memory and nobody "
                             "can hold either to some operations",
                         "add " + lacking + ", or take executor = \"adapter\"");
}

void check_services(Draft& draft, const Value& table, const Rule& rule) {
    const auto connect = static_cast<std::uint8_t>(Operation::connect);
    if (rule.services.empty() || rule.operations == 0 || (rule.operations & connect) != 0)
        return;
    draft.problems.warning(
        draft.origin_of(table.path + ".services", 0),
        "rule '" + rule.name +
            "' names services but does not allow to connect: they have no effect",
        "add \"connect\" to its operations, or take the services out");
}

}  // namespace

std::span<const Key<Rule>> rule_keys() { return kRuleKeys; }

void read_rule(Draft& draft, const Value& table) {
    Rule rule;
    rule.name = "allow " + std::to_string(draft.config.rules.size() + 1);
    rule.origin = table.at;
    read_members(draft, table, "[[allow]]", rule_keys(), rule);
    check_required(draft, table);
    check_direct(draft, table, rule);
    check_services(draft, table, rule);
    draft.config.rules.push_back(std::move(rule));
}

}  // namespace causeway::config
