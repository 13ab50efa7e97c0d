#include "support/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace causeway::test {
namespace {

std::string content_of(int fd) {
    std::string text;
    char piece[65536];
    for (off_t at = 0;;) {
        const ssize_t n = ::pread(fd, piece, sizeof piece, at);
        if (n <= 0)
            return text;
        text.append(piece, static_cast<std::size_t>(n));
        at += n;
    }
}

int open_or_throw(const std::string& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (fd < 0)
        throw std::runtime_error("open " + path);
    return fd;
}

[[noreturn]] void become(const std::vector<std::string>& arguments, const CommandOptions& options,
                         int in, int out, int err, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(126);
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    for (const int fd : options.close_fds)
        ::close(fd);
    ::unsetenv("CAUSEWAY_SOCKET");
    for (const auto& [name, value] : options.environment)
        ::setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::dprintf(STDERR_FILENO, "%s cannot be run (errno %d)\n", argv[0], errno);
    ::_exit(127);
}

}  // namespace

void short_pause() { ::poll(nullptr, 0, 5); }

std::string program(const std::string& name) {
    if (const char* bin = std::getenv("CAUSEWAY_BIN"); bin != nullptr)
        return std::string(bin) + "/" + name;
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

Command::Command(std::vector<std::string> arguments, const CommandOptions& options)
    : out_(options.output.empty() ? ::memfd_create("out", MFD_CLOEXEC)
                                  : open_or_throw(options.output, O_RDWR | O_CREAT | O_TRUNC)),
      err_(::memfd_create("err", MFD_CLOEXEC)) {
    const int in =
        options.input_fd >= 0 ? options.input_fd : open_or_throw(options.input, O_RDONLY);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0)
        become(arguments, options, in, out_, err_, parent);
    if (in != options.input_fd)
        ::close(in);
    if (pid_ < 0)
        throw std::runtime_error("fork");
}

Command::~Command() {
    if (!reaped_) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    ::close(out_);
    ::close(err_);
}

void Command::kill(int signal) const {
    if (!reaped_)
        ::kill(pid_, signal);
}

bool Command::running() {
    if (!reaped_ && ::waitpid(pid_, &status_, WNOHANG) == pid_)
        reaped_ = true;
    return !reaped_;
}

std::string Command::error_text() const { return content_of(err_); }

Finished Command::wait(std::chrono::seconds limit) {
    Finished finished;
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (running()) {
        if (std::chrono::steady_clock::now() >= deadline) {
            finished.timed_out = true;
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, &status_, 0);
            reaped_ = true;
        } else {
            short_pause();
        }
    }
    finished.status = WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
    finished.signal = WIFSIGNALED(status_) ? WTERMSIG(status_) : 0;
    finished.out = content_of(out_);
    finished.err = content_of(err_);
    return finished;
}

Finished run_command(std::vector<std::string> arguments, const CommandOptions& options) {
    return Command(std::move(arguments), options).wait();
}

}  // namespace causeway::test
