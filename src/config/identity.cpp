// Values that name users, groups, and what only some of them may read.
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <cerrno>
#include <vector>

#include "base/names.hpp"
#include "config/values.hpp"
#include "platform/socket.hpp"

namespace causeway::config {
namespace {

constexpr std::uint64_t kMostId = UINT32_MAX - 1;
constexpr std::size_t kMostEntry = std::size_t{1} << 20;  // of a line of the user database

// The entry of the user or group database, by getpwnam_r or getgrnam_r.
template<typename Entry, typename Ask>
[[nodiscard]] std::optional<Entry> entry_named(const std::string& name, Ask ask) {
    for (std::size_t size = 4096; size <= kMostEntry; size *= 4) {
        std::vector<char> buffer(size);
        Entry entry{};
        Entry* found = nullptr;
        const int error = ask(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
        if (error == ERANGE)
            continue;
        return found != nullptr ? std::optional(entry) : std::nullopt;
    }
    return std::nullopt;
}

[[nodiscard]] std::optional<std::uint64_t> user_named(const std::string& name) {
    const auto entry = entry_named<passwd>(name, ::getpwnam_r);
    return entry ? std::optional<std::uint64_t>(entry->pw_uid) : std::nullopt;
}

[[nodiscard]] std::optional<std::uint64_t> group_named(const std::string& name) {
    const auto entry = entry_named<group>(name, ::getgrnam_r);
    return entry ? std::optional<std::uint64_t>(entry->gr_gid) : std::nullopt;
}

[[nodiscard]] bool is_number(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

using Lookup = std::optional<std::uint64_t> (*)(const std::string&);

[[nodiscard]] std::optional<std::uint32_t> read_id(Draft& draft, const Value& value,
                                                   const std::string& kind, Lookup lookup) {
    std::optional<std::uint64_t> id;
    if (value.kind == Value::Kind::text) {
        if (value.text.find('\0') == std::string::npos)
            id = lookup(value.text);
        if (!id) {
            draft.problems.error(
                value.at, value.path + " is " + shown(value) + ": this machine has no such " + kind,
                is_number(value.text) && value.text.size() < 10
                    ? "write " + value.key + " = " + value.text
                    : "check the name with `getent " +
                          std::string(kind == "user" ? "passwd" : "group") +
                          "`, or give the number");
            return std::nullopt;
        }
    } else if (value.kind == Value::Kind::integer) {
        id = static_cast<std::uint64_t>(value.integer);
        if (value.integer < 0 || *id > kMostId) {
            draft.problems.error(
                value.at,
                value.path + " is " + shown(value) + ", outside of 0 to " + std::to_string(kMostId),
                "give the number or the name of a " + kind);
            return std::nullopt;
        }
    } else {
        wrong_type(draft, value, "a number, or the name of a " + kind);
        return std::nullopt;
    }
    if (*id == platform::kOverflowId) {
        draft.problems.error(value.at,
                             value.path + " is " + shown(value) + ": 65534 is what an unknown " +
                                 kind + " of another namespace looks like, and never matches",
                             "give the partition a " + kind + " of its own");
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(*id);
}

}  // namespace

std::optional<uid_t> read_user(Draft& draft, const Value& value) {
    return read_id(draft, value, "user", user_named);
}

std::optional<gid_t> read_group(Draft& draft, const Value& value) {
    return read_id(draft, value, "group", group_named);
}

std::optional<std::string> read_token_file(Draft& draft, const Value& value) {
    auto path = read_path(draft, value);
    if (!path || path->empty())
        return path;
    struct stat facts {};
    if (::stat(path->c_str(), &facts) != 0) {
        draft.problems.warning(value.at,
                               value.path + ": " + printable(*path) + ": " + errno_text(errno),
                               "write it before the adapter starts: nobody can attach without it");
    } else if (!S_ISREG(facts.st_mode)) {
        draft.problems.error(value.at,
                             value.path + ": " + printable(*path) + " is not an ordinary file",
                             "name the file in which the token stands");
        return std::nullopt;
    } else if ((facts.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        draft.problems.warning(value.at,
                               value.path + ": everybody may " +
                                   ((facts.st_mode & S_IROTH) != 0 ? "read " : "write ") +
                                   printable(*path) +
                                   format_text(" (mode %04o)", facts.st_mode & 07777U),
                               "chmod o-rwx " + printable(*path));
    }
    return path;
}

}  // namespace causeway::config
