#include "config/document.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <tuple>
#include <utility>

#include "base/names.hpp"
#include "config/syntax.hpp"

namespace causeway::config {
namespace {

// Beyond this many dots outside of quotes a line is refused: the library walks down nested tables
// by recursion, and a long enough key would overflow its stack.
constexpr std::size_t kMostDots = 32;

[[nodiscard]] Origin origin_of(const toml::source_region& region, const std::string& name) {
    return {Origin::Kind::file, name, region.begin.line, region.begin.column};
}

// The value, and everything below, has its path and its origins.
[[nodiscard]] Value value_of(const toml::node& node, const std::string& path,
                             const std::string& name);

void take_members(Value& into, const toml::table& table, const std::string& name) {
    for (const auto& [key, member] : table) {
        Value value = value_of(member, path_of(into.path, key.str()), name);
        value.key = std::string(key.str());
        value.key_at = origin_of(key.source(), name);
        into.members.push_back(std::move(value));
    }
    std::sort(into.members.begin(), into.members.end(), [](const Value& one, const Value& other) {
        return std::tie(one.key_at.line, one.key_at.column, one.key) <
               std::tie(other.key_at.line, other.key_at.column, other.key);
    });
}

Value value_of(const toml::node& node, const std::string& path, const std::string& name) {
    Value value;
    value.at = origin_of(node.source(), name);
    value.path = path;
    if (const auto* const table = node.as_table()) {
        value.kind = Value::Kind::table;
        take_members(value, *table, name);
    } else if (const auto* const array = node.as_array()) {
        value.kind = Value::Kind::array;
        for (const toml::node& item : *array)
            value.items.push_back(value_of(item, path_of(path, value.items.size()), name));
    } else if (const auto* const text = node.as_string()) {
        value.kind = Value::Kind::text;
        value.text = text->get();
    } else if (const auto* const integer = node.as_integer()) {
        value.kind = Value::Kind::integer;
        value.integer = integer->get();
    } else if (const auto* const real = node.as_floating_point()) {
        value.kind = Value::Kind::real;
        value.real = real->get();
    } else if (const auto* const truth = node.as_boolean()) {
        value.kind = Value::Kind::truth;
        value.truth = truth->get();
    } else {
        value.kind = Value::Kind::time;
    }
    return value;
}

struct Refused {
    std::string text;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
};

[[nodiscard]] std::optional<Refused> too_deep(std::string_view toml) {
    std::uint32_t number = 0;
    while (!toml.empty()) {
        const std::size_t end = std::min(toml.find('\n'), toml.size() - 1);
        const std::string_view line = toml.substr(0, end + 1);
        toml.remove_prefix(end + 1);
        ++number;
        const std::size_t at = dot_outside_quotes(line, kMostDots);
        if (at != std::string_view::npos)
            return Refused{"a line with more than " + std::to_string(kMostDots) +
                               " dots outside of quotes; no key is as long as that",
                           number, static_cast<std::uint32_t>(at + 1)};
    }
    return std::nullopt;
}

// The root table, or why there is none.
[[nodiscard]] std::optional<Refused> parse(std::string_view toml, const std::string& name,
                                           Value& root) {
    if (auto refused = too_deep(toml))
        return refused;
    try {
        const toml::table table = toml::parse(toml);
        root = value_of(table, "", name);
        return std::nullopt;
    } catch (const toml::parse_error& error) {
        const toml::source_position at = error.source().begin;
        return Refused{std::string(error.description()), at.line, at.column};
    }
}

// Makes what `value` and everything below says come from `origin`, under `path`.
void relocate(Value& value, const std::string& path, const Origin& origin) {
    value.path = path;
    value.at = origin;
    value.key_at = origin;
    for (Value& member : value.members)
        relocate(member, path_of(path, member.key), origin);
    for (std::size_t i = 0; i < value.items.size(); ++i)
        relocate(value.items[i], path_of(path, i), origin);
}

// KEY as TOML reads it: "partition.\"a.b\".uid" is three steps. Empty: that is no key.
[[nodiscard]] std::vector<std::string> steps_of(const std::string& key) {
    Value root;
    std::vector<std::string> steps;
    if (parse(key + " = 0", "", root))
        return steps;
    for (const Value* at = &root; at->kind == Value::Kind::table; at = &at->members.front()) {
        if (at->members.size() != 1)
            return {};
        steps.push_back(at->members.front().key);
    }
    return steps;
}

// Quotes, or brackets around it: no bare word ("[::1]:9464" is one).
[[nodiscard]] bool meant_as_toml(const std::string& text) {
    constexpr std::string_view kOpening = "[{";
    constexpr std::string_view kClosing = "]}";
    return text.find_first_of("\"'\n") != std::string::npos ||
           (!text.empty() && kOpening.find(text.front()) != std::string_view::npos &&
            kClosing.find(text.back()) != std::string_view::npos);
}

// VALUE in TOML, or a bare word.
[[nodiscard]] std::optional<Value> read_value(const std::string& text) {
    Value root;
    if (!parse("v = " + text, "", root) && root.members.size() == 1)
        return std::move(root.members.front());
    if (meant_as_toml(text))
        return std::nullopt;
    Value word;
    word.kind = Value::Kind::text;
    word.text = text;
    return word;
}

void lay_over(Value& below, Value above) {
    if (below.kind != Value::Kind::table || above.kind != Value::Kind::table) {
        below = std::move(above);
        return;
    }
    for (Value& member : above.members) {
        const auto same = std::find_if(below.members.begin(), below.members.end(),
                                       [&](const Value& each) { return each.key == member.key; });
        if (same == below.members.end())
            below.members.push_back(std::move(member));
        else
            lay_over(*same, std::move(member));
    }
}

}  // namespace

const Value* Value::member(std::string_view name) const noexcept {
    const auto found = std::find_if(members.begin(), members.end(),
                                    [&](const Value& each) { return each.key == name; });
    return found == members.end() ? nullptr : &*found;
}

std::string_view kind_name(Value::Kind kind) noexcept {
    switch (kind) {
        case Value::Kind::text:
            return "a string";
        case Value::Kind::integer:
            return "a whole number";
        case Value::Kind::real:
            return "a number with a fraction";
        case Value::Kind::truth:
            return "a truth value";
        case Value::Kind::time:
            return "a date or time";
        case Value::Kind::array:
            return "an array";
        case Value::Kind::table:
            return "a table";
    }
    return "a value";
}

std::string shown(const Value& value) {
    switch (value.kind) {
        case Value::Kind::text:
            return quoted(printable(value.text, 40));
        case Value::Kind::integer:
            return std::to_string(value.integer);
        case Value::Kind::real:
            return real_text(value.real);
        case Value::Kind::truth:
            return value.truth ? "true" : "false";
        default:
            return std::string(kind_name(value.kind));
    }
}

std::string path_of(const std::string& path, std::string_view member) {
    const std::string name = is_bare_key(member) ? std::string(member) : quoted(member);
    return path.empty() ? name : path + "." + name;
}

std::string path_of(const std::string& path, std::size_t item) {
    return path + "[" + std::to_string(item + 1) + "]";
}

Value parse_document(std::string_view toml, const std::string& name, Problems& problems) {
    Value root;
    if (const auto refused = parse(toml, name, root)) {
        root = Value{};
        problems.error({Origin::Kind::file, name, refused->line,
                        syntax_column(toml, refused->line, refused->column, refused->text)},
                       "this is no TOML: " + refused->text,
                       syntax_suggestion(toml, refused->line, refused->text));
    }
    root.at = {Origin::Kind::file, name, 1, 1};
    return root;
}

void set_value(Value& root, const std::string& key, const std::string& value, const Origin& origin,
               Problems& problems) {
    const std::vector<std::string> steps = steps_of(key);
    if (steps.empty()) {
        problems.error(origin, quoted(printable(key)) + " is no key",
                       "write adapter.movers=2, or partition.\"a.b\".weight=200 where a name has "
                       "a dot");
        return;
    }
    auto leaf = read_value(value);
    if (!leaf) {
        problems.error(origin, key + ": " + quoted(printable(value)) + " is no TOML",
                       "check its quotes and brackets; a word without any is a string");
        return;
    }
    for (std::size_t i = steps.size(); i-- > 0;) {
        leaf->key = steps[i];
        Value table;
        table.members.push_back(*std::move(leaf));
        leaf = std::move(table);
    }
    relocate(*leaf, "", origin);
    lay_over(root, *std::move(leaf));
}

}  // namespace causeway::config
