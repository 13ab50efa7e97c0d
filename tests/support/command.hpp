// Running programs: the ones this tree builds, and those that stand around them in a shell.
//
// Threading: one thread. Ownership: a Command kills its process when it goes.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "support/eventually.hpp"

namespace causeway::test {

// Path of a program of this build: in $CAUSEWAY_BIN, or beside the running test.
[[nodiscard]] std::string program(const std::string& name);

struct CommandOptions {
    std::string input = "/dev/null";  // file for standard input,
    int input_fd = -1;                // or this descriptor instead
    std::string output{};             // file for standard output; empty: into Finished::out
    std::map<std::string, std::string> environment{};  // beside the test's own
    std::vector<int> close_fds{};                      // not to be inherited
};

struct Finished {
    int status = -1;  // exit status; -1 if a signal ended it
    int signal = 0;
    bool timed_out = false;  // ended by the watchdog
    std::string out;
    std::string err;
};

class Command {
public:
    explicit Command(std::vector<std::string> arguments, const CommandOptions& options = {});
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;
    ~Command();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    void kill(int signal) const;
    [[nodiscard]] bool running();
    // What it has written to standard error so far.
    [[nodiscard]] std::string error_text() const;
    // Waits for its end; the watchdog kills it after `limit`.
    [[nodiscard]] Finished wait(std::chrono::seconds limit = std::chrono::seconds(90));

private:
    pid_t pid_ = -1;
    int out_ = -1;  // memfds
    int err_ = -1;
    bool reaped_ = false;
    int status_ = 0;
};

// Both in one.
[[nodiscard]] Finished run_command(std::vector<std::string> arguments,
                                   const CommandOptions& options = {});

void short_pause();

}  // namespace causeway::test
