// causeway: the command-line tool.
#include <fmt/format.h>

#include <algorithm>
#include <causeway/abi/control.hpp>
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "command.hpp"

namespace {

using namespace causeway;

// A word in the place of the subcommand that is none of them: says which one was probably meant.
int unknown_subcommand(const CLI::App& app, const std::string& command, const std::string& word) {
    std::vector<std::string> known;
    for (const CLI::App* subcommand : app.get_subcommands([](const CLI::App*) { return true; }))
        known.push_back(subcommand->get_name());
    const std::string nearest = cli::nearest_word(word, known);
    cli::print_error(
        fmt::format("there is no subcommand '{}'{}; `{} --help` lists them", word,
                    nearest.empty() ? "" : fmt::format(", did you mean '{}'?", nearest), command));
    return cli::kWrongUsage;
}

// CLI11's own texts, with one way of exiting for all of them.
int finish(CLI::App& app, const CLI::ParseError& error) {
    if (error.get_name() == "RuntimeError")
        return error.get_exit_code();  // of a subcommand that said itself what was wrong
    if (error.get_exit_code() == 0) {  // --help, --version
        (void)app.exit(error);
        return std::cout.flush() ? 0 : cli::kFailed;
    }
    const CLI::App* at = &app;
    std::string command = app.get_name();
    while (!at->get_subcommands().empty()) {
        at = at->get_subcommands().back();
        command += " " + at->get_name();
    }
    cli::print_error(fmt::format("{}; see `{} --help`", error.what(), command));
    return cli::kWrongUsage;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // a closed output is an error of write(), with a text

    CLI::App app{"Moves data between the partitions of this host at memory speed.", "causeway"};
    app.set_version_flag("--version", fmt::format("causeway {} (protocol {}.{})", CAUSEWAY_VERSION,
                                                  abi::kMajor, abi::kMinor));
    app.footer(
        "Example:\n"
        "  causeway perf --test bandwidth --size 1M     what does this machine do?\n"
        "  causeway info                                what runs here?\n\n"
        "`causeway SUBCOMMAND --help` says more, and so does causeway(1).");
    app.get_formatter()->column_width(32);
    app.require_subcommand(0, 1);

    cli::add_perf(app);
    cli::add_pipe(app);
    cli::add_ss(app);
    cli::add_bus(app);
    cli::add_info(app);
    cli::add_calibrate(app);
    cli::add_demo(app);
    cli::add_config(app);
    cli::add_auth(app);
    cli::add_doctor(app);
    cli::add_stats(app);
    cli::add_top(app);
    cli::add_unit(app);
    cli::add_netdev(app);

    if (argc < 2) {
        fmt::print(stderr, "{}", app.help());
        return cli::kWrongUsage;
    }
    const CLI::App* at = &app;
    std::string command = app.get_name();
    for (int i = 1; i < argc && argv[i][0] != '-'; ++i) {
        const auto below = at->get_subcommands([](const CLI::App*) { return true; });
        if (below.empty())
            break;
        const std::string word = argv[i];
        const auto found = std::find_if(below.begin(), below.end(), [&](const CLI::App* each) {
            return each->get_name() == word;
        });
        if (found == below.end())
            return unknown_subcommand(*at, command, word);
        at = *found;
        command += " " + word;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return finish(app, error);
    }
    return 0;
}
