// causeway unit: serves a device of this partition to all others.
#include "command_unit.hpp"

namespace causeway::cli {

void add_unit(CLI::App& app) {
    CLI::App& unit = *app.add_subcommand("unit", "Serves a device of this partition to all others");
    unit.require_subcommand(1);
    add_unit_network(unit);
    add_unit_block(unit);
}

}  // namespace causeway::cli
