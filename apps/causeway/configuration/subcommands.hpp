// The subcommands of `causeway config`: one file each.
#pragma once

#include <CLI/CLI.hpp>

namespace causeway::cli {

void add_config_check(CLI::App& config);
void add_config_show(CLI::App& config);
void add_config_apply(CLI::App& config);

}  // namespace causeway::cli
