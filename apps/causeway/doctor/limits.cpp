#include <fmt/format.h>

#include <algorithm>

#include "doctor/subjects.hpp"
#include "text.hpp"

namespace causeway::doctor {
namespace {

// Attaching takes about 8, with what a process has anyhow; every connection takes some more.
constexpr std::uint64_t kLeastFiles = 32;
constexpr std::uint64_t kFewFiles = 1024;
constexpr std::uint64_t kFewMappings = 65530;  // the kernel's default
constexpr std::uint64_t kEnoughFiles = 65536;

}  // namespace

std::string more_files(const Host& host) {
    // Up to the hard limit anybody may go.
    const std::uint64_t hard = host.limits.open_files_most;
    const std::uint64_t soft = hard < kFewFiles ? kEnoughFiles : std::min(hard, kEnoughFiles);
    return fmt::format("prlimit --pid {} --nofile={}:{}", host.parent, soft, std::max(soft, hard));
}

bool few_files(const Host& host) { return host.limits.open_files < kLeastFiles; }

void check_open_files(const Host& host, Checks& checks) {
    constexpr char kId[] = "open_files";
    const Limits& limits = host.limits;
    std::string found = fmt::format("at most {}, and up to {} on request", limits.open_files,
                                    limits.open_files_most);
    if (limits.open_files_now.has_value())
        found += fmt::format("; {} are open", *limits.open_files_now);
    constexpr char kCosts[] =
        "partitions of this shell with more than a few connections: a queue pair and a completion "
        "queue take some each";
    if (few_files(host))
        checks.push_back(failure(kId, found, "attaching, or the first connections that are made",
                                 more_files(host)));
    else if (limits.open_files < kFewFiles)
        checks.push_back(warning(kId, found, kCosts, more_files(host)));
    else
        checks.push_back(ok(kId, found));

    // The kernel counts descriptors that are sent and not yet received by user, against the same
    // limit.
    constexpr char kSent[] = "files_in_flight";
    if (limits.open_files < kFewFiles)
        checks.push_back(warning(
            kSent, fmt::format("at most {} of one user are under way at a time", limits.open_files),
            "many regions or queue pairs set up at once by one user", more_files(host)));
    else
        checks.push_back(
            ok(kSent, fmt::format("at most {} of one user at a time", limits.open_files)));
}

void check_locked_memory(const Host& host, Checks& checks) {
    constexpr char kId[] = "locked_memory";
    const std::uint64_t bytes = host.limits.locked_bytes;
    // Regions are not locked. Rings of io_uring were, before 5.12.
    const std::string found = bytes == UINT64_MAX ? "unlimited" : cli::human_bytes(bytes);
    checks.push_back(ok(kId, found + "; Causeway locks none"));
}

void check_mappings(const Host& host, Checks& checks) {
    constexpr char kId[] = "mappings";
    const Limits& limits = host.limits;
    std::string found = fmt::format("at most {}", limits.mappings);
    if (limits.mappings_now.has_value())
        found += fmt::format("; this process has {}", *limits.mappings_now);
    if (limits.mappings < kFewMappings)
        checks.push_back(warning(kId, found,
                                 "as many regions as the quotas allow: the adapter maps each 64 "
                                 "MiB of each",
                                 "sysctl -w vm.max_map_count=262144"));
    else
        checks.push_back(ok(kId, found));
}

}  // namespace causeway::doctor
