// causeway config show: the effective configuration, each value with where it comes from.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "command.hpp"
#include "configuration/source.hpp"
#include "configuration/subcommands.hpp"
#include "json.hpp"

namespace causeway::cli {
namespace {

struct Options {
    ConfigSource source;
    bool json = false;
};

constexpr std::size_t kWidest = 60;  // to which the comments are moved

void print_lines(const std::vector<config::Setting>& settings) {
    std::size_t width = 0;
    for (const config::Setting& setting : settings)
        width = std::max(width, setting.key.size() + 3 + setting.value.size());
    width = std::min(width, kWidest);
    for (const config::Setting& setting : settings)
        fmt::print("{:<{}}  # {}\n", setting.key + " = " + setting.value, width,
                   config::text_of(setting.origin));
}

[[nodiscard]] json to_json(const std::vector<config::Setting>& settings) {
    json out = json::array();
    for (const config::Setting& setting : settings)
        out.push_back({{"key", setting.key},
                       {"value", setting.value},
                       {"origin", cli::to_json(setting.origin)}});
    return out;
}

Result<int> run(const Options& options) {
    const LoadedSource source = load_source(options.source, NoFile::built_in);
    const bool ok = source.loaded.ok();
    if (!options.json) {
        print_problems(source.loaded.problems);
        if (!ok)
            return kFailed;
        if (source.path.empty())
            fmt::print("# there is no {}: this is what is built in\n", config::kDefaultPath);
        print_lines(source.loaded.settings);
        return 0;
    }
    print_json({{"file", source.path.empty() ? json(nullptr) : json(source.path)},
                {"ok", ok},
                {"settings", ok ? to_json(source.loaded.settings) : json::array()},
                {"problems", cli::to_json(source.loaded.problems)}});
    return ok ? 0 : kFailed;
}

}  // namespace

void add_config_show(CLI::App& config) {
    auto options = std::make_shared<Options>();
    CLI::App& show =
        *config.add_subcommand("show", "Print the effective configuration and its origins");
    show.add_option("FILE", options->source.file,
                    "The file (default: $CAUSEWAY_CONFIG, or " + std::string(config::kDefaultPath) +
                        "; what is built in without one)")
        ->type_name("");
    add_set_option(show, options->source);
    add_json_option(show, options->json);
    show.footer(
        "One line for each value: KEY = VALUE  # ORIGIN, where the origin is the file's line and\n"
        "column, --set, a variable such as CAUSEWAY_ADAPTER_MOVERS, or 'built in'.\n\n"
        "Example:\n"
        "  causeway config show --set adapter.movers=4 | grep -v 'built in'");
    on_run(show, [options] { return run(*options); });
}

}  // namespace causeway::cli
