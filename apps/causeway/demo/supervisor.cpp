#include "demo/supervisor.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

namespace causeway::demo {
namespace {

// The parent of a process; 0 if it cannot be told.
pid_t parent_of(pid_t pid) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
    std::FILE* const file = std::fopen(path, "re");
    if (file == nullptr)
        return 0;
    int parent = 0;
    // PID (NAME) STATE PARENT; no process here has a parenthesis in its name.
    const int found = std::fscanf(file, "%*d (%*[^)]) %*c %d", &parent);
    std::fclose(file);
    return found == 1 ? parent : 0;
}

void kill_children() {
    DIR* const processes = ::opendir("/proc");
    if (processes == nullptr)
        return;
    while (const dirent* entry = ::readdir(processes)) {
        const pid_t pid = std::atoi(entry->d_name);
        if (pid > 0 && parent_of(pid) == ::getpid())
            ::kill(pid, SIGKILL);
    }
    ::closedir(processes);
}

int status_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

void supervise(pid_t parent) {
    sigset_t waited;
    sigset_t before;
    sigemptyset(&waited);
    for (const int signal : {SIGTERM, SIGCHLD, SIGINT, SIGHUP, SIGQUIT})
        sigaddset(&waited, signal);
    ::sigprocmask(SIG_BLOCK, &waited, &before);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent)
        ::_exit(127);
    const pid_t child = ::fork();
    if (child == 0) {
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        return;
    }
    // Nobody's pipe or terminal is held open from here.
    ::close_range(0, ~0U, 0);
    int result = 127;
    for (bool over = child < 0; !over;) {
        const int signal = ::sigwaitinfo(&waited, nullptr);
        int status = 0;
        pid_t ended = 0;
        while ((ended = ::waitpid(-1, &status, WNOHANG)) > 0) {
            if (ended == child) {
                result = status_of(status);
                over = true;
            }
        }
        over |= signal == SIGTERM;  // Ctrl-C ends the program first, and that ends this
    }
    // Whoever is killed leaves its own children here: again, until nobody is left.
    for (;;) {
        kill_children();
        int status = 0;
        const pid_t ended = ::waitpid(-1, &status, 0);
        if (ended < 0)
            ::_exit(result);
        if (ended == child)
            result = status_of(status);
    }
}

}  // namespace causeway::demo
