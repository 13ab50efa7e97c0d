// Terminal: the screen of an interactive subcommand, and who gets it back as it was.
//
// Threading: one thread, one object at a time; make it before there are other threads, as it blocks
// the signals that it reports.
// Ownership: borrows standard input and output.
//
// Invariant: however the process ends or stops, but for SIGKILL, the terminal is as it was before:
// the destructor, the handler of deadly signals and stop() see to that.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::cli {

class Terminal {
public:
    // Errors: invalid_argument, where standard input or output is no terminal.
    [[nodiscard]] static Result<std::unique_ptr<Terminal>> take();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    struct Size {
        std::size_t columns;
        std::size_t lines;
    };
    [[nodiscard]] static Size size();
    // Replaces what the screen shows. False: nobody is there any more.
    [[nodiscard]] bool show(const std::string& text);

    // Readable when a signal came; next_signal() takes it, 0 for none. SIGTSTP, SIGCONT and
    // SIGWINCH are among them: the first has been followed by then.
    [[nodiscard]] int signal_fd() const noexcept { return signals_.get(); }
    [[nodiscard]] int next_signal();

    // The terminal as it was, for good.
    void give_back() noexcept;

private:
    explicit Terminal(platform::UniqueFd signals) : signals_(std::move(signals)) {}
    void enter() noexcept;
    platform::UniqueFd signals_;
};

}  // namespace causeway::cli
