#include "support/live_adapter.hpp"

#include <dirent.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "adapter/server.hpp"
#include "base/sanitizers.hpp"
#include "platform/clock.hpp"
#include "platform/socket.hpp"

#if CW_ADDRESS_SANITIZER
#include <sanitizer/lsan_interface.h>
#endif

namespace causeway::test {
namespace {

constexpr int kPatienceMs = 30'000;

// What AddressSanitizer looks for at the end of a program, which `_exit` passes over.
[[nodiscard]] bool leaks() {
#if CW_ADDRESS_SANITIZER
    return __lsan_do_recoverable_leak_check() != 0;
#else
    return false;
#endif
}

// The life of a forked adapter: what apps/causewayd/main.cpp does, without its options.
[[noreturn]] void serve(const std::string& directory, const std::vector<std::string>& entrances,
                        unsigned movers, const LiveAdapter::Change& change) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    platform::calibrate_ticks();
    adapter::ServerOptions options;
    options.runtime_directory = directory;
    options.entrances = entrances;
    options.fabric.movers = movers;
    options.stop_fd = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (change)
        change(options);
    auto server = adapter::Server::start(std::move(options), adapter::make_silent_log());
    if (!server) {
        std::fprintf(stderr, "adapter: %s\n", server.error().text.c_str());
        ::_exit(1);
    }
    const auto served = (*server)->run();
    if (!served)
        ::_exit(1);
    server->reset();
    ::_exit(leaks() ? 1 : 0);
}

[[noreturn]] void become_program(const std::string& program, const std::string& directory,
                                 const std::vector<std::string>& entrances, unsigned movers) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char* const level = std::getenv("CAUSEWAY_TEST_LOG");  // to see what it says
    std::vector<std::string> arguments{program_path(program),
                                       "--runtime-dir",
                                       directory,
                                       "--config",
                                       "none",
                                       "--movers",
                                       std::to_string(movers),
                                       "--log-level",
                                       level != nullptr ? level : "error"};
    for (const std::string& entrance : entrances) {
        arguments.emplace_back("--entrance");
        arguments.push_back(entrance);
    }
    std::vector<char*> argv;
    for (std::string& argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    std::perror(argv[0]);
    ::_exit(127);
}

std::size_t entries_of(const std::string& directory) {
    std::size_t count = 0;
    DIR* const open = ::opendir(directory.c_str());
    if (open == nullptr)
        return 0;
    while (const dirent* entry = ::readdir(open))
        count += entry->d_name[0] != '.' ? 1 : 0;
    ::closedir(open);
    return count;
}

}  // namespace

std::string text_of(const Holdings& holdings) {
    return std::to_string(holdings.descriptors) + " descriptors, " +
           std::to_string(holdings.memory_files) + " mappings of memory files";
}

Holdings holdings_of(pid_t pid) {
    const std::string proc = "/proc/" + std::to_string(pid);
    Holdings holdings;
    holdings.descriptors = entries_of(proc + "/fd");
    std::ifstream maps(proc + "/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find("/memfd:causeway") != std::string::npos)
            ++holdings.memory_files;
    }
    return holdings;
}

std::string program_path(const std::string& name) {
    if (const char* folder = std::getenv("CAUSEWAY_BIN"))
        return std::string(folder) + "/" + name;
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / name;
}

LiveAdapter::LiveAdapter(Kind kind, std::vector<std::string> entrances, unsigned movers,
                         Change change)
    : kind_(kind), entrances_(std::move(entrances)), movers_(movers), change_(std::move(change)) {
    start();
}

LiveAdapter::~LiveAdapter() {
    if (pid_ > 0) {
        EXPECT_EQ(stop(), 0) << "the adapter ended badly";
    }
}

void LiveAdapter::start() {
    pid_ = ::fork();
    if (pid_ < 0)
        throw std::runtime_error("fork");
    if (pid_ == 0) {
        if (kind_ != Kind::forked) {
            become_program(kind_ == Kind::faults ? "causewayd_faults" : "causewayd", directory(),
                           entrances_, movers_);
        }
        serve(directory(), entrances_, movers_, change_);
    }
    for (int waited = 0; !platform::connect_to(socket()).has_value(); waited += 2) {
        if (waited > kPatienceMs || !alive())
            throw std::runtime_error("the adapter did not come up in " + directory());
        ::poll(nullptr, 0, 2);
    }
}

void LiveAdapter::start_again() { start(); }

bool LiveAdapter::alive() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

Holdings LiveAdapter::settled() const {
    Holdings before = holdings_of(pid_);
    for (int waited = 0; waited < kPatienceMs; waited += 50) {
        ::poll(nullptr, 0, 50);
        const Holdings now = holdings_of(pid_);
        if (now == before)
            return now;
        before = now;
    }
    return before;
}

Holdings LiveAdapter::settled_to(const Holdings& wanted) const {
    Holdings now = holdings_of(pid_);
    for (int waited = 0; waited < kPatienceMs && now != wanted; waited += 5) {
        ::poll(nullptr, 0, 5);
        now = holdings_of(pid_);
    }
    return now;
}

void LiveAdapter::kill() {
    if (pid_ <= 0)
        return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

int LiveAdapter::stop() {
    if (pid_ <= 0)
        return -1;
    ::kill(pid_, SIGTERM);
    int status = 0;
    for (int waited = 0; ::waitpid(pid_, &status, WNOHANG) == 0; waited += 2) {
        if (waited > kPatienceMs) {
            kill();
            return -1;
        }
        ::poll(nullptr, 0, 2);
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace causeway::test
