#include "support/killer.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <stdexcept>

#include "platform/cpu.hpp"
#include "support/stepper.hpp"

namespace causeway::test {
namespace {

constexpr std::size_t kLongestWay = 60'000;  // instructions; what is behind is not stepped through
constexpr unsigned kPatienceSeconds = 60;    // for one victim

template<typename T>
void put(int line, const T& value) {
    if (::send(line, &value, sizeof value, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof value))
        ::_exit(1);
}

template<typename T>
[[nodiscard]] bool take(int line, T& value) {
    ssize_t got = 0;
    while ((got = ::recv(line, &value, sizeof value, 0)) < 0 && errno == EINTR) {}
    return got == static_cast<ssize_t>(sizeof value);
}

[[nodiscard]] pid_t start(const std::function<void(const Killer::Order&)>& life,
                          const Killer::Order& order) {
    const pid_t victim = ::fork();
    if (victim != 0)
        return victim;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    try {
        life(order);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "victim %llu: %s\n", static_cast<unsigned long long>(order.number),
                     error.what());
    }
    ::_exit(1);
}

}  // namespace

Killer::Killer(std::function<void(const Order&)> life) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::runtime_error("socketpair");
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ < 0)
        throw std::runtime_error("fork");
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::close(ends[0]);
        line_.reset(ends[1]);
        run(life);
    }
    ::close(ends[1]);
    line_.reset(ends[0]);
}

Killer::~Killer() {
    line_.reset();
    ::waitpid(pid_, nullptr, 0);
}

void Killer::run(const std::function<void(const Order&)>& life) {
    // A step is a change between two processes: four times as fast on one processor.
    if (const auto allowed = platform::allowed_cpus(); !allowed.empty())
        (void)platform::pin_thread(allowed.back());
    std::map<std::uint32_t, Stepper::Way> ways;
    for (Order order; take(line_.get(), order);) {
        ::alarm(kPatienceSeconds);
        const pid_t victim = start(life, order);
        Stepper stepper(victim);
        Report report;
        const bool ready = stepper.run_to_mark() == Stepper::Stop::mark;
        if (ready)
            ::ptrace(PTRACE_SETOPTIONS, victim, nullptr, PTRACE_O_EXITKILL);
        put(line_.get(), std::uint32_t{ready ? 1U : 0U});
        std::uint32_t go = 0;
        if (!take(line_.get(), go))
            ::_exit(0);
        if (ready) {
            Stepper::Way& way = ways[order.act];
            Stepper::Stop stop = Stepper::Stop::place;
            if (order.after == kRecord) {
                way = {};
                stop = stepper.record(kLongestWay, way);
            } else {
                stop = stepper.go(way, order.after);
            }
            report.length = way.size();
            report.inside = stop == Stepper::Stop::place ? 1 : 0;
            ::kill(victim, SIGKILL);
        }
        if (WIFSTOPPED(stepper.status())) {
            int status = 0;
            ::waitpid(victim, &status, __WALL);
            report.status = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : status;
        } else {
            report.status = stepper.status();
        }
        put(line_.get(), report);
    }
    ::_exit(0);
}

void Killer::order(const Order& order) {
    if (::send(line_.get(), &order, sizeof order, MSG_NOSIGNAL) != sizeof order)
        throw std::runtime_error("the killer is gone");
}

bool Killer::wait_until_ready() {
    std::uint32_t ready = 0;
    if (!take(line_.get(), ready))
        throw std::runtime_error("the killer is gone: a victim hangs");
    return ready != 0;
}

void Killer::go() {
    const std::uint32_t go = 1;
    if (::send(line_.get(), &go, sizeof go, MSG_NOSIGNAL) != sizeof go)
        throw std::runtime_error("the killer is gone");
}

bool Killer::has_news() const {
    pollfd line{line_.get(), POLLIN, 0};
    const timespec moment{0, 100'000};
    return ::ppoll(&line, 1, &moment, nullptr) != 0;
}

Killer::Report Killer::report() {
    Report report;
    if (!take(line_.get(), report))
        throw std::runtime_error("the killer is gone: a victim hangs");
    return report;
}

}  // namespace causeway::test
