// Process: a program under measurement, as a child that answers lines with lines of JSON.
//
// Threading: one thread. Ownership: the child and everything it started die with the object, and
// with this program.
//
// Invariants:
//  1. Every wait ends: with an answer, or with an error that holds what the program said last.
//  2. Lines of output that are no JSON object are the program's own chatter, and skipped.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::bench {

struct CommandLine {
    std::vector<std::string> words;                                  // the program first
    std::vector<std::pair<std::string, std::string>> environment{};  // on top of this program's
    int death_signal = SIGKILL;  // sent to it when this program dies
};

class Process {
public:
    [[nodiscard]] static Result<Process> start(const CommandLine& command);
    Process(Process&& other) noexcept;
    Process& operator=(Process&&) = delete;
    ~Process();

    [[nodiscard]] Result<void> put_line(const std::string& line);
    // The next line of JSON. One with "error" is an error with that text.
    [[nodiscard]] Result<nlohmann::json> get_line(double seconds);
    // Waits until the program has printed it.
    [[nodiscard]] Result<void> wait_for(const std::string& text, double seconds);
    // Everything the program prints until it ends by itself.
    [[nodiscard]] Result<std::string> read_to_end(double seconds);

    // Asks it to end, for programs that do not look at their input.
    void terminate() noexcept;

private:
    Process() = default;
    enum class Read { data, end };
    [[nodiscard]] Result<Read> read_more(std::uint64_t deadline_ns, double seconds);
    [[nodiscard]] std::string last_words() const;
    void end() noexcept;

    pid_t pid_ = -1;
    platform::UniqueFd in_;  // of the child
    platform::UniqueFd out_;
    platform::UniqueFd chatter_;  // its standard error
    std::string read_;            // not taken yet
};

}  // namespace causeway::bench
