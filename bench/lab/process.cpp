#include "lab/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "interrupt.hpp"
#include "platform/clock.hpp"

namespace causeway::bench {
namespace {

using platform::monotonic_ns;
using platform::UniqueFd;

constexpr std::uint64_t kEndLimit = 3'000'000'000;   // ns, for a program to end by itself
constexpr std::uint64_t kTermLimit = 1'000'000'000;  // and then after SIGTERM
constexpr std::size_t kLastWords = 400;              // bytes of chatter that an error shows

Result<std::pair<UniqueFd, UniqueFd>> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return fail_errno("pipe2", errno);
    return std::pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

[[noreturn]] void become(const CommandLine& command, int in, int out, int chatter, pid_t parent) {
    cli::release_interrupts();
    ::setpgid(0, 0);  // Ctrl-C reaches the laboratory, which ends its children in order
    ::prctl(PR_SET_PDEATHSIG, command.death_signal);
    if (::getppid() != parent)
        ::_exit(1);
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(chatter, STDERR_FILENO);
    for (const auto& [name, value] : command.environment)
        ::setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> argv;
    for (const std::string& word : command.words)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::dprintf(STDERR_FILENO, "%s cannot be run: %s\n", argv[0], errno_text(errno).c_str());
    ::_exit(127);
}

}  // namespace

Result<Process> Process::start(const CommandLine& command) {
    Process process;
    process.chatter_.reset(::memfd_create("bench-chatter", MFD_CLOEXEC));
    if (!process.chatter_)
        return fail_errno("memfd_create", errno);
    CW_TRY_ASSIGN(auto in, make_pipe());
    CW_TRY_ASSIGN(auto out, make_pipe());
    const pid_t parent = ::getpid();
    process.pid_ = ::fork();
    if (process.pid_ < 0)
        return fail_errno("fork", errno);
    if (process.pid_ == 0)
        become(command, in.first.get(), out.second.get(), process.chatter_.get(), parent);
    process.in_ = std::move(in.second);
    process.out_ = std::move(out.first);
    return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      in_(std::move(other.in_)),
      out_(std::move(other.out_)),
      chatter_(std::move(other.chatter_)),
      read_(std::move(other.read_)) {}

Process::~Process() { end(); }

// A closed input tells the program to end.
void Process::end() noexcept {
    if (pid_ <= 0)
        return;
    in_.reset();
    const auto ended_by = [&](std::uint64_t limit) {
        const std::uint64_t deadline = monotonic_ns() + limit;
        while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
            if (monotonic_ns() >= deadline)
                return false;
            ::poll(nullptr, 0, 1);
        }
        return true;
    };
    if (!ended_by(kEndLimit)) {
        ::kill(-pid_, SIGTERM);
        if (!ended_by(kTermLimit)) {
            ::kill(-pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    pid_ = -1;
}

std::string Process::last_words() const {
    std::array<char, 4096> text{};
    const off_t size = ::lseek(chatter_.get(), 0, SEEK_END);
    const off_t from = std::max<off_t>(0, size - static_cast<off_t>(kLastWords));
    const ssize_t n = ::pread(chatter_.get(), text.data(), kLastWords, from);
    std::string words(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    while (!words.empty() && words.back() == '\n')
        words.pop_back();
    return words.empty() ? "" : "; it said: " + words;
}

Result<void> Process::put_line(const std::string& line) {
    const std::string text = line + "\n";
    if (::write(in_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return fail(ErrorCode::peer_gone, "the program under measurement ended" + last_words());
    return {};
}

Result<Process::Read> Process::read_more(std::uint64_t deadline_ns, double seconds) {
    while (true) {
        const std::uint64_t now = monotonic_ns();
        if (cli::interrupted() != 0)
            return fail(ErrorCode::system, "interrupted");
        if (now >= deadline_ns)
            return fail(ErrorCode::timed_out,
                        fmt::format("no answer within {:.0f} s{}", seconds, last_words()));
        pollfd waiting{out_.get(), POLLIN, 0};
        const auto slice = std::min<std::uint64_t>((deadline_ns - now) / 1'000'000 + 1, 500);
        if (::poll(&waiting, 1, static_cast<int>(slice)) <= 0)
            continue;
        std::array<char, 65536> piece;
        const ssize_t n = ::read(out_.get(), piece.data(), piece.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return Read::end;
        read_.append(piece.data(), static_cast<std::size_t>(n));
        return Read::data;
    }
}

Result<nlohmann::json> Process::get_line(double seconds) {
    const std::uint64_t deadline = monotonic_ns() + static_cast<std::uint64_t>(seconds * 1e9);
    while (true) {
        const std::size_t newline = read_.find('\n');
        if (newline == std::string::npos) {
            CW_TRY_ASSIGN(const Read read, read_more(deadline, seconds));
            if (read == Read::end)
                return fail(ErrorCode::peer_gone, "it ended without an answer" + last_words());
            continue;
        }
        const std::string line = read_.substr(0, newline);
        read_.erase(0, newline + 1);
        auto json = nlohmann::json::parse(line, nullptr, false);
        if (!json.is_object())
            continue;
        if (json.contains("error"))
            return fail(ErrorCode::system, json["error"].get<std::string>());
        return json;
    }
}

Result<void> Process::wait_for(const std::string& text, double seconds) {
    const std::uint64_t deadline = monotonic_ns() + static_cast<std::uint64_t>(seconds * 1e9);
    while (read_.find(text) == std::string::npos) {
        CW_TRY_ASSIGN(const Read read, read_more(deadline, seconds));
        if (read == Read::end)
            return fail(ErrorCode::peer_gone, "it ended" + last_words());
    }
    return {};
}

void Process::terminate() noexcept {
    if (pid_ > 0)
        ::kill(pid_, SIGTERM);
}

Result<std::string> Process::read_to_end(double seconds) {
    const std::uint64_t deadline = monotonic_ns() + static_cast<std::uint64_t>(seconds * 1e9);
    while (true) {
        CW_TRY_ASSIGN(const Read read, read_more(deadline, seconds));
        if (read == Read::end)
            break;
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail(ErrorCode::system, "it failed" + last_words());
    return std::exchange(read_, {});
}

}  // namespace causeway::bench
