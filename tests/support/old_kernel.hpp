// Makes this process see an older kernel: a socket option that is not there.
//
// Threading: before the process has threads. Cannot be undone: see in_child.hpp.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>

namespace causeway::test {

inline constexpr int kPeerPidfd = 77;   // SO_PEERPIDFD, since Linux 6.5
inline constexpr int kPassRights = 83;  // SO_PASSRIGHTS, since Linux 6.16

// False where this process may not have filters.
[[nodiscard]] inline bool without_socket_option(int option) {
    constexpr auto kNumber = static_cast<unsigned>(offsetof(seccomp_data, nr));
    constexpr auto kArguments = static_cast<unsigned>(offsetof(seccomp_data, args));
    const auto load = [](unsigned at) { return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, at}; };
    const auto unless = [](unsigned value, unsigned char skip) {
        return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, skip, value};
    };
    sock_filter program[] = {
        load(kNumber),
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SYS_setsockopt},
        unless(SYS_getsockopt, 5),
        load(kArguments + 8),  // the low half of the level
        unless(SOL_SOCKET, 3),
        load(kArguments + 16),  // of the option
        unless(static_cast<unsigned>(option), 1),
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOPROTOOPT},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    sock_fprog filter{sizeof program / sizeof program[0], program};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace causeway::test
