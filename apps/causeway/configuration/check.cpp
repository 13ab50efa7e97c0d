// causeway config check: every mistake of a configuration, with its place and what to write
// instead.
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

[[nodiscard]] std::string counted(std::size_t number, std::string_view one, std::string_view many) {
    return fmt::format("{} {}", number, number == 1 ? one : many);
}

[[nodiscard]] std::size_t warnings_in(const config::Loaded& loaded) {
    return static_cast<std::size_t>(std::count_if(
        loaded.problems.begin(), loaded.problems.end(), [](const config::Problem& problem) {
            return problem.severity == config::Problem::Severity::warning;
        }));
}

void print_summary(const LoadedSource& source) {
    const config::Loaded& loaded = source.loaded;
    const std::size_t warnings = warnings_in(loaded);
    const std::string told = warnings == 0 ? "" : ", " + counted(warnings, "warning", "warnings");
    if (!loaded.ok()) {
        fmt::print("{}: {}{}\n", source.path,
                   counted(loaded.problems.size() - warnings, "error", "errors"), told);
        return;
    }
    const config::Config& config = loaded.config;
    fmt::print("{}: fine ({}, {}, {}, {}){}\n", source.path,
               counted(config.partitions.size(), "partition", "partitions"),
               counted(config.segments.size(), "segment", "segments"),
               counted(config.units.size(), "unit", "units"),
               counted(config.rules.size(), "rule", "rules"), told);
}

Result<int> run(const Options& options) {
    const LoadedSource source = load_source(options.source, NoFile::is_a_problem);
    const bool ok = source.loaded.ok();
    if (options.json) {
        print_json(
            {{"file", source.path}, {"ok", ok}, {"problems", to_json(source.loaded.problems)}});
    } else {
        print_problems(source.loaded.problems);
        print_summary(source);
    }
    return ok ? 0 : kFailed;
}

}  // namespace

void add_config_check(CLI::App& config) {
    auto options = std::make_shared<Options>();
    CLI::App& check = *config.add_subcommand("check", "Find every mistake of a configuration");
    check
        .add_option(
            "FILE", options->source.file,
            "The file (default: $CAUSEWAY_CONFIG, or " + std::string(config::kDefaultPath) + ")")
        ->type_name("");
    add_set_option(check, options->source);
    add_json_option(check, options->json);
    check.footer(
        "Status 0: an adapter would take it, perhaps with warnings; 1: it has errors.\n"
        "Mistakes stand on standard error as FILE:LINE:COLUMN, with what to write instead.\n\n"
        "Example:\n"
        "  causeway config check causeway.toml && sudo cp causeway.toml /etc/causeway/");
    on_run(check, [options] { return run(*options); });
}

}  // namespace causeway::cli
