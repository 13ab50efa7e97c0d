// Counting a program's system calls between marks that it sets: it is traced, its children are not.
//
// A mark is a system call that does nothing (getpgid of a process that cannot be).
//
// Threading: one thread. Ownership: the traced process ends with tally_syscalls().
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

namespace causeway::test {

// Beyond every process number (2^22).
inline constexpr pid_t kTallyBegins = 0x2ca05e01;
inline constexpr pid_t kTallyEnds = 0x2ca05e02;

inline void mark_for_tracer(pid_t mark) noexcept { (void)::syscall(SYS_getpgid, mark); }

struct SyscallTally {
    int status = -1;           // exit status; -1: ended by a signal
    bool has_threads = false;  // it made a thread: whose calls would be missing, so it was ended
    std::string unavailable;   // why nothing can be traced here; else empty
    std::vector<std::map<long, int>> sections;  // between marks: how often each call was made
};

// Runs a program with its output to /dev/null.
[[nodiscard]] SyscallTally tally_syscalls(const std::vector<std::string>& arguments);

}  // namespace causeway::test
