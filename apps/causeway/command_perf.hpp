// The subcommands of `causeway perf`: one file each.
#pragma once

#include "command.hpp"

namespace causeway::cli {

void add_perf_block(CLI::App& perf);

}  // namespace causeway::cli
