#include "config/change.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "config/schema.hpp"

namespace causeway::config {
namespace {

using Kind = Change::Kind;

// "KEY OLD becomes NEW", for every key that differs, with commas between them.
template<typename T>
[[nodiscard]] std::string differing(std::span<const Key<T>> keys, const T& before, const T& after) {
    std::string text;
    for (const Key<T>& key : keys) {
        const std::string old_value = key.shown(before);
        const std::string new_value = key.shown(after);
        if (old_value == new_value)
            continue;
        text += (text.empty() ? "" : ", ") + std::string(key.name);
        text += old_value.empty() ? "" : " " + old_value;
        text += new_value.empty() ? " is taken away" : " becomes " + new_value;
    }
    return text;
}

class Differences {
public:
    void add(Kind kind, const std::string& name, std::string text) {
        list_.push_back({std::move(text), kind, name});
    }
    [[nodiscard]] std::vector<Change> take() && { return std::move(list_); }

private:
    std::vector<Change> list_;
};

void compare_adapters(const Adapter& before, const Adapter& after, Differences& differences) {
    for (const Key<Adapter>& key : adapter_keys()) {
        const std::string old_value = key.shown(before);
        const std::string new_value = key.shown(after);
        if (old_value != new_value)
            differences.add(Kind::needs_restart, std::string(key.name),
                            "adapter." + std::string(key.name) + " " + old_value + " becomes " +
                                new_value + " with the adapter's next start");
    }
}

void compare_partition(const Partition& before, const Partition& after, Differences& differences) {
    const std::string who = "partition '" + after.name + "': ";
    const auto keys = partition_keys();
    const auto identity = [](const Partition& partition) {
        return std::tie(partition.uid, partition.gid, partition.token_file);
    };
    if (identity(before) != identity(after)) {
        Partition same_else = after;
        same_else.weight = before.weight;
        differences.add(Kind::identity_changed, after.name,
                        who + differing(keys, before, same_else));
    }
    if (before.quota != after.quota)
        differences.add(Kind::quota_changed, after.name,
                        who + "quota: " + differing(quota_keys(), before.quota, after.quota));
    if (before.weight != after.weight)
        differences.add(Kind::weight_changed, after.name,
                        who + "weight " + std::to_string(before.weight) + " becomes " +
                            std::to_string(after.weight));
}

// Calls removed(), added() and both() for what stands in one of the maps or in both.
template<typename T, typename Removed, typename Added, typename Both>
void walk(const std::map<std::string, T>& before, const std::map<std::string, T>& after,
          Removed removed, Added added, Both both) {
    for (const auto& [name, old_value] : before) {
        if (const auto found = after.find(name); found != after.end())
            both(old_value, found->second);
        else
            removed(name);
    }
    for (const auto& [name, new_value] : after) {
        if (before.count(name) == 0)
            added(name);
    }
}

void compare_partitions(const Config& before, const Config& after, Differences& differences) {
    walk(
        before.partitions, after.partitions,
        [&](const std::string& name) {
            differences.add(Kind::partition_removed, name, "partition '" + name + "' is removed");
        },
        [&](const std::string& name) {
            differences.add(Kind::partition_added, name, "partition '" + name + "' is new");
        },
        [&](const Partition& one, const Partition& other) {
            compare_partition(one, other, differences);
        });
    if (before.quota != after.quota)
        differences.add(Kind::quota_changed, "",
                        "partitions of the open entrance: quota: " +
                            differing(quota_keys(), before.quota, after.quota));
}

void compare_segments(const Config& before, const Config& after, Differences& differences) {
    walk(
        before.segments, after.segments,
        [&](const std::string& name) {
            differences.add(Kind::segment_removed, name, "segment '" + name + "' is removed");
        },
        [&](const std::string& name) {
            differences.add(Kind::segment_added, name, "segment '" + name + "' is new");
        },
        [&](const Segment& one, const Segment& other) {
            if (!(one == other))
                differences.add(
                    Kind::segment_changed, other.name,
                    "segment '" + other.name + "': " + differing(segment_keys(), one, other));
        });
}

void compare_units(const Config& before, const Config& after, Differences& differences) {
    walk(
        before.units, after.units,
        [&](const std::string& name) {
            differences.add(Kind::unit_removed, name, "unit '" + name + "' is removed");
        },
        [&](const std::string& name) {
            differences.add(Kind::unit_added, name, "unit '" + name + "' is new");
        },
        [&](const Unit& one, const Unit& other) {
            if (one.type != other.type) {
                const std::string name = other.partition + "/" + other.name;
                differences.add(Kind::unit_changed, name,
                                "unit '" + name + "': " + differing(unit_keys(), one, other));
            }
        });
}

[[nodiscard]] bool allow_the_same(const Rule& one, const Rule& other) {
    const auto content = [](const Rule& rule) {
        return std::tie(rule.from, rule.to, rule.operations, rule.services, rule.executor,
                        rule.mutual);
    };
    return content(one) == content(other);
}

// The rules of `rules` that allow something else than each of `others`.
[[nodiscard]] std::vector<const Rule*> not_among(const std::vector<Rule>& rules,
                                                 const std::vector<Rule>& others) {
    std::vector<const Rule*> out;
    for (const Rule& rule : rules) {
        if (std::none_of(others.begin(), others.end(),
                         [&](const Rule& other) { return allow_the_same(rule, other); }))
            out.push_back(&rule);
    }
    return out;
}

void compare_rules(const Config& before, const Config& after, Differences& differences) {
    if (before.from_file != after.from_file)
        differences.add(Kind::rules_changed, "",
                        after.from_file ? "from now on only what a rule allows is allowed"
                                        : "there are no rules any more: the default holds");
    const auto removed = not_among(before.rules, after.rules);
    const auto added = not_among(after.rules, before.rules);
    std::set<std::string> both;
    for (const Rule* const rule : added) {
        const auto old_rule = std::find_if(removed.begin(), removed.end(), [&](const Rule* each) {
            return each->name == rule->name;
        });
        if (old_rule == removed.end()) {
            differences.add(Kind::rules_changed, rule->name, "rule '" + rule->name + "' is new");
            continue;
        }
        both.insert(rule->name);
        differences.add(Kind::rules_changed, rule->name,
                        "rule '" + rule->name + "': " + differing(rule_keys(), **old_rule, *rule));
    }
    for (const Rule* const rule : removed) {
        if (both.count(rule->name) == 0)
            differences.add(Kind::rules_changed, rule->name,
                            "rule '" + rule->name + "' is removed");
    }
}

}  // namespace

std::string_view change_name(Change::Kind kind) noexcept {
    switch (kind) {
        case Kind::partition_added:
            return "partition_added";
        case Kind::partition_removed:
            return "partition_removed";
        case Kind::identity_changed:
            return "identity_changed";
        case Kind::quota_changed:
            return "quota_changed";
        case Kind::weight_changed:
            return "weight_changed";
        case Kind::rules_changed:
            return "rules_changed";
        case Kind::segment_added:
            return "segment_added";
        case Kind::segment_removed:
            return "segment_removed";
        case Kind::segment_changed:
            return "segment_changed";
        case Kind::unit_added:
            return "unit_added";
        case Kind::unit_removed:
            return "unit_removed";
        case Kind::unit_changed:
            return "unit_changed";
        case Kind::needs_restart:
            return "needs_restart";
    }
    return "unknown";
}

std::vector<Change> changes(const Config& before, const Config& after) {
    Differences differences;
    compare_adapters(before.adapter, after.adapter, differences);
    compare_partitions(before, after, differences);
    compare_rules(before, after, differences);
    compare_segments(before, after, differences);
    compare_units(before, after, differences);
    return std::move(differences).take();
}

}  // namespace causeway::config
