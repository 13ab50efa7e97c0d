// causeway config apply: a running adapter reads its file again and does what it says.
#include <fmt/format.h>

#include <causeway/causeway.h>

#include <causeway/error.hpp>
#include <memory>
#include <string>
#include <vector>

#include "command.hpp"
#include "configuration/subcommands.hpp"
#include "json.hpp"

namespace causeway::cli {
namespace {

struct Options {
    std::string socket;
    bool json = false;
};

Result<int> run(const Options& options) {
    std::vector<std::string> changes;
    const int code = cw_reload(
        options.socket.empty() ? nullptr : options.socket.c_str(),
        [](const char* text, void* user) {
            static_cast<std::vector<std::string>*>(user)->emplace_back(text);
        },
        &changes);
    if (code != CW_OK)
        return detail::last_error(code);
    if (options.json) {
        print_json({{"changes", changes}});
        return 0;
    }
    for (const std::string& change : changes)
        fmt::print("{}\n", change);
    if (changes.empty())
        fmt::print("nothing has changed\n");
    return 0;
}

}  // namespace

void add_config_apply(CLI::App& config) {
    auto options = std::make_shared<Options>();
    CLI::App& apply =
        *config.add_subcommand("apply", "Have the running adapter read its file again");
    add_socket_option(apply, options->socket);
    add_json_option(apply, options->json);
    apply.footer(
        "The adapter reads the file that it was started with, with the same overrides. What is\n"
        "unchanged is undisturbed; what is no longer allowed is cut off at once: partitions whose\n"
        "user, group or token does not fit any more, connections without a rule. A file with\n"
        "mistakes changes nothing. By the open entrance only; SIGHUP to causewayd does the "
        "same.\n\n"
        "Example:\n"
        "  causeway config check && causeway config apply");
    on_run(apply, [options] { return run(*options); });
}

}  // namespace causeway::cli
