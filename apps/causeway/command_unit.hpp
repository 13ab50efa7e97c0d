// The subcommands of `causeway unit`: one file each.
#pragma once

#include "command.hpp"

namespace causeway::cli {

void add_unit_network(CLI::App& unit);
void add_unit_block(CLI::App& unit);

}  // namespace causeway::cli
