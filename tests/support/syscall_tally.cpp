#include "support/syscall_tally.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace causeway::test {
namespace {

constexpr int kNoTracing = 125;  // exit status of a child that may not be traced
constexpr int kSyscallStop = SIGTRAP | 0x80;

[[noreturn]] void become(const std::vector<std::string>& arguments) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
        ::_exit(kNoTracing);
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, STDOUT_FILENO);
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));  // NOLINT: execv's signature
    argv.push_back(nullptr);
    ::raise(SIGSTOP);
    ::execv(argv[0], argv.data());
    ::_exit(127);
}

class Tracer {
public:
    explicit Tracer(pid_t pid) : pid_(pid) {}

    [[nodiscard]] SyscallTally run() {
        int status = wait();
        if (WIFEXITED(status)) {
            tally_.unavailable = "the kernel refuses to trace a process here (ptrace)";
            return tally_;
        }
        const long options =
            PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE;
        if (::ptrace(PTRACE_SETOPTIONS, pid_, nullptr, options) != 0)
            return give_up("PTRACE_SETOPTIONS");
        int signal = 0;
        for (;;) {
            if (::ptrace(PTRACE_SYSCALL, pid_, nullptr, signal) != 0)
                return give_up("PTRACE_SYSCALL");
            status = wait();
            signal = 0;
            if (WIFEXITED(status) || WIFSIGNALED(status)) {
                tally_.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
                return tally_;
            }
            if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_CLONE << 8))) {
                tally_.has_threads = true;
                return give_up({});
            }
            if (WSTOPSIG(status) == kSyscallStop) {
                if (!look())
                    return give_up("PTRACE_GET_SYSCALL_INFO");
            } else if (status >> 16 == 0) {
                signal = WSTOPSIG(status);
            }
        }
    }

private:
    [[nodiscard]] int wait() const {
        int status = 0;
        while (::waitpid(pid_, &status, __WALL) < 0) {
            if (errno != EINTR)
                throw std::runtime_error("waitpid of a traced process");
        }
        return status;
    }
    // A system call begins or ends.
    [[nodiscard]] bool look() {
        __ptrace_syscall_info info{};
        if (::ptrace(PTRACE_GET_SYSCALL_INFO, pid_, sizeof info, &info) <= 0)
            return false;
        if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
            return true;
        const auto number = static_cast<long>(info.entry.nr);
        const auto mark = static_cast<pid_t>(info.entry.args[0]);
        if (number == SYS_getpgid && mark == kTallyBegins) {
            tally_.sections.emplace_back();
            inside_ = true;
        } else if (number == SYS_getpgid && mark == kTallyEnds) {
            inside_ = false;
        } else if (inside_) {
            ++tally_.sections.back()[number];
        }
        return true;
    }
    [[nodiscard]] SyscallTally give_up(const char* call) {
        if (call != nullptr)
            tally_.unavailable = std::string(call) + ": " + std::strerror(errno);
        ::kill(pid_, SIGKILL);
        while (!WIFSIGNALED(wait())) {}
        return tally_;
    }

    pid_t pid_;
    bool inside_ = false;
    SyscallTally tally_;
};

}  // namespace

SyscallTally tally_syscalls(const std::vector<std::string>& arguments) {
    const pid_t pid = ::fork();
    if (pid < 0)
        throw std::runtime_error("fork");
    if (pid == 0)
        become(arguments);
    return Tracer(pid).run();
}

}  // namespace causeway::test
