// HeldThread: holds a thread of this process still, wherever it is, as long as the object lives: a
// signal whose handler waits. So a test can look at what others do meanwhile.
//
// Threading: one object at a time.
#pragma once

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "platform/fd.hpp"
#include "support/eventually.hpp"

namespace causeway::test {

class HeldThread {
public:
    // `name` as in /proc/PID/task/TID/comm.
    explicit HeldThread(const std::string& name) {
        int entered[2];
        int gate[2];
        if (::pipe(entered) != 0 || ::pipe(gate) != 0)
            throw std::runtime_error("pipe");
        entered_.reset(entered[0]);
        entered_end_.reset(state().entered = entered[1]);
        gate_.reset(state().gate = gate[0]);
        gate_end_.reset(gate[1]);
        struct sigaction action {};
        action.sa_handler = [](int) {
            const int before = errno;
            char byte = 0;
            (void)!::write(state().entered, &byte, 1);
            while (::read(state().gate, &byte, 1) < 0 && errno == EINTR) {}
            errno = before;
        };
        ::sigaction(SIGUSR2, &action, nullptr);
        if (::syscall(SYS_tgkill, ::getpid(), find(name), SIGUSR2) != 0)
            throw std::runtime_error("tgkill");
        char byte = 0;
        if (::read(entered_.get(), &byte, 1) != 1)
            throw std::runtime_error("the thread does not answer");
    }
    ~HeldThread() { gate_end_.reset(); }  // end of file, as often as it is read
    HeldThread(const HeldThread&) = delete;
    HeldThread& operator=(const HeldThread&) = delete;

private:
    struct State {
        int entered = -1;
        int gate = -1;
    };
    static State& state() {
        static State it;
        return it;
    }
    static long look_for(const std::string& name) {
        for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
            std::ifstream file(task.path() / "comm");
            std::string comm;
            if (std::getline(file, comm) && comm == name)
                return std::stol(task.path().filename());
        }
        return 0;
    }
    // A thread that has just been started gives itself its name in its own time.
    static long find(const std::string& name) {
        long found = 0;
        if (!eventually([&] { return (found = look_for(name)) != 0; }))
            throw std::runtime_error("there is no thread " + name);
        return found;
    }

    platform::UniqueFd entered_;
    platform::UniqueFd entered_end_;
    platform::UniqueFd gate_;
    platform::UniqueFd gate_end_;
};

}  // namespace causeway::test
