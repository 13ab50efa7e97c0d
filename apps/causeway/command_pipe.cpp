// causeway pipe: a byte stream through the fabric between standard input and output.
#include <fmt/format.h>
#include <unistd.h>

#include <causeway/causeway.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "command.hpp"
#include "pipe/session.hpp"

namespace causeway::cli {
namespace {

using pipe::Progress;
using pipe::Session;
using pipe::Streams;

struct Options {
    std::string socket;
    std::string attach;
    std::string listen;
    std::string connect;
    double retry = 0;  // s
    bool keep = false;
    bool receive_only = false;
    bool quiet = false;
};

// A process in the background that reads from its terminal is stopped by the system.
bool in_background(int terminal) {
    const pid_t foreground = ::tcgetpgrp(terminal);
    return foreground >= 0 && foreground != ::getpgrp();
}

Streams make_streams(const Options& options) {
    Streams streams{STDIN_FILENO, STDOUT_FILENO, false};
    if (::isatty(STDIN_FILENO) != 0) {
        streams.input_follows = true;
        if (in_background(STDIN_FILENO))
            streams.input = -1;
    }
    if (options.receive_only || options.keep)
        streams.input = -1;
    pipe::widen_pipe(STDIN_FILENO);
    pipe::widen_pipe(STDOUT_FILENO);
    return streams;
}

Result<void> serve(Partition& partition, const Options& options, const Streams& streams,
                   Progress& progress) {
    CW_TRY_ASSIGN(Listener listener, partition.listen(options.listen));
    while (true) {
        auto session = std::make_unique<Session>(partition, streams, progress);
        CW_TRY(session->accept(listener));
        progress.begin();
        auto result = session->run();
        if (!options.keep) {
            // Its reading thread may be blocked for good; the process ends now anyway.
            (void)session.release();
            return result;
        }
        if (!result.has_value())
            print_error(result.error().text);
    }
}

Result<void> call(Partition& partition, const Options& options, const Streams& streams,
                  Progress& progress) {
    auto session = std::make_unique<Session>(partition, streams, progress);
    CW_TRY(session->connect(
        options.connect, std::chrono::nanoseconds(static_cast<std::int64_t>(options.retry * 1e9))));
    progress.begin();
    auto result = session->run();
    (void)session.release();
    return result;
}

Result<void> run(const Options& options) {
    auto attached = Partition::attach(options.attach, {.socket = options.socket});
    if (!attached.has_value()) {
        const bool nameless =
            options.attach.empty() && attached.error().code == ErrorCode::invalid_argument;
        return fail(attached.error().code,
                    attached.error().text + (nameless ? " (--attach NAME)" : ""));
    }
    Partition partition = *std::move(attached);
    const Streams streams = make_streams(options);
    const bool shown = !options.quiet && ::isatty(STDERR_FILENO) != 0;
    Progress progress(shown ? Progress::Show::yes : Progress::Show::no);
    auto result = options.listen.empty() ? call(partition, options, streams, progress)
                                         : serve(partition, options, streams, progress);
    if (!result.has_value())
        return result;
    std::fflush(nullptr);
    ::_exit(0);  // past a thread that may still read from a terminal
}

}  // namespace

void add_pipe(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App& pipe = *app.add_subcommand(
        "pipe", "A byte stream to another partition: standard input there, its input here");
    add_socket_option(pipe, options->socket);
    pipe.add_option("--attach", options->attach,
                    "Join as this partition (at a named entrance: its own name)")
        ->type_name("NAME");
    CLI::Option* const listen =
        pipe.add_option("--listen", options->listen, "Wait for a connection to this service")
            ->type_name("SERVICE");
    CLI::Option* const connect =
        pipe.add_option("--connect", options->connect, "Connect to a service of another partition")
            ->type_name("PARTITION/SERVICE")
            ->excludes(listen);
    pipe.add_flag("--keep", options->keep,
                  "After a connection wait for the next one; standard input is not sent")
        ->needs(listen);
    pipe.add_option("--retry", options->retry, "Wait so long for the service to be there")
        ->check(CLI::Range(0.0, 1e6))
        ->needs(connect)
        ->type_name("SECONDS");
    pipe.add_flag("--receive-only", options->receive_only, "Do not send standard input");
    pipe.add_flag("--quiet", options->quiet, "No progress on a terminal");
    pipe.footer(
        "Both directions flow at once. The end of standard input is passed on; the program ends "
        "when\n"
        "both directions have. Status 0 means that the peer wrote everything.\n\n"
        "Example, in two shells:\n"
        "  causeway pipe --attach b --listen files --receive-only | tar x\n"
        "  tar c dir | causeway pipe --attach a --connect b/files");
    on_run(pipe, [options]() -> Result<int> {
        if (options->listen.empty() && options->connect.empty())
            return wrong_usage("give either --listen SERVICE or --connect PARTITION/SERVICE",
                               "pipe");
        const auto result = run(*options);
        if (result.has_value())
            return 0;
        print_error(result.error().text);
        std::fflush(nullptr);
        ::_exit(kFailed);
    });
}

}  // namespace causeway::cli
