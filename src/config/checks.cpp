// What can only be seen once all of a configuration is there: names that nobody has, rules that
// change nothing.
#include <algorithm>

#include "base/nearest.hpp"
#include "config/cover.hpp"
#include "config/draft.hpp"
#include "config/policy.hpp"

namespace causeway::config {
namespace {

[[nodiscard]] std::vector<std::string> partition_names(const Config& config) {
    std::vector<std::string> names;
    for (const auto& [name, partition] : config.partitions)
        names.push_back(name);
    return names;
}

[[nodiscard]] bool matches_any(const std::string& pattern, const std::vector<std::string>& names) {
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& name) { return matches(pattern, name); });
}

[[nodiscard]] std::string declare(const std::string& name) {
    return "declare it: " + ("[" + path_of("partition", name) + "]");
}

class NameCheck {
public:
    explicit NameCheck(Draft& draft) : draft_(draft), names_(partition_names(draft.config)) {}

    // `name`, which stands at `where` and is no pattern, has to be somebody's.
    void look(const Origin& where, const std::string& path, const std::string& name) {
        if (!matches_any(name, names_))
            undeclared(where, path, name);
    }
    // Every pattern of `list`, which stands at `path`, has to mean somebody.
    void look(const std::string& path, const std::vector<std::string>& list) {
        for (std::size_t i = 0; i < list.size(); ++i) {
            if (matches_any(list[i], names_))
                continue;
            const Origin where = draft_.origin_of(path, i);
            if (list[i].find('*') == std::string::npos)
                undeclared(where, path, list[i]);
            else if (!draft_.config.adapter.open_entrance)
                idle(where, path, list[i]);
        }
    }

private:
    void undeclared(const Origin& where, const std::string& path, const std::string& name) {
        const std::string text = path + " names partition '" + name + "', which is not declared";
        const std::string nearest = nearest_word(name, names_);
        std::string suggestion = nearest.empty()
                                     ? declare(name)
                                     : "did you mean '" + nearest + "'? Else " + declare(name);
        if (draft_.config.adapter.open_entrance)
            draft_.problems.warning(where,
                                    text + "; whoever comes in by the open entrance may take it",
                                    std::move(suggestion));
        else
            draft_.problems.error(where, text, std::move(suggestion));
    }
    void idle(const Origin& where, const std::string& path, const std::string& pattern) {
        draft_.problems.warning(
            where, path + " has '" + pattern + "', which no declared partition matches",
            names_.empty() ? "declare one, such as [partition.orders]"
                           : "there are " + listed(names_, "and"));
    }

    Draft& draft_;
    std::vector<std::string> names_;
};

void check_rule_names(Draft& draft) {
    const std::vector<Rule>& rules = draft.config.rules;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        for (std::size_t before = 0; before < i; ++before) {
            if (rules[before].name != rules[i].name)
                continue;
            const Origin name = draft.origin_of(path_of(path_of("allow", i), "name"));
            draft.problems.error(name.kind == Origin::Kind::built_in ? rules[i].origin : name,
                                 "rule '" + rules[i].name + "' has the name of the one at " +
                                     text_of(rules[before].origin),
                                 "give it another name: denials name rules");
            break;
        }
    }
}

[[nodiscard]] bool complete(const Rule& rule) {
    return !rule.from.empty() && !rule.to.empty() && rule.operations != 0;
}

void check_covered(Draft& draft) {
    const std::vector<Rule>& rules = draft.config.rules;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        for (std::size_t other = 0; complete(rules[i]) && other < rules.size(); ++other) {
            if (other == i || !complete(rules[other]) || !covers(rules[other], rules[i]))
                continue;
            if (other > i && covers(rules[i], rules[other]))
                continue;  // they allow the same: the later one is told of
            draft.problems.warning(rules[i].origin,
                                   "rule '" + rules[i].name + "' changes nothing: rule '" +
                                       rules[other].name + "' at " + text_of(rules[other].origin) +
                                       " allows all of it",
                                   "take one of the two out");
            break;
        }
    }
}

}  // namespace

Origin Draft::origin_of(const std::string& path) const {
    const auto found = origins.find(path);
    return found == origins.end() ? Origin{} : found->second;
}

Origin Draft::origin_of(const std::string& path, std::size_t item) const {
    const auto found = origins.find(path_of(path, item));
    return found == origins.end() ? origin_of(path) : found->second;
}

void check_names(Draft& draft) {
    NameCheck check(draft);
    for (const auto& [name, segment] : draft.config.segments) {
        const std::string path = path_of("segment", name);
        check.look(path_of(path, "readers"), segment.readers);
        check.look(path_of(path, "writers"), segment.writers);
    }
    for (const auto& [key, unit] : draft.config.units)
        check.look(unit.origin, path_of("unit", key), unit.partition);
    for (std::size_t i = 0; i < draft.config.rules.size(); ++i) {
        const std::string path = path_of("allow", i);
        check.look(path_of(path, "from"), draft.config.rules[i].from);
        check.look(path_of(path, "to"), draft.config.rules[i].to);
    }
}

void check_rules(Draft& draft) {
    check_rule_names(draft);
    check_covered(draft);
}

}  // namespace causeway::config
