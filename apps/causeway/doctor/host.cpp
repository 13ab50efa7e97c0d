#include "doctor/host.hpp"

#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "doctor/tries.hpp"
#include "platform/files.hpp"
#include "platform/membarrier.hpp"

namespace causeway::doctor {
namespace {

struct Filesystem {
    unsigned long type;
    const char* name;
    bool memory;
    bool remote;
};
constexpr std::array kFilesystems{
    Filesystem{TMPFS_MAGIC, "tmpfs", true, false},
    Filesystem{RAMFS_MAGIC, "ramfs", true, false},
    Filesystem{EXT4_SUPER_MAGIC, "ext4", false, false},
    Filesystem{BTRFS_SUPER_MAGIC, "btrfs", false, false},
    Filesystem{XFS_SUPER_MAGIC, "xfs", false, false},
    Filesystem{OVERLAYFS_SUPER_MAGIC, "overlay", false, false},
    Filesystem{NFS_SUPER_MAGIC, "nfs", false, true},
    Filesystem{FUSE_SUPER_MAGIC, "fuse", false, true},
    Filesystem{V9FS_MAGIC, "9p", false, true},
    Filesystem{0xFF534D42UL, "cifs", false, true},
};

std::uint64_t soft_limit(int resource) {
    rlimit limit{};
    if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0 ||
        limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur;
}

Limits limits_here() {
    Limits limits;
    limits.open_files = platform::open_file_limit();
    rlimit files{};
    limits.open_files_most =
        ::getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_max : limits.open_files;
    limits.open_files_now = platform::open_file_count();
    limits.locked_bytes = soft_limit(RLIMIT_MEMLOCK);
    limits.mappings = platform::max_map_count();
    limits.mappings_now = platform::mapping_count();
    limits.memory = platform::memory_groups();
    return limits;
}

Processors processors_here() {
    return {.online = platform::online_cpus(),
            .allowed = static_cast<unsigned>(platform::allowed_cpus().size()),
            .model = platform::cpu_model(),
            .features = platform::cpu_features()};
}

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.find_last_of('/');
    if (slash == std::string::npos)
        return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

std::optional<std::string> Host::text(const std::string& path) const {
    auto text = platform::read_small_file((root + path).c_str());
    if (text.has_value() && text->ends_with('\n'))
        text->pop_back();
    return text;
}

std::optional<std::uint64_t> Host::number(const std::string& path) const {
    const auto all = text(path);
    return all.has_value() ? platform::leading_number(*all) : std::nullopt;
}

std::optional<std::string> Host::field(const std::string& path, std::string_view key) const {
    const auto all = text(path);
    if (!all.has_value())
        return std::nullopt;
    std::string_view lines(*all);
    while (!lines.empty()) {
        std::string_view line = platform::next_token(lines, '\n');
        std::string_view name = platform::next_token(line, ':');
        while (name.ends_with('\t') || name.ends_with(' '))
            name.remove_suffix(1);
        if (name != key)
            continue;
        while (line.starts_with('\t') || line.starts_with(' '))
            line.remove_prefix(1);
        return std::string(line);
    }
    return std::nullopt;
}

bool Host::filtered() const { return field("/proc/self/status", "Seccomp") == "2"; }

Place look_at(const std::string& path) {
    Place place;
    place.path = path;
    std::string seen = path;
    struct stat facts {};
    if (::stat(seen.c_str(), &facts) != 0) {
        place.error = errno;
        seen = parent_of(path);
        if (::stat(seen.c_str(), &facts) != 0)
            return place;
    } else if (!S_ISDIR(facts.st_mode)) {
        place.error = ENOTDIR;
    }
    place.mode = facts.st_mode & 07777;
    place.owner = facts.st_uid;
    struct statfs kind {};
    if (::statfs(seen.c_str(), &kind) == 0) {
        place.memory = false;
        place.filesystem = "another kind";
        for (const Filesystem& known : kFilesystems) {
            if (static_cast<unsigned long>(kind.f_type) != known.type)
                continue;
            place.filesystem = known.name;
            place.memory = known.memory;
            place.remote = known.remote;
        }
    }
    struct statvfs room {};
    if (::statvfs(seen.c_str(), &room) == 0) {
        place.bytes = std::uint64_t{room.f_blocks} * room.f_frsize;
        place.free = std::uint64_t{room.f_bavail} * room.f_frsize;
        place.read_only = (room.f_flag & ST_RDONLY) != 0;
    }
    return place;
}

Host this_host(const std::string& runtime_directory) {
    Host host;
    host.user = ::geteuid();
    host.process = ::getpid();
    host.parent = ::getppid();
    utsname name{};
    if (::uname(&name) == 0)
        host.kernel = name.release;
    host.tries = {.user_namespace = try_user_namespace(),
                  .memory_file = try_memory_file(),
                  .io_uring = try_io_uring(),
                  .membarrier = platform::register_for_membarrier()};
    host.limits = limits_here();
    host.processors = processors_here();
    host.free_huge_pages = platform::free_huge_pages();
    host.runtime = look_at(runtime_directory);
    host.shared_memory = look_at("/dev/shm");
    return host;
}

}  // namespace causeway::doctor
