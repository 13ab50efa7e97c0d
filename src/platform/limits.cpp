#include "platform/limits.hpp"

#include <dirent.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <utility>

#include "platform/files.hpp"

namespace causeway::platform {

namespace {

std::optional<std::uint64_t> number_in(const std::string& path) {
    const auto text = read_small_file(path.c_str());
    if (!text.has_value())
        return std::nullopt;
    return leading_number(*text);
}

// What differs between the two versions of control groups.
struct CgroupKind {
    int version;
    const char* filesystem;
    const char* controller;  // among the mount's options; null: any
    const char* limit;
    const char* usage;
    const char* active_file;  // keys of memory.stat, with a blank behind
    const char* inactive_file;
};
constexpr CgroupKind kV1{1,
                         "cgroup",
                         "memory",
                         "/memory.limit_in_bytes",
                         "/memory.usage_in_bytes",
                         "total_active_file ",
                         "total_inactive_file "};
constexpr CgroupKind kV2{
    2, "cgroup2", nullptr, "/memory.max", "/memory.current", "active_file ", "inactive_file "};

bool lists(std::string_view options, std::string_view wanted) {
    while (!options.empty()) {
        if (next_token(options, ',') == wanted)
            return true;
    }
    return false;
}

struct CgroupMount {
    std::string root;   // the group that the mount point shows
    std::string point;  // where it is mounted
};

// From /proc/self/mountinfo: ID PARENT DEVICE ROOT POINT OPTIONS [FIELDS...] - TYPE SOURCE OPTIONS
std::optional<CgroupMount> find_mount(const CgroupKind& kind, const std::string& proc_root) {
    const auto text = read_small_file((proc_root + "/proc/self/mountinfo").c_str());
    if (!text.has_value())
        return std::nullopt;
    std::string_view lines(*text);
    while (!lines.empty()) {
        std::string_view line = next_token(lines, '\n');
        const std::size_t dash = line.find(" - ");
        if (dash == std::string_view::npos)
            continue;
        std::string_view tail = line.substr(dash + 3);
        if (next_token(tail, ' ') != kind.filesystem)
            continue;
        static_cast<void>(next_token(tail, ' '));
        if (kind.controller != nullptr && !lists(tail, kind.controller))
            continue;
        for (int i = 0; i < 3; ++i)
            static_cast<void>(next_token(line, ' '));
        const std::string_view root = next_token(line, ' ');
        const std::string_view point = next_token(line, ' ');
        return CgroupMount{std::string(root), std::string(point)};
    }
    return std::nullopt;
}

// From /proc/self/cgroup: ID:CONTROLLERS:PATH
std::optional<std::string> own_group(const CgroupKind& kind, const std::string& proc_root) {
    const auto text = read_small_file((proc_root + "/proc/self/cgroup").c_str());
    if (!text.has_value())
        return std::nullopt;
    std::string_view lines(*text);
    while (!lines.empty()) {
        std::string_view line = next_token(lines, '\n');
        static_cast<void>(next_token(line, ':'));
        const std::string_view controllers = next_token(line, ':');
        const bool match =
            kind.controller != nullptr ? lists(controllers, kind.controller) : controllers.empty();
        if (match)
            return std::string(line);
    }
    return std::nullopt;
}

// Cached file pages of the group, which the kernel drops to make room.
std::uint64_t reclaimable(const CgroupKind& kind, const std::string& directory) {
    const auto text = read_small_file((directory + "/memory.stat").c_str());
    if (!text.has_value())
        return 0;
    std::uint64_t sum = 0;
    std::string_view lines(*text);
    while (!lines.empty()) {
        const std::string_view line = next_token(lines, '\n');
        for (const std::string_view key : {kind.active_file, kind.inactive_file}) {
            if (line.starts_with(key))
                sum += leading_number(line.substr(key.size())).value_or(0);
        }
    }
    return sum;
}

std::optional<MemoryGroup> group_at(const CgroupKind& kind, std::string directory) {
    // "max" is no number, and v1 says something near 2^63: unlimited.
    const auto limit = number_in(directory + kind.limit);
    if (!limit.has_value() || *limit >= (std::uint64_t{1} << 62))
        return std::nullopt;
    const auto usage = number_in(directory + kind.usage);
    if (!usage.has_value())
        return std::nullopt;
    const std::uint64_t cached = std::min(reclaimable(kind, directory), *usage);
    const std::uint64_t used = *usage - cached;
    return MemoryGroup{.version = kind.version,
                       .directory = std::move(directory),
                       .limit = *limit,
                       .headroom = used < *limit ? *limit - used : 0};
}

void find_groups(const CgroupKind& kind, const std::string& proc_root,
                 std::vector<MemoryGroup>& found) {
    const auto mount = find_mount(kind, proc_root);
    const auto group = own_group(kind, proc_root);
    if (!mount.has_value() || !group.has_value())
        return;
    // Where the mount shows a part of the tree only, the group's path begins with that part; where
    // it does not, the group lies outside and the mount point is the best that is to be seen.
    std::string below;
    const std::string root = mount->root == "/" ? "" : mount->root;
    if (group->starts_with(root) && group->find("/..") == std::string::npos) {
        below = group->substr(root.size());
    }
    if (below == "/")
        below.clear();
    for (;;) {
        if (auto here = group_at(kind, proc_root + mount->point + below); here.has_value())
            found.push_back(std::move(*here));
        const std::size_t slash = below.rfind('/');
        if (slash == std::string::npos)
            return;
        below.resize(slash);
    }
}

}  // namespace

std::uint64_t max_map_count() noexcept {
    return number_in("/proc/sys/vm/max_map_count").value_or(65530);
}

std::optional<std::uint64_t> mapping_count() noexcept {
    const auto text = read_small_file("/proc/self/maps");
    if (!text.has_value())
        return std::nullopt;
    return static_cast<std::uint64_t>(std::count(text->begin(), text->end(), '\n'));
}

std::uint64_t open_file_limit() noexcept {
    rlimit limit{};
    return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

std::uint64_t raise_open_file_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);  // where it is refused the old limit stands
    }
    return open_file_limit();
}

std::optional<std::uint64_t> open_file_count() noexcept {
    DIR* const directory = ::opendir("/proc/self/fd");
    if (directory == nullptr)
        return std::nullopt;
    std::uint64_t count = 0;
    while (const dirent* entry = ::readdir(directory)) {  // NOLINT(concurrency-mt-unsafe): own DIR
        if (entry->d_name[0] != '.')
            ++count;
    }
    ::closedir(directory);
    return count == 0 ? 0 : count - 1;
}

std::optional<std::uint64_t> own_memory() noexcept {
    constexpr std::string_view kName = "RssAnon:";
    const auto text = read_small_file("/proc/self/status");
    const std::size_t found = text.has_value() ? text->find(kName) : std::string::npos;
    if (found == std::string::npos)
        return std::nullopt;
    return std::strtoull(text->c_str() + found + kName.size(), nullptr, 10) * 1024;
}

std::vector<MemoryGroup> memory_groups(const std::string& root) {
    std::vector<MemoryGroup> found;
    find_groups(kV2, root, found);
    find_groups(kV1, root, found);
    return found;
}

std::optional<std::uint64_t> memory_headroom() noexcept {
    std::optional<std::uint64_t> least;
    for (const MemoryGroup& group : memory_groups())
        least = std::min(group.headroom, least.value_or(UINT64_MAX));
    return least;
}

std::uint64_t free_huge_pages() noexcept {
    const std::string directory = "/sys/kernel/mm/hugepages/hugepages-2048kB";
    const std::uint64_t free = number_in(directory + "/free_hugepages").value_or(0);
    const std::uint64_t reserved = number_in(directory + "/resv_hugepages").value_or(0);
    return free > reserved ? free - reserved : 0;
}

}  // namespace causeway::platform
