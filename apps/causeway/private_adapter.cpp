#include "private_adapter.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "platform/clock.hpp"
#include "platform/socket.hpp"

namespace causeway::cli {
namespace {

constexpr std::uint64_t kStartLimit = 20'000'000'000;  // ns
constexpr int kStopLimit = 10;                         // s, until the daemon is killed
constexpr std::size_t kLongestParent = 60;  // leaves room for "/NAME/fabric.sock" in an address

Result<std::string> make_runtime_directory() {
    std::vector<std::string> parents;
    if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime == '/')
        parents.emplace_back(runtime);
    parents.insert(parents.end(), {"/run", "/tmp"});
    for (const std::string& parent : parents) {
        if (parent.size() > kLongestParent)
            continue;
        std::string path = parent + "/causeway-XXXXXX";
        if (::mkdtemp(path.data()) != nullptr)
            return path;
    }
    return fail(
        ErrorCode::denied,
        fmt::format("no directory for a private adapter can be made in {}: make one of them "
                    "writable, or set XDG_RUNTIME_DIR",
                    fmt::join(parents, ", ")));
}

std::vector<std::string> daemon_arguments(const std::string& directory,
                                          const AdapterOptions& options) {
    std::vector<std::string> arguments{
        sibling_program("causewayd"),  "--config", "none", "--runtime-dir", directory, "--movers",
        std::to_string(options.movers)};
    if (!options.mover_cores.empty()) {
        arguments.emplace_back("--mover-cores");
        arguments.push_back(fmt::format("{}", fmt::join(options.mover_cores, ",")));
    }
    for (const std::string& entrance : options.entrances) {
        arguments.emplace_back("--entrance");
        arguments.push_back(entrance);
    }
    return arguments;
}

[[noreturn]] void become_daemon(const std::vector<std::string>& arguments, int log,
                                const sigset_t& mask) {
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // of a keeper that was killed itself
    std::signal(SIGPIPE, SIG_DFL);
    if (const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0)
        ::dup2(null, STDIN_FILENO);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::unsetenv("NOTIFY_SOCKET");  // readiness is this program's affair
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::dprintf(STDERR_FILENO, "%s cannot be run: %s\n", argv[0], errno_text(errno).c_str());
    ::_exit(127);
}

// Waits until the daemon has ended; false once it had to be killed.
bool stop_daemon(pid_t daemon, const sigset_t& waited) {
    ::kill(daemon, SIGTERM);
    const std::uint64_t deadline = platform::monotonic_ns() + kStopLimit * 1'000'000'000ull;
    int status = 0;
    while (::waitpid(daemon, &status, WNOHANG) == 0) {
        if (platform::monotonic_ns() >= deadline) {
            ::kill(daemon, SIGKILL);
            ::waitpid(daemon, &status, 0);
            return false;
        }
        const timespec slice{0, 50'000'000};
        ::sigtimedwait(&waited, nullptr, &slice);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Makes the runtime directory and says on `answer` where it is, or why there is none ("!...").
std::string make_and_tell(int answer) {
    const Result<std::string> made = make_runtime_directory();
    const std::string text = made ? *made : "!" + made.error().text;
    const bool told = ::write(answer, text.data(), text.size()) == std::ssize(text);
    ::close(answer);
    if (!made || !told)
        ::_exit(1);
    return *made;
}

// The keeper's life. The directory is its own from the beginning, so that it goes whenever the
// program is killed. Exit status 0: the daemon ended by itself and well.
[[noreturn]] void keep(const AdapterOptions& options, int answer, int log, pid_t program) {
    ::setsid();
    sigset_t waited;
    sigset_t before;
    sigemptyset(&waited);
    for (const int signal : {SIGTERM, SIGCHLD, SIGINT, SIGHUP, SIGQUIT})
        sigaddset(&waited, signal);
    ::sigprocmask(SIG_BLOCK, &waited, &before);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != program)
        ::_exit(1);  // it died in between
    std::signal(SIGPIPE, SIG_IGN);
    const std::string directory = make_and_tell(answer);

    const pid_t daemon = ::fork();
    if (daemon == 0)
        become_daemon(daemon_arguments(directory, options), log, before);
    // Nobody's terminal or pipe is held open from here.
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        ::close(fd);
    bool good = false;
    if (daemon > 0) {
        while (true) {
            const int signal = ::sigwaitinfo(&waited, nullptr);
            if (signal == SIGTERM) {
                good = stop_daemon(daemon, waited);
                break;
            }
            if (signal == SIGCHLD && ::waitpid(daemon, nullptr, WNOHANG) == daemon)
                break;  // nobody asked it to
        }
    }
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
    ::_exit(good ? 0 : 1);
}

}  // namespace

std::string sibling_program(const std::string& name) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (!error) {
        const std::string beside = self.parent_path() / name;
        if (::access(beside.c_str(), X_OK) == 0)
            return beside;
    }
    return name;
}

Result<PrivateAdapter> PrivateAdapter::start(const AdapterOptions& options) {
    PrivateAdapter adapter;
    adapter.log_.reset(::memfd_create("causewayd-log", MFD_CLOEXEC));
    if (!adapter.log_)
        return fail_errno("memfd_create", errno);
    int answer[2];
    if (::pipe2(answer, O_CLOEXEC) != 0)
        return fail_errno("pipe2", errno);
    const platform::UniqueFd reading(answer[0]);
    platform::UniqueFd writing(answer[1]);
    const pid_t program = ::getpid();
    adapter.keeper_ = ::fork();
    if (adapter.keeper_ < 0)
        return fail_errno("fork", errno);
    if (adapter.keeper_ == 0)
        keep(options, writing.get(), adapter.log_.get(), program);
    writing.reset();
    CW_TRY(adapter.learn_directory(reading.get()));
    CW_TRY(adapter.wait_until_ready());
    return adapter;
}

Result<void> PrivateAdapter::learn_directory(int answer) {
    std::string text(1024, '\0');
    std::size_t size = 0;
    ssize_t n = 0;
    while ((n = ::read(answer, text.data() + size, text.size() - size)) > 0 ||
           (n < 0 && errno == EINTR))
        size += n > 0 ? static_cast<std::size_t>(n) : 0;
    text.resize(size);
    if (size > 0 && text.front() == '/') {
        directory_ = text;
        return {};
    }
    ::waitpid(std::exchange(keeper_, -1), nullptr, 0);
    return fail(ErrorCode::denied,
                size > 0 ? text.substr(1) : "the keeper of the private adapter ended at once");
}

Result<void> PrivateAdapter::wait_until_ready() {
    const std::uint64_t deadline = platform::monotonic_ns() + kStartLimit;
    while (!platform::connect_to(socket()).has_value()) {
        if (::waitpid(keeper_, nullptr, WNOHANG) == keeper_) {
            keeper_ = -1;
            return fail(ErrorCode::no_adapter,
                        fmt::format("the private adapter ended at once; it said:\n{}", log()));
        }
        if (platform::monotonic_ns() >= deadline)
            return fail(ErrorCode::timed_out,
                        fmt::format("the private adapter did not open {} within {} s; it said:\n{}",
                                    socket(), kStartLimit / 1'000'000'000, log()));
        ::poll(nullptr, 0, 2);
    }
    return {};
}

PrivateAdapter::PrivateAdapter(PrivateAdapter&& other) noexcept
    : directory_(std::move(other.directory_)),
      log_(std::move(other.log_)),
      keeper_(std::exchange(other.keeper_, -1)) {}

PrivateAdapter::~PrivateAdapter() { (void)stop(); }

Result<void> PrivateAdapter::stop() {
    if (keeper_ < 0)
        return {};
    const pid_t keeper = std::exchange(keeper_, -1);
    ::kill(keeper, SIGTERM);
    int status = 0;
    while (::waitpid(keeper, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return {};
    return fail(ErrorCode::adapter_gone,
                fmt::format("the private adapter did not end as it should; it said:\n{}", log()));
}

std::string PrivateAdapter::log() const {
    std::string text(16384, '\0');
    const ssize_t size = ::pread(log_.get(), text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
}

}  // namespace causeway::cli
