// Mortal: a partition in a process of its own, for tests that kill it.
//
// Threading: make it before the test has threads (it forks). Ownership: kills and reaps.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <functional>

namespace causeway::test {

// A process that lives as `life` says until it is killed.
class Mortal {
public:
    explicit Mortal(const std::function<void()>& life) {
        pid_ = ::fork();
        if (pid_ != 0)
            return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        try {
            life();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "partition: %s\n", error.what());
            ::_exit(1);
        }
        ::_exit(0);
    }
    Mortal(const Mortal&) = delete;
    Mortal& operator=(const Mortal&) = delete;
    ~Mortal() { (void)kill(); }
    // Kills and reaps; whether it lived until then.
    bool kill() {
        if (pid_ <= 0)
            return false;
        ::kill(pid_, SIGKILL);
        return reap() == 128 + SIGKILL;
    }
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    // Has it ended by itself?
    [[nodiscard]] bool ended() const {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid != 0;
    }
    int reap() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

private:
    pid_t pid_ = -1;
};

}  // namespace causeway::test
