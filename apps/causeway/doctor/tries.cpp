#include "doctor/tries.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "platform/fd.hpp"
#include "platform/memfd.hpp"

namespace causeway::doctor {
namespace {

constexpr uid_t kNobody = 65534;
#ifdef SYS_io_uring_setup
constexpr long kIoUringSetup = SYS_io_uring_setup;
#else
constexpr long kIoUringSetup = 425;
#endif
constexpr std::size_t kIoUringParameters = 120;  // sizeof(io_uring_params)

// In the child. The error's number.
int make_user_namespace() {
    if (::geteuid() == 0) {
        // A container may have a root that may not become others; then it is tried as it is.
        if (::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
            ::setresuid(kNobody, kNobody, kNobody) != 0)
            return errno;
        ::prctl(PR_SET_DUMPABLE, 1);  // or its own /proc files belong to root
    }
    const uid_t outside = ::geteuid();
    if (::unshare(CLONE_NEWUSER) != 0)
        return errno;
    // Some security modules let it be made, and refuse what it is made for.
    const platform::UniqueFd map(::open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC));
    if (!map)
        return errno == ENOENT ? 0 : errno;  // without /proc that much cannot be tried
    std::array<char, 32> line{};
    const auto end = fmt::format_to_n(line.data(), line.size(), "0 {} 1\n", outside);
    if (::write(map.get(), line.data(), end.size) < 0)
        return errno;
    return ::unshare(CLONE_NEWNS) == 0 ? 0 : errno;
}

}  // namespace

int try_user_namespace() {
    const pid_t child = ::fork();
    if (child < 0)
        return errno;
    if (child == 0)
        ::_exit(make_user_namespace() & 0xff);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return errno;
    }
    // A filter may kill who asks.
    return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

std::string try_memory_file() {
    const auto made =
        platform::create_memfd("causeway-doctor", platform::kPage, platform::kSizeSeals);
    if (!made.has_value())
        return made.error().text;
    const auto sealed = platform::require_seals(made->get(), platform::kSizeSeals, 0);
    if (!sealed.has_value())
        return sealed.error().text;
    if (::ftruncate(made->get(), 0) == 0)
        return "memory sealed against shrinking could be shrunk";
    return {};
}

int try_io_uring() {
    std::array<unsigned char, kIoUringParameters> parameters{};
    const platform::UniqueFd ring(static_cast<int>(::syscall(kIoUringSetup, 1, parameters.data())));
    return ring ? 0 : errno;
}

}  // namespace causeway::doctor
