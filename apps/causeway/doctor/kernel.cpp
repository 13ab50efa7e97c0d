#include <fmt/format.h>

#include <cerrno>
#include <string_view>

#include "base/result.hpp"
#include "doctor/subjects.hpp"
#include "platform/files.hpp"

namespace causeway::doctor {
namespace {

constexpr char kNewKernel[] = "apt-get install linux-image-amd64";
constexpr std::uint64_t kOldest = 5004;  // 5.4: pidfds for every process
constexpr std::uint64_t kPlenty = 6005;  // 6.5: SO_PEERPIDFD; 6.3: memory that is never executable

// "6.1.0-13-amd64" -> 6001; 0: it is something else.
std::uint64_t version_of(std::string_view release) {
    const auto major = platform::leading_number(release);
    const std::size_t dot = release.find('.');
    if (!major.has_value() || dot == std::string_view::npos)
        return 0;
    return *major * 1000 + platform::leading_number(release.substr(dot + 1)).value_or(0);
}

}  // namespace

void check_kernel(const Host& host, Checks& checks) {
    constexpr char kId[] = "kernel";
    const std::string found = "Linux " + host.kernel;
    const std::uint64_t version = version_of(host.kernel);
    if (version == 0) {
        checks.push_back(note(kId, found + ", a release whose number is not understood"));
    } else if (version < kOldest) {
        checks.push_back(warning(kId, found,
                                 "nobody tries Causeway on kernels before 5.4: without pidfds, the "
                                 "end of a connection alone tells that a partition has died",
                                 kNewKernel));
    } else if (version < kPlenty) {
        checks.push_back(note(kId, found,
                              "before 6.5 a process is told apart by its number when it attaches, "
                              "and not by what the kernel says of the connection",
                              kNewKernel));
    } else {
        checks.push_back(ok(kId, found));
    }
}

void check_io_uring(const Host& host, Checks& checks) {
    constexpr char kId[] = "io_uring";
    constexpr char kCosts[] =
        "programs of partitions that do their own I/O by it; the fabric itself does without";
    const int error = host.tries.io_uring;
    const std::uint64_t disabled = host.number("/proc/sys/kernel/io_uring_disabled").value_or(0);
    if (error == 0) {
        if (disabled == 1)
            checks.push_back(note(kId,
                                  "works for this user; kernel.io_uring_disabled is 1: only users "
                                  "with CAP_SYS_ADMIN or of kernel.io_uring_group may",
                                  kCosts, "sysctl -w kernel.io_uring_disabled=0"));
        else
            checks.push_back(ok(kId, "works"));
        return;
    }
    if (error == ENOSYS && !host.filtered()) {
        checks.push_back(note(kId, "this kernel has none", kCosts, kNewKernel));
    } else if (disabled != 0) {
        checks.push_back(note(kId,
                              fmt::format("refused ({}): kernel.io_uring_disabled is {}",
                                          errno_text(error), disabled),
                              kCosts, "sysctl -w kernel.io_uring_disabled=0"));
    } else if (host.filtered()) {
        checks.push_back(
            note(kId, fmt::format("refused ({}): system calls are filtered", errno_text(error)),
                 kCosts, kWithoutFilter));
    } else if (error == ENOMEM) {
        checks.push_back(note(kId, "refused: no memory may be locked for it (RLIMIT_MEMLOCK)",
                              kCosts,
                              fmt::format("prlimit --pid {} --memlock=unlimited", host.parent)));
    } else {
        checks.push_back(note(kId, fmt::format("refused ({})", errno_text(error)), kCosts));
    }
}

void check_membarrier(const Host& host, Checks& checks) {
    constexpr char kId[] = "membarrier";
    constexpr char kCosts[] = "waking a peer without a fence: each message costs a little more";
    if (host.tries.membarrier)
        checks.push_back(ok(kId, "works"));
    else if (host.filtered())
        checks.push_back(
            warning(kId, "refused: system calls are filtered", kCosts, kWithoutFilter));
    else
        checks.push_back(warning(kId, "this kernel has none (global, expedited: since 4.16)",
                                 kCosts, kNewKernel));
}

}  // namespace causeway::doctor
