// The keys of every table of the file: one list for reading them, for the suggestions where one is
// mistyped, and for showing what holds.
//
// Threading: constants.
//
// Invariants:
//  1. read() stores only what is in range, and then its origin.
//  2. shown() is TOML that read() takes; empty where there is nothing to show.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/draft.hpp"

namespace causeway::config {

template<typename T>
struct Key {
    std::string_view name;
    void (*read)(Draft& draft, const Value& value, T& into);
    std::string (*shown)(const T& from);
};

[[nodiscard]] std::span<const Key<Adapter>> adapter_keys();
[[nodiscard]] std::span<const Key<Quota>> quota_keys();
[[nodiscard]] std::span<const Key<Partition>> partition_keys();  // with its own quota
[[nodiscard]] std::span<const Key<Segment>> segment_keys();
[[nodiscard]] std::span<const Key<Unit>> unit_keys();
[[nodiscard]] std::span<const Key<Rule>> rule_keys();

template<typename T>
[[nodiscard]] std::vector<std::string> names_of(std::span<const Key<T>> keys) {
    std::vector<std::string> names;
    for (const Key<T>& key : keys)
        names.emplace_back(key.name);
    return names;
}

// For a key that `where` ("[quota]") does not have.
void unknown_key(Draft& draft, const Value& value, const std::string& where,
                 const std::vector<std::string>& known);

// Is it a table? If not, that is reported, with `suggestion`.
[[nodiscard]] bool is_table(Draft& draft, const Value& value, const std::string& suggestion);

// Every member of `table`, by its key.
template<typename T>
void read_members(Draft& draft, const Value& table, const std::string& where,
                  std::span<const Key<T>> keys, T& into) {
    for (const Value& member : table.members) {
        const Key<T>* found = nullptr;
        for (const Key<T>& key : keys)
            found = key.name == member.key ? &key : found;
        if (found != nullptr)
            found->read(draft, member, into);
        else
            unknown_key(draft, member, where, names_of(keys));
    }
}

// What read() of a key does with what was read.
template<typename From, typename To>
void store(Draft& draft, const Value& value, std::optional<From> read, To& into) {
    if (!read)
        return;
    into = *std::move(read);
    draft.origins[value.path] = value.at;
}

[[nodiscard]] std::string size_shown(std::uint64_t bytes);
[[nodiscard]] std::string truth_shown(bool truth);

}  // namespace causeway::config
