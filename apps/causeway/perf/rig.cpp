#include "perf/rig.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <memory>

#include "interrupt.hpp"
#include "perf/endpoint.hpp"
#include "perf/workload.hpp"
#include "platform/clock.hpp"
#include "platform/cpu.hpp"

namespace causeway::perf {
namespace {

constexpr double kSetUpSeconds = 60;
constexpr double kSlackSeconds = 60;  // of a sample, beyond what it may take

struct Command {
    bool quit;
    SampleOrder order;
};

struct Reply {
    ErrorCode code;
    char text[1020];  // the error, or at first the executor
};

Reply make_reply(ErrorCode code, const std::string& text) {
    Reply reply{code, {}};
    std::memcpy(reply.text, text.data(), std::min(text.size(), sizeof reply.text - 1));
    return reply;
}

Result<std::unique_ptr<Endpoint>> make_endpoint(const Plan& plan, Role role, SideChannel& side) {
    return plan.peer == Peer::unix_socket ? make_unix_endpoint(plan, role, side)
                                          : make_causeway_endpoint(plan, role, side);
}

// A process of the measurement, from its pinning to the last sample.
Result<void> live(const Plan& plan, Role role, const MakeEndpoint& make, SideChannel& control,
                  SideChannel& side, Board& board) {
    const auto& core = role == Role::initiator ? plan.cores.initiator : plan.cores.responder;
    if (core.has_value())
        CW_TRY(platform::pin_thread(*core));
    platform::calibrate_ticks();
    CW_TRY_ASSIGN(const auto endpoint,
                  make ? make(plan, role, side) : make_endpoint(plan, role, side));
    Workload workload(plan, role, *endpoint, side, board);
    CW_TRY(control.put(make_reply(ErrorCode::none, endpoint->executor())));
    while (true) {
        CW_TRY_ASSIGN(const Command command, control.get<Command>());
        if (command.quit)
            return {};
        CW_TRY(workload.run_sample(command.order));
        CW_TRY(control.put(make_reply(ErrorCode::none, "")));
    }
}

[[noreturn]] void run_child(const Plan& plan, Role role, const MakeEndpoint& make,
                            SideChannel& control, SideChannel& side, Board& board, pid_t program) {
    cli::release_interrupts();
    std::signal(SIGINT, SIG_IGN);  // Ctrl-C reaches the whole group; the program ends its children
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != program)
        ::_exit(1);
    Result<void> result;
    try {
        result = live(plan, role, make, control, side, board);
    } catch (const std::exception& error) {
        result = fail(ErrorCode::no_memory, error.what());
    }
    if (!result.has_value())
        (void)control.put(make_reply(result.error().code, result.error().text));
    ::_exit(result.has_value() ? 0 : 1);
}

}  // namespace

Result<Rig> Rig::start(const Plan& plan, const MakeEndpoint& make) {
    CW_TRY_ASSIGN(SharedBoard board, SharedBoard::make());
    Rig rig(plan, std::move(board));
    CW_TRY_ASSIGN(auto sides, SideChannel::make_pair());
    CW_TRY(rig.fork_child(Role::responder, make, sides.first, sides.second));
    CW_TRY(rig.fork_child(Role::initiator, make, sides.second, sides.first));
    sides.first.close();  // so that each child sees the other's end
    sides.second.close();
    CW_TRY(rig.wait_for_both(kSetUpSeconds));
    return rig;
}

Result<void> Rig::fork_child(Role role, const MakeEndpoint& make, SideChannel& mine,
                             SideChannel& theirs) {
    CW_TRY_ASSIGN(auto control, SideChannel::make_pair());
    const pid_t program = ::getpid();
    Child& made = child(role);
    made.pid = ::fork();
    if (made.pid < 0)
        return fail_errno("fork", errno);
    if (made.pid == 0) {
        control.first.close();
        theirs.close();
        run_child(plan_, role, make, control.second, mine, *board_, program);
    }
    made.control = std::move(control.first);
    return {};
}

Result<const Outcome*> Rig::run_sample(const SampleOrder& order) {
    for (Child& each : children_)
        CW_TRY(each.control.put(Command{false, order}));
    CW_TRY(wait_for_both(order.seconds * 12 + kSlackSeconds));
    return &board_->outcome;
}

Result<void> Rig::wait_for_both(double seconds) {
    const std::uint64_t deadline =
        platform::monotonic_ns() + static_cast<std::uint64_t>(seconds * 1e9);
    std::array<bool, 2> done{};
    while (!done[0] || !done[1]) {
        std::array<pollfd, 2> waiting{};
        for (std::size_t i = 0; i < 2; ++i)
            waiting[i] = {done[i] ? -1 : children_[i].control.fd(), POLLIN, 0};
        const std::uint64_t now = platform::monotonic_ns();
        if (now >= deadline)
            return fail(ErrorCode::timed_out,
                        fmt::format("the measurement did not end within {:.0f} s", seconds));
        const int slice =
            static_cast<int>(std::min<std::uint64_t>((deadline - now) / 1'000'000, 1000));
        const int ready = ::poll(waiting.data(), waiting.size(), slice + 1);
        if (cli::interrupted() != 0)
            return fail(ErrorCode::system, "interrupted");
        if (ready <= 0)
            continue;
        for (std::size_t i = 0; i < 2; ++i) {
            if (waiting[i].revents == 0)
                continue;
            CW_TRY(read_reply(static_cast<Role>(i)));
            done[i] = true;
        }
    }
    return {};
}

Result<void> Rig::read_reply(Role role) {
    Child& from = child(role);
    const auto reply = from.control.get<Reply>();
    if (!reply.has_value()) {
        int status = 0;
        const bool ended = ::waitpid(from.pid, &status, 0) == from.pid;
        from.pid = -1;
        return fail(ErrorCode::peer_gone,
                    ended && WIFSIGNALED(status)
                        ? fmt::format("the {} process was ended by signal {} ({})", name(role),
                                      WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                        : fmt::format("the {} process ended too early", name(role)));
    }
    if (reply->code != ErrorCode::none)
        return fail(reply->code, reply->text);
    if (executor_.empty())
        executor_ = reply->text;
    return {};
}

Rig::~Rig() {
    for (Child& each : children_) {
        if (each.pid > 0)
            (void)each.control.put(Command{true, {}});
    }
    // A healthy child ends at once; one that is stuck does not get more than this.
    for (Child& each : children_) {
        if (each.pid <= 0)
            continue;
        const std::uint64_t deadline = platform::monotonic_ns() + 1'000'000'000;
        pid_t ended = 0;
        while ((ended = ::waitpid(each.pid, nullptr, WNOHANG)) == 0 &&
               platform::monotonic_ns() < deadline)
            ::poll(nullptr, 0, 1);
        if (ended == 0) {
            ::kill(each.pid, SIGKILL);
            ::waitpid(each.pid, nullptr, 0);
        }
        each.pid = -1;
    }
}

}  // namespace causeway::perf
