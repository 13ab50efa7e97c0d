// [unit."PARTITION/NAME"]: reading one controller that a partition may announce.
#include <array>

#include "base/names.hpp"
#include "config/schema.hpp"
#include "config/values.hpp"

namespace causeway::config {
namespace {

constexpr std::array<UnitType, 4> kTypes{UnitType::network, UnitType::block, UnitType::security,
                                         UnitType::other};

[[nodiscard]] std::vector<std::string> type_words() {
    std::vector<std::string> words;
    for (const UnitType type : kTypes)
        words.emplace_back(unit_type_name(type));
    return words;
}

constexpr std::array<Key<Unit>, 1> kUnitKeys{{
    {"type",
     [](Draft& draft, const Value& value, Unit& into) {
         if (const auto name = read_choice(draft, value, type_words()))
             store(draft, value, unit_type_of(*name), into.type);
     },
     [](const Unit& from) { return quoted(unit_type_name(from.type)); }},
}};

// For a key without a slash: what was probably meant.
[[nodiscard]] std::string whole_name(const Value& table) {
    for (const Value& member : table.members) {
        if (member.kind == Value::Kind::table)  // [unit.net.lan0]
            return "write [" + path_of("unit", table.key + "/" + member.key) + "]";
    }
    return "put its partition in front: " + ("[" + path_of("unit", "PARTITION/" + table.key) + "]");
}

[[nodiscard]] std::optional<Target> read_target(Draft& draft, const Value& table) {
    const std::size_t slash = table.key.find('/');
    if (slash == std::string::npos) {
        draft.problems.error(table.key_at,
                             "unit " + quoted(printable(table.key)) +
                                 " does not say whose it is: it has to be \"PARTITION/NAME\"",
                             whole_name(table));
        return std::nullopt;
    }
    Target target{table.key.substr(0, slash), table.key.substr(slash + 1)};
    for (const auto& [kind, name] :
         {std::pair("partition", &target.partition), std::pair("unit", &target.service)}) {
        if (const auto checked = check_name(kind, *name); !checked) {
            draft.problems.error(table.key_at, checked.error().text);
            return std::nullopt;
        }
    }
    return target;
}

}  // namespace

std::span<const Key<Unit>> unit_keys() { return kUnitKeys; }

void read_unit(Draft& draft, const Value& table) {
    const auto target = read_target(draft, table);
    if (!target || !is_table(draft, table, "write [" + table.path + "] and its type below"))
        return;
    Unit unit;
    unit.partition = target->partition;
    unit.name = target->service;
    unit.origin = table.key_at;
    read_members(draft, table, "[" + table.path + "]", unit_keys(), unit);
    if (table.member("type") == nullptr)
        draft.problems.error(
            table.key_at, "[" + table.path + "] lacks its type",
            "add type = " +
                listed({"\"network\"", "\"block\"", "\"security\"", "\"other\""}, "or"));
    draft.origins[table.path] = table.key_at;
    draft.config.units.emplace(table.key, std::move(unit));
}

}  // namespace causeway::config
