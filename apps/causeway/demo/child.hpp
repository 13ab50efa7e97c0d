// Child: a process that the demo has started, and how the two talk.
//
// Threading: one thread. Ownership: kills and reaps the process when it goes.
//
// Invariants:
//  1. A child does not outlive this program, however that ends (PR_SET_PDEATHSIG); a supervised one
//     and its descendants neither (supervisor.hpp).
//  2. It inherits the three standard streams and the descriptors asked for, nothing else.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "json.hpp"
#include "platform/fd.hpp"

namespace causeway::demo {

inline constexpr std::uint64_t kSecond = 1'000'000'000;

// -1: /dev/null.
struct Streams {
    int in = -1;
    int out = -1;
};

enum class Supervised { no, yes };

struct Command {
    std::vector<std::string> arguments;  // the first is the program, looked up in $PATH
    std::vector<std::pair<std::string, std::string>> environment{};  // on top of this program's
    Streams streams{};
    int extra_fd = -1;  // inherited under its own number
    Supervised supervised = Supervised::no;
};

class Child {
public:
    [[nodiscard]] static Result<Child> start(const Command& command);

    Child() = default;
    Child(Child&& other) noexcept;
    Child& operator=(Child&& other) noexcept;
    ~Child() { kill(); }

    // Exit status, 128 + N for signal N; timed_out after `limit_ns`.
    [[nodiscard]] Result<int> wait(std::uint64_t limit_ns);
    void kill() noexcept;
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    // What it wrote to standard error.
    [[nodiscard]] std::string errors() const;

private:
    pid_t pid_ = -1;
    Supervised supervised_ = Supervised::no;
    platform::UniqueFd errors_;
};

// Two pipes to a child that answers each line of its standard input with one line of JSON.
class Conversation {
public:
    // The streams to start the child with; closed here by listen_to().
    [[nodiscard]] Result<Streams> open();
    void listen_to(Child child);

    [[nodiscard]] Result<cli::json> ask(const std::string& question,
                                        std::uint64_t limit_ns = 20 * kSecond);
    // Closes its standard input and waits for its end.
    [[nodiscard]] Result<void> finish();
    [[nodiscard]] Child& child() noexcept { return child_; }

private:
    platform::UniqueFd child_in_, child_out_;
    platform::UniqueFd to_, from_;
    std::string pending_;
    Child child_;
};

// Runs a program to its end; what it printed. An error, with its standard error, if it failed.
[[nodiscard]] Result<std::string> run_program(const std::vector<std::string>& arguments,
                                              int in = -1, std::uint64_t limit_ns = 60 * kSecond);

// Where $PATH leads; empty if nowhere.
[[nodiscard]] std::string find_program(const std::string& name);

// An unnamed file in memory.
[[nodiscard]] Result<platform::UniqueFd> memory_file(const char* name);
// The whole of such a file, at most `most` bytes.
[[nodiscard]] std::string file_text(int fd, std::size_t most = 1 << 20);

}  // namespace causeway::demo
