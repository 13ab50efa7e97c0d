// Facts about processes, as the kernel tells them to whoever looks from outside.
//
// Threading: all functions may be called from any thread. Ownership: none.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace causeway::demo {

// "user", "pid", "ipc", "uts", "net", "mnt" -> "user:[4026531837]"; empty if it cannot be seen.
[[nodiscard]] std::string namespace_of(pid_t pid, const std::string& kind);

// A field of /proc/PID/status; empty if there is none.
[[nodiscard]] std::string status_field(pid_t pid, const std::string& field);

// Mount points of its mount namespace.
[[nodiscard]] std::vector<std::string> mounts_of(pid_t pid);

// Inode -> name of the memory files that it maps shared; nullopt if it cannot be seen.
[[nodiscard]] std::optional<std::map<std::uint64_t, std::string>> mapped_memory_files(pid_t pid);
// Shared writable mappings that are no memory file.
[[nodiscard]] std::vector<std::string> other_shared_mappings(pid_t pid);
// Inodes of the memory files that it holds open.
[[nodiscard]] std::optional<std::set<std::uint64_t>> open_memory_files(pid_t pid);

struct Holdings {
    std::size_t descriptors = 0;
    std::size_t memory_files = 0;  // mapped

    [[nodiscard]] bool operator==(const Holdings&) const = default;
};
[[nodiscard]] std::optional<Holdings> holdings_of(pid_t pid);

// Names in a directory, sorted; nullopt if it is not there.
[[nodiscard]] std::optional<std::vector<std::string>> names_in(const std::string& directory);

}  // namespace causeway::demo
