#include "demo/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "demo/supervisor.hpp"
#include "platform/clock.hpp"

namespace causeway::demo {
namespace {

[[noreturn]] void become(const Command& command, int errors, pid_t parent) {
    if (command.supervised == Supervised::no) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent)
            ::_exit(127);
    } else {
        supervise(parent);
    }
    std::signal(SIGPIPE, SIG_DFL);
    const platform::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    ::dup2(command.streams.in >= 0 ? command.streams.in : null.get(), STDIN_FILENO);
    ::dup2(command.streams.out >= 0 ? command.streams.out : null.get(), STDOUT_FILENO);
    ::dup2(errors, STDERR_FILENO);
    if (command.extra_fd >= 0)
        ::fcntl(command.extra_fd, F_SETFD, 0);
    for (const auto& [name, value] : command.environment)
        ::setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> argv;
    for (const std::string& argument : command.arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::dprintf(STDERR_FILENO, "%s cannot be run: %s\n", argv[0], errno_text(errno).c_str());
    ::_exit(127);
}

Result<std::pair<platform::UniqueFd, platform::UniqueFd>> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return fail_errno("pipe", errno);
    return std::pair(platform::UniqueFd(ends[0]), platform::UniqueFd(ends[1]));
}

}  // namespace

Result<Child> Child::start(const Command& command) {
    Child child;
    CW_TRY_ASSIGN(child.errors_, memory_file("causeway-demo-errors"));
    child.supervised_ = command.supervised;
    const pid_t parent = ::getpid();
    child.pid_ = ::fork();
    if (child.pid_ < 0)
        return fail_errno("fork", errno);
    if (child.pid_ == 0)
        become(command, child.errors_.get(), parent);
    return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      supervised_(other.supervised_),
      errors_(std::move(other.errors_)) {}

Child& Child::operator=(Child&& other) noexcept {
    if (this != &other) {
        kill();
        pid_ = std::exchange(other.pid_, -1);
        supervised_ = other.supervised_;
        errors_ = std::move(other.errors_);
    }
    return *this;
}

Result<int> Child::wait(std::uint64_t limit_ns) {
    const std::uint64_t deadline = platform::monotonic_ns() + limit_ns;
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) == 0) {
        if (platform::monotonic_ns() >= deadline)
            return fail(ErrorCode::timed_out,
                        fmt::format("process {} did not end; it said: {}", pid_, errors()));
        ::poll(nullptr, 0, 1);
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Child::kill() noexcept {
    if (pid_ <= 0)
        return;
    ::kill(pid_, supervised_ == Supervised::yes ? SIGTERM : SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

std::string Child::errors() const { return file_text(errors_.get(), 4096); }

Result<Streams> Conversation::open() {
    CW_TRY_ASSIGN(auto in, make_pipe());
    CW_TRY_ASSIGN(auto out, make_pipe());
    child_in_ = std::move(in.first);
    to_ = std::move(in.second);
    from_ = std::move(out.first);
    child_out_ = std::move(out.second);
    return Streams{child_in_.get(), child_out_.get()};
}

void Conversation::listen_to(Child child) {
    child_ = std::move(child);
    child_in_.reset();
    child_out_.reset();
}

Result<cli::json> Conversation::ask(const std::string& question, std::uint64_t limit_ns) {
    const std::string text = question + "\n";
    if (::write(to_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return fail(ErrorCode::peer_gone,
                    fmt::format("'{}' could not be asked: the process has ended; it said: {}",
                                question, child_.errors()));
    const std::uint64_t deadline = platform::monotonic_ns() + limit_ns;
    for (;;) {
        if (const auto end = pending_.find('\n'); end != std::string::npos) {
            const std::string line = pending_.substr(0, end);
            pending_.erase(0, end + 1);
            cli::json answer = cli::json::parse(line, nullptr, false);
            if (answer.is_discarded())
                return fail(ErrorCode::protocol,
                            fmt::format("'{}' was answered by '{}'", question, line));
            if (answer.contains("error"))
                return fail(ErrorCode::system,
                            fmt::format("'{}': {}", question, answer["error"].get<std::string>()));
            return answer;
        }
        pollfd wanted{from_.get(), POLLIN, 0};
        const std::uint64_t now = platform::monotonic_ns();
        if (now >= deadline)
            return fail(ErrorCode::timed_out, fmt::format("'{}' was not answered within {} s",
                                                          question, limit_ns / kSecond));
        ::poll(&wanted, 1, static_cast<int>((deadline - now) / 1'000'000) + 1);
        if (wanted.revents == 0)
            continue;
        std::array<char, 4096> buffer{};
        const ssize_t got = ::read(from_.get(), buffer.data(), buffer.size());
        if (got <= 0)
            return fail(ErrorCode::peer_gone,
                        fmt::format("'{}' was not answered: the process has ended; it said: {}",
                                    question, child_.errors()));
        pending_.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

Result<void> Conversation::finish() {
    to_.reset();
    CW_TRY_ASSIGN(const int status, child_.wait(10 * kSecond));
    if (status != 0)
        return fail(ErrorCode::system, fmt::format("a partition ended with status {}; it said: {}",
                                                   status, child_.errors()));
    return {};
}

Result<std::string> run_program(const std::vector<std::string>& arguments, int in,
                                std::uint64_t limit_ns) {
    CW_TRY_ASSIGN(const platform::UniqueFd output, memory_file("causeway-demo-output"));
    CW_TRY_ASSIGN(Child child,
                  Child::start({.arguments = arguments, .streams = {in, output.get()}}));
    CW_TRY_ASSIGN(const int status, child.wait(limit_ns));
    if (status != 0)
        return fail(ErrorCode::system, fmt::format("{} ended with status {}: {}", arguments.front(),
                                                   status, child.errors()));
    return file_text(output.get());
}

std::string find_program(const std::string& name) {
    const char* path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
    while (!rest.empty()) {
        const std::string_view folder = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
        const std::string candidate = fmt::format("{}/{}", folder, name);
        if (::access(candidate.c_str(), X_OK) == 0)
            return candidate;
    }
    return {};
}

Result<platform::UniqueFd> memory_file(const char* name) {
    platform::UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
    if (!fd)
        return fail_errno("memfd_create", errno);
    return fd;
}

std::string file_text(int fd, std::size_t most) {
    std::string text(most, '\0');
    std::size_t size = 0;
    ssize_t got = 0;
    while (size < most &&
           (got = ::pread(fd, text.data() + size, most - size, static_cast<off_t>(size))) > 0)
        size += static_cast<std::size_t>(got);
    text.resize(size);
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

}  // namespace causeway::demo
