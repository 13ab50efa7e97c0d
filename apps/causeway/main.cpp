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
int unknown_subcommand(CLI::App& app, const std::string& word) {
    std::vector<std::string> known;
    for (const CLI::App* subcommand : app.get_subcommands({}))
        known.push_back(subcommand->get_name());
    const std::string nearest = cli::nearest_word(word, known);
    cli::print_error(
        fmt::format("there is no subcommand '{}'{}; `causeway --help` lists them", word,
                    nearest.empty() ? "" : fmt::format(", did you mean '{}'?", nearest)));
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
    for (const CLI::App* subcommand : app.get_subcommands())
        at = subcommand;
    const std::string command = at == &app ? app.get_name() : app.get_name() + " " + at->get_name();
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
    cli::add_info(app);
    cli::add_calibrate(app);
    cli::add_demo(app);

    if (argc < 2) {
        fmt::print(stderr, "{}", app.help());
        return cli::kWrongUsage;
    }
    const auto subcommands = app.get_subcommands({});
    if (const std::string word = argv[1];
        word[0] != '-' && std::none_of(subcommands.begin(), subcommands.end(),
                                       [&](const auto* each) { return each->get_name() == word; }))
        return unknown_subcommand(app, word);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return finish(app, error);
    }
    return 0;
}
