#include <fmt/format.h>

#include <cerrno>

#include "base/result.hpp"
#include "doctor/subjects.hpp"

namespace causeway::doctor {
namespace {

constexpr char kId[] = "user_namespaces";
constexpr char kCosts[] =
    "bubblewrap sandboxes, `causeway demo` and containers of users without privileges; the adapter "
    "and its library need none";

struct Switch {
    const char* name;  // of the sysctl
    const char* path;
    std::uint64_t off;
    const char* on;
};
constexpr Switch kSwitches[] = {
    {"kernel.unprivileged_userns_clone", "/proc/sys/kernel/unprivileged_userns_clone", 0, "1"},
    {"user.max_user_namespaces", "/proc/sys/user/max_user_namespaces", 0, "15000"},
    {"kernel.apparmor_restrict_unprivileged_userns",
     "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1, "0"},
};

}  // namespace

void check_user_namespaces(const Host& host, Checks& checks) {
    const int error = host.tries.user_namespace;
    if (error == 0) {
        checks.push_back(ok(kId, "users without privileges can make them"));
        return;
    }
    for (const Switch& each : kSwitches) {
        if (host.number(each.path) != each.off)
            continue;
        checks.push_back(warning(
            kId, fmt::format("refused ({}): {} is {}", errno_text(error), each.name, each.off),
            kCosts, fmt::format("sysctl -w {}={}", each.name, each.on)));
        return;
    }
    if (error == ENOSPC) {
        checks.push_back(warning(
            kId, "refused: as many as user.max_user_namespaces allows are there, here or around",
            kCosts, "sysctl -w user.max_user_namespaces=100000"));
        return;
    }
    if (host.filtered()) {
        checks.push_back(
            warning(kId, fmt::format("refused ({}): system calls are filtered", errno_text(error)),
                    kCosts, kWithoutFilter));
        return;
    }
    if (error == EINVAL || error == ENOSYS) {
        checks.push_back(warning(kId, "this kernel is built without them (CONFIG_USER_NS)", kCosts,
                                 "apt-get install linux-image-amd64"));
        return;
    }
    checks.push_back(warning(
        kId, fmt::format("refused ({}); in a chroot, or by a security module", errno_text(error)),
        kCosts, "journalctl --dmesg --grep userns"));
}

}  // namespace causeway::doctor
