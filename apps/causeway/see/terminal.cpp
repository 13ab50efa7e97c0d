#include "see/terminal.hpp"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string_view>

namespace causeway::cli {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";  // another screen, no cursor
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr int kDeadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

// For the handler, which can reach nothing else.
termios before{};
std::atomic<bool> taken{false};

bool write_all(std::string_view text) noexcept {
    while (!text.empty()) {
        const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

void restore() noexcept {
    if (!taken.exchange(false))
        return;
    (void)write_all(kLeave);
    (void)::tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void on_deadly(int signal) {
    restore();
    ::signal(signal, SIG_DFL);
    ::raise(signal);
}

}  // namespace

Result<std::unique_ptr<Terminal>> Terminal::take() {
    if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0 ||
        ::tcgetattr(STDIN_FILENO, &before) != 0) {
        return fail(ErrorCode::invalid_argument,
                    "standard input and output are no terminal: ask for text with --batch, or for "
                    "JSON with --json");
    }
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH})
        ::sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    platform::UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals)
        return fail_errno("signalfd", errno);
    for (const int signal : kDeadly)
        ::signal(signal, on_deadly);
    std::unique_ptr<Terminal> terminal(new Terminal(std::move(signals)));
    terminal->enter();
    return terminal;
}

Terminal::~Terminal() {
    give_back();
    for (const int signal : kDeadly)
        ::signal(signal, SIG_DFL);
}

void Terminal::enter() noexcept {
    termios raw = before;
    // Keys at once and unseen; what makes signals (Ctrl-C) still does.
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    taken.store(true);
    (void)::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    (void)write_all(kEnter);
}

void Terminal::give_back() noexcept { restore(); }

Terminal::Size Terminal::size() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        return {80, 24};
    return {size.ws_col, size.ws_row};
}

bool Terminal::show(const std::string& text) {
    // What stood in a line is wiped before it: behind a full one the cursor is not to be trusted.
    std::string out = "\x1b[H\x1b[K";
    for (const char c : text) {
        out += c;
        if (c == '\n')
            out += "\x1b[K";
    }
    out += "\x1b[J";
    return write_all(out);
}

int Terminal::next_signal() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info))
        return 0;
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGTSTP) {
        restore();
        ::raise(SIGSTOP);
        enter();  // somebody has sent SIGCONT
    }
    return signal;
}

}  // namespace causeway::cli
