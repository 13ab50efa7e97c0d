#include <fmt/format.h>

#include <algorithm>

#include "doctor/subjects.hpp"
#include "text.hpp"

namespace causeway::doctor {
namespace {

using cli::human_bytes;

// Below this a partition with a few buffers does not fit: regions are filled when they are made.
constexpr std::uint64_t kLeastHeadroom = std::uint64_t{4} << 20;
constexpr std::uint64_t kFewHeadroom = std::uint64_t{64} << 20;

// What stands in brackets: "always [madvise] never".
std::string chosen(const std::string& words) {
    const std::size_t from = words.find('[');
    const std::size_t to = words.find(']');
    if (from == std::string::npos || to == std::string::npos || to < from)
        return words;
    return words.substr(from + 1, to - from - 1);
}

}  // namespace

void check_memory_files(const Host& host, Checks& checks) {
    constexpr char kId[] = "memory_files";
    constexpr char kCosts[] = "everything: regions and queues are sealed memory files";
    const std::uint64_t noexec = host.number("/proc/sys/vm/memfd_noexec").value_or(0);
    if (host.tries.memory_file.empty()) {
        std::string found = "memfd_create and seals work";
        if (noexec != 0)
            found +=
                fmt::format("; vm.memfd_noexec is {}, and Causeway's are never executable", noexec);
        checks.push_back(ok(kId, found));
        return;
    }
    const std::string found = "refused: " + host.tries.memory_file;
    if (noexec >= 2)
        checks.push_back(failure(kId, fmt::format("{}; vm.memfd_noexec is {}", found, noexec),
                                 kCosts, "sysctl -w vm.memfd_noexec=1"));
    else if (host.limits.open_files_now.value_or(0) + 4 >= host.limits.open_files)
        checks.push_back(failure(kId, found, kCosts, more_files(host)));
    else if (host.filtered())
        checks.push_back(failure(kId, found, kCosts, kWithoutFilter));
    else
        checks.push_back(failure(kId, found, kCosts, "apt-get install linux-image-amd64"));
}

void check_huge_pages(const Host& host, Checks& checks) {
    constexpr char kTransparent[] = "transparent_huge_pages";
    constexpr char kSmallPages[] = "large pages in regions: large copies look up every 4 KiB";
    constexpr char kSwitch[] = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
    const auto words = host.text(kSwitch);
    if (!words.has_value()) {
        checks.push_back(
            note(kTransparent, "this kernel has none, or does not show them here", kSmallPages));
    } else if (const std::string mode = chosen(*words);
               mode == "always" || mode == "within_size" || mode == "force") {
        checks.push_back(ok(kTransparent, mode + ", for memory files"));
    } else {
        // `advise` means: for who asks. Regions do not ask, as who made them pays.
        checks.push_back(note(kTransparent, mode + ", for memory files", kSmallPages,
                              fmt::format("sh -c 'echo within_size > {}'", kSwitch)));
    }

    constexpr char kReserved[] = "huge_pages";
    if (host.free_huge_pages != 0)
        checks.push_back(ok(kReserved, fmt::format("{} of 2 MiB are free", host.free_huge_pages)));
    else
        checks.push_back(note(kReserved, "none of 2 MiB is free",
                              "regions that ask for them (CW_HUGE_PAGES); others do "
                              "without",
                              "sysctl -w vm.nr_hugepages=256"));
}

void check_memory_groups(const Host& host, Checks& checks) {
    constexpr char kId[] = "memory_cgroup";
    const auto& groups = host.limits.memory;
    if (groups.empty()) {
        const bool seen = host.text("/proc/self/cgroup").has_value();
        checks.push_back(seen ? ok(kId, "no limit")
                              : note(kId, "/proc does not show it here",
                                     "a region that is larger than the limit ends its process "
                                     "instead of failing",
                                     "mount -t proc proc /proc"));
        return;
    }
    const auto tightest =
        std::min_element(groups.begin(), groups.end(),
                         [](const auto& a, const auto& b) { return a.headroom < b.headroom; });
    const std::string found =
        fmt::format("{} of {} left (v{}, {})", human_bytes(tightest->headroom),
                    human_bytes(tightest->limit), tightest->version, tightest->directory);
    if (tightest->headroom >= kFewHeadroom) {
        checks.push_back(ok(kId, found));
        return;
    }
    const std::string mend = fmt::format(
        "sh -c 'echo {} > {}/{}'", tightest->limit + (std::uint64_t{1} << 30), tightest->directory,
        tightest->version == 1 ? "memory.limit_in_bytes" : "memory.max");
    constexpr char kCosts[] =
        "regions larger than that: their memory is charged to who makes them, when they are made, "
        "and what does not fit is refused";
    if (tightest->headroom < kLeastHeadroom)
        checks.push_back(failure(kId, found, kCosts, mend));
    else
        checks.push_back(warning(kId, found, kCosts, mend));
}

}  // namespace causeway::doctor
