#include "config/config.hpp"

#include <algorithm>
#include <array>

#include "config/draft.hpp"
#include "platform/files.hpp"

namespace causeway::config {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;
constexpr std::array<std::pair<Operation, std::string_view>, 5> kOperationNames{{
    {Operation::connect, "connect"},
    {Operation::send, "send"},
    {Operation::write, "write"},
    {Operation::read, "read"},
    {Operation::append, "append"},
}};

constexpr std::array<std::pair<UnitType, std::string_view>, 4> kUnitTypeNames{{
    {UnitType::network, "network"},
    {UnitType::block, "block"},
    {UnitType::security, "security"},
    {UnitType::other, "other"},
}};

[[nodiscard]] Loaded finish(Draft draft) {
    Loaded loaded;
    loaded.settings = settings_of(draft);
    loaded.config = std::move(draft.config);
    loaded.problems = std::move(draft.problems).by_place();
    return loaded;
}

// Does it say who may do what, be it by options alone?
[[nodiscard]] bool decides(const Value& root) {
    return std::any_of(root.members.begin(), root.members.end(), [](const Value& member) {
        return member.key == "partition" || member.key == "segment" || member.key == "unit" ||
               member.key == "allow";
    });
}

[[nodiscard]] Loaded read(Draft draft, Value root, const Overrides& overrides) {
    apply(overrides, root, draft.problems);
    draft.config.from_file = draft.config.from_file || decides(root);
    read_root(draft, root);
    check_names(draft);
    check_rules(draft);
    return finish(std::move(draft));
}

}  // namespace

std::string text_of(const Origin& origin) {
    if (origin.kind == Origin::Kind::built_in)
        return "built in";
    if (origin.line == 0)
        return origin.name;
    std::string text = origin.name + ":" + std::to_string(origin.line);
    if (origin.column != 0)
        text += ":" + std::to_string(origin.column);
    return text;
}

std::string text_of(const Problem& problem) {
    std::string text = text_of(problem.where);
    text += problem.severity == Problem::Severity::error ? ": error: " : ": warning: ";
    text += problem.text;
    if (!problem.suggestion.empty())
        text += "\n    " + problem.suggestion;
    return text;
}

std::string_view operation_name(Operation operation) noexcept {
    for (const auto& [each, name] : kOperationNames) {
        if (each == operation)
            return name;
    }
    return "unknown";
}

std::optional<Operation> operation_of(std::string_view name) noexcept {
    for (const auto& [operation, each] : kOperationNames) {
        if (each == name)
            return operation;
    }
    return std::nullopt;
}

std::string_view unit_type_name(UnitType type) noexcept {
    for (const auto& [each, name] : kUnitTypeNames) {
        if (each == type)
            return name;
    }
    return "unknown";
}

std::optional<UnitType> unit_type_of(std::string_view name) noexcept {
    for (const auto& [type, each] : kUnitTypeNames) {
        if (each == name)
            return type;
    }
    return std::nullopt;
}

bool Loaded::ok() const noexcept {
    return std::none_of(problems.begin(), problems.end(), [](const Problem& problem) {
        return problem.severity == Problem::Severity::error;
    });
}

Loaded load(const std::string& path, const Overrides& overrides) {
    if (path.empty()) {
        Draft draft;
        Value root;
        return read(std::move(draft), std::move(root), overrides);
    }
    const auto text = platform::read_settings_file(path, kMostBytes);
    if (!text) {
        Draft draft;
        draft.config.from_file = true;  // it was meant to hold: nothing is allowed
        draft.problems.error({Origin::Kind::file, path, 0, 0}, text.error().text,
                             "name another file, or write this one");
        return finish(std::move(draft));
    }
    return load_text(*text, path, overrides);
}

Loaded load_text(std::string_view toml, const std::string& name, const Overrides& overrides) {
    Draft draft;
    draft.config.from_file = true;
    Value root = parse_document(toml, name, draft.problems);
    if (draft.problems.any_error())
        return finish(std::move(draft));  // of the rest nothing is known
    return read(std::move(draft), std::move(root), overrides);
}

}  // namespace causeway::config
