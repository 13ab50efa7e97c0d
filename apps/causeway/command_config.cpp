// causeway config: the configuration program.
#include "command.hpp"
#include "configuration/subcommands.hpp"

namespace causeway::cli {

void add_config(CLI::App& app) {
    CLI::App& config = *app.add_subcommand("config", "Check, show or apply the configuration file");
    config.require_subcommand(1);
    config.footer(
        "The file is described in causeway.toml(5).\n\n"
        "Example:\n"
        "  causeway config check causeway.toml\n\n"
        "`causeway config SUBCOMMAND --help` says more.");
    add_config_check(config);
    add_config_show(config);
    add_config_apply(config);
}

}  // namespace causeway::cli
