// causewayd: the adapter daemon. Wires options, signals, log and server together.
#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <utility>

#include "adapter/given_sockets.hpp"
#include "adapter/notify.hpp"
#include "adapter/options.hpp"
#include "adapter/server.hpp"
#include "base/version.hpp"
#include "platform/clock.hpp"

namespace {

using namespace causeway;           // NOLINT(google-build-using-namespace): a program's main file
using namespace causeway::adapter;  // NOLINT(google-build-using-namespace)

// Readable once one of these signals came. Before any thread is started, as they inherit what is
// blocked.
Result<platform::UniqueFd> listen_to(std::initializer_list<int> wanted) {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : wanted)
        sigaddset(&signals, signal);
    if (const int error = ::pthread_sigmask(SIG_BLOCK, &signals, nullptr); error != 0)
        return fail_errno("block signals", error);
    platform::UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd)
        return fail_errno("signalfd", errno);
    return fd;
}

int fail_with(const Log& log, const Error& error) {
    log->critical("{}", error.text);
    return EXIT_FAILURE;
}

// A file that cannot be used is said to be so; the daemon serves all the same.
engine::LoadedCopies choose_copies(const DaemonOptions& options, const Log& log) {
    engine::LoadedCopies copies =
        options.copies.empty() ? engine::find_copies() : engine::load_copies(options.copies);
    if (copies.state == engine::LoadedCopies::State::broken)
        log->error("copies: {}", copies.problem);
    else if (copies.state == engine::LoadedCopies::State::other_machine)
        log->warn("copies: {}", copies.problem);
    log->info("copies: {} ({})", copies.plan.describe(), copies.source);
    return copies;
}

int serve(const DaemonOptions& options, const Log& log) {
    auto given = GivenSockets::from_environment();
    if (!given)
        return fail_with(log, given.error());
    auto stop = listen_to({SIGTERM, SIGINT});
    if (!stop)
        return fail_with(log, stop.error());
    auto reload = listen_to({SIGHUP});
    if (!reload)
        return fail_with(log, reload.error());
    platform::calibrate_ticks();
    ServerOptions server_options = options.server;
    server_options.stop_fd = stop->get();
    server_options.reload_fd = reload->get();
    server_options.fabric.copies = choose_copies(options, log);
    log->info("causewayd {} (pid {}), {} movers, up to {} descriptors", kVersion, ::getpid(),
              server_options.fabric.movers, server_options.fabric.max_files);
    auto server = Server::start(std::move(server_options), log, *std::move(given));
    if (!server)
        return fail_with(log, server.error());

    log->info("ready: {}", (*server)->runtime_directory());
    if (const auto told = notify_manager("READY=1"); !told)
        log->warn("{}", told.error().text);
    if (options.ready_fd >= 0) {
        if (const auto told = notify_ready_fd(options.ready_fd); !told)
            log->warn("{}", told.error().text);
    }
    const auto served = (*server)->run();
    (void)notify_manager("STOPPING=1");
    if (!served) {
        (void)fail_with(log, served.error());
        log->flush();
        ::_exit(EXIT_FAILURE);  // threads may still be at work on what would be destroyed
    }
    server->reset();
    log->info("stopped");
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    auto parsed = parse_options(argc, argv);
    if (const auto* early = std::get_if<EarlyExit>(&parsed))
        return early->status;
    const auto& options = std::get<DaemonOptions>(parsed);
    auto log = make_log(options.log_level, options.log_format);
    if (!log) {
        fmt::print(stderr, "causewayd: {}\n", log.error().text);
        return 2;
    }
    return serve(options, *log);
}
