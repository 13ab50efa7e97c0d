#include "config/schema.hpp"

#include <algorithm>
#include <array>

#include "base/names.hpp"
#include "config/values.hpp"

namespace causeway::config {
namespace {

constexpr std::uint64_t kLeastSize = 4096;
constexpr std::uint64_t kMostSegment = std::uint64_t{1} << 40;
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMostWeight = 10000;
constexpr std::size_t kMostRules = 4096;  // each is compared with each

// What the adapter keeps in its runtime directory beside the partitions' entrances, and the name of
// the open entrance in listings.
constexpr std::array<std::string_view, 3> kReserved{"open", "fabric.sock", "journal"};

void read_quota(Draft& draft, const Value& table, const std::string& where, Quota& into) {
    if (is_table(draft, table, "write [quota] and its keys below"))
        read_members(draft, table, where, quota_keys(), into);
}

void read_segment_size(Draft& draft, const Value& value, Segment& into) {
    const auto size = read_size(draft, value, {kLeastSize, kMostSegment});
    if (size && *size % kPage != 0) {
        const std::uint64_t next = (*size / kPage + 1) * kPage;
        draft.problems.error(value.at,
                             value.path + " is " + shown(value) + ", not a multiple of 4096",
                             "write size = " + size_shown(next));
        return;
    }
    store(draft, value, size, into.size);
}

constexpr std::array<Key<Partition>, 5> kPartitionKeys{{
    {"uid",
     [](Draft& draft, const Value& value, Partition& into) {
         store(draft, value, read_user(draft, value), into.uid);
     },
     [](const Partition& from) { return from.uid ? std::to_string(*from.uid) : std::string(); }},
    {"gid",
     [](Draft& draft, const Value& value, Partition& into) {
         store(draft, value, read_group(draft, value), into.gid);
     },
     [](const Partition& from) { return from.gid ? std::to_string(*from.gid) : std::string(); }},
    {"token_file",
     [](Draft& draft, const Value& value, Partition& into) {
         store(draft, value, read_token_file(draft, value), into.token_file);
     },
     [](const Partition& from) { return quoted(from.token_file); }},
    {"weight",
     [](Draft& draft, const Value& value, Partition& into) {
         store(draft, value, read_number(draft, value, {1, kMostWeight}), into.weight);
     },
     [](const Partition& from) { return std::to_string(from.weight); }},
    {"quota",
     [](Draft& draft, const Value& value, Partition& into) {
         read_quota(draft, value, "[" + value.path + "]", into.quota);
     },
     [](const Partition&) { return std::string(); }},
}};

constexpr std::array<Key<Segment>, 3> kSegmentKeys{{
    {"size", read_segment_size, [](const Segment& from) { return size_shown(from.size); }},
    {"readers",
     [](Draft& draft, const Value& value, Segment& into) {
         if (auto patterns = read_patterns(draft, value))
             into.readers = *std::move(patterns);
     },
     [](const Segment& from) {
         return from.readers.empty() ? std::string() : quoted_list(from.readers);
     }},
    {"writers",
     [](Draft& draft, const Value& value, Segment& into) {
         if (auto patterns = read_patterns(draft, value))
             into.writers = *std::move(patterns);
     },
     [](const Segment& from) {
         return from.writers.empty() ? std::string() : quoted_list(from.writers);
     }},
}};

// Is the key of [partition.NAME] or [segment.NAME] a name? If not, that is reported.
[[nodiscard]] bool good_name(Draft& draft, const Value& table, const std::string& kind) {
    if (const auto checked = check_name(kind, table.key); !checked) {
        draft.problems.error(table.key_at, checked.error().text);
        return false;
    }
    return true;
}

void read_partition(Draft& draft, const Value& table) {
    if (!good_name(draft, table, "partition") ||
        !is_table(draft, table, "write [" + table.path + "] and its keys below"))
        return;
    if (std::find(kReserved.begin(), kReserved.end(), table.key) != kReserved.end()) {
        draft.problems.error(table.key_at,
                             "partition name \"" + table.key + "\" is taken by the adapter itself",
                             "take another, such as \"" + table.key + "-1\"");
        return;
    }
    Partition partition;
    partition.name = table.key;
    partition.quota = draft.config.quota;
    read_members(draft, table, "[" + table.path + "]", partition_keys(), partition);
    draft.origins[table.path] = table.key_at;
    draft.config.partitions.emplace(table.key, std::move(partition));
}

void read_segment(Draft& draft, const Value& table) {
    if (!good_name(draft, table, "segment") ||
        !is_table(draft, table, "write [" + table.path + "] and its keys below"))
        return;
    Segment segment;
    segment.name = table.key;
    read_members(draft, table, "[" + table.path + "]", segment_keys(), segment);
    if (table.member("size") == nullptr)
        draft.problems.error(table.key_at, "[" + table.path + "] lacks its size",
                             "add size = \"1M\", or whatever it needs");
    if (table.member("readers") == nullptr && table.member("writers") == nullptr)
        draft.problems.warning(
            table.key_at,
            "[" + table.path + "] has neither readers nor writers: nobody may open it",
            "add writers = \"NAME\" and readers = [\"NAME\"]");
    draft.origins[table.path] = table.key_at;
    draft.config.segments.emplace(table.key, std::move(segment));
}

void read_each(Draft& draft, const Value& tables, void (*read)(Draft&, const Value&)) {
    const std::string example = tables.key == "segment" ? "prices"
                                : tables.key == "unit"  ? "\"net/lan0\""
                                                        : "orders";
    if (!is_table(draft, tables, "write [" + tables.key + "." + example + "] and its keys below"))
        return;
    for (const Value& table : tables.members)
        read(draft, table);
}

void read_rules(Draft& draft, const Value& rules) {
    if (rules.kind == Value::Kind::table) {
        draft.problems.error(rules.key_at, "allow is one table; there can be many rules",
                             "write [[allow]] instead of [allow]");
        return;
    }
    if (rules.kind != Value::Kind::array) {
        wrong_type(draft, rules, "an array of tables", "write [[allow]] and the rule below");
        return;
    }
    if (rules.items.size() > kMostRules) {
        draft.problems.error(rules.items[kMostRules].at,
                             std::to_string(rules.items.size()) + " rules; at most " +
                                 std::to_string(kMostRules) + " are read",
                             "put several names or patterns into one rule");
        return;
    }
    for (const Value& rule : rules.items) {
        if (is_table(draft, rule, "write [[allow]] and the rule below"))
            read_rule(draft, rule);
    }
}

void read_adapter(Draft& draft, const Value& table) {
    if (is_table(draft, table, "write [adapter] and its keys below"))
        read_members(draft, table, "[adapter]", adapter_keys(), draft.config.adapter);
}

// A table of the root that there is none of; keys that belong into [adapter] or [quota] are found.
void unknown_table(Draft& draft, const Value& member) {
    const std::vector<std::string> tables{"adapter", "quota", "partition",
                                          "segment", "unit",  "allow"};
    const auto holds = [&](const std::vector<std::string>& names) {
        return std::find(names.begin(), names.end(), member.key) != names.end();
    };
    std::string suggestion;
    if (holds(names_of(adapter_keys())))
        suggestion = "write it below [adapter]";
    else if (holds(names_of(quota_keys())))
        suggestion = "write it below [quota]";
    else if (holds({"rule", "rules", "policy"}))
        suggestion = "did you mean 'allow'?";
    else if (holds({"controller", "controllers"}))
        suggestion = "did you mean 'unit'?";
    else
        suggestion = meant(member.key, tables);
    const bool is_array = member.kind == Value::Kind::array;
    const bool is_table = member.kind == Value::Kind::table || is_array;
    const std::string name = quoted(printable(member.key));
    draft.problems.error(member.key_at,
                         is_table ? "there is no table " + name
                                  : "there is no key " + name + " outside of the tables",
                         std::move(suggestion));
}

}  // namespace

std::span<const Key<Partition>> partition_keys() { return kPartitionKeys; }
std::span<const Key<Segment>> segment_keys() { return kSegmentKeys; }

void unknown_key(Draft& draft, const Value& value, const std::string& where,
                 const std::vector<std::string>& known) {
    draft.problems.error(value.key_at,
                         "there is no key " + quoted(printable(value.key)) + " in " + where,
                         meant(value.key, known));
}

bool is_table(Draft& draft, const Value& value, const std::string& suggestion) {
    if (value.kind == Value::Kind::table)
        return true;
    wrong_type(draft, value, "a table", suggestion);
    return false;
}

void read_root(Draft& draft, const Value& root) {
    // First, because every partition's own quota stands on top of it.
    if (const Value* const quota = root.member("quota"))
        read_quota(draft, *quota, "[quota]", draft.config.quota);
    for (const Value& member : root.members) {
        if (member.key == "quota")
            continue;
        if (member.key == "adapter")
            read_adapter(draft, member);
        else if (member.key == "partition")
            read_each(draft, member, read_partition);
        else if (member.key == "segment")
            read_each(draft, member, read_segment);
        else if (member.key == "unit")
            read_each(draft, member, read_unit);
        else if (member.key == "allow")
            read_rules(draft, member);
        else
            unknown_table(draft, member);
    }
}

}  // namespace causeway::config
