#include "configuration/source.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

namespace causeway::cli {
namespace {

[[nodiscard]] std::string path_of(const ConfigSource& source, NoFile no_file) {
    if (!source.file.empty())
        return source.file;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets variables
    if (const char* const chosen = std::getenv("CAUSEWAY_CONFIG");
        chosen != nullptr && *chosen != '\0')
        return chosen;
    const bool missing = ::access(config::kDefaultPath, F_OK) != 0;
    return missing && no_file == NoFile::built_in ? "" : config::kDefaultPath;
}

[[nodiscard]] std::string_view kind_name(config::Origin::Kind kind) {
    switch (kind) {
        case config::Origin::Kind::built_in:
            return "built_in";
        case config::Origin::Kind::file:
            return "file";
        case config::Origin::Kind::environment:
            return "environment";
        case config::Origin::Kind::command_line:
            return "command_line";
    }
    return "unknown";
}

}  // namespace

void add_set_option(CLI::App& subcommand, ConfigSource& source) {
    subcommand
        .add_option("--set", source.sets,
                    "A value that goes before the file's, such as adapter.movers=2 or\n"
                    "partition.orders.weight=200; may be repeated")
        ->type_name("KEY=VALUE")
        ->take_all()
        ->expected(1)
        ->allow_extra_args(false)
        ->check([](const std::string& text) {
            const std::size_t equals = text.find('=');
            return equals == std::string::npos || equals == 0
                       ? fmt::format("'{}' is not KEY=VALUE, such as adapter.movers=2", text)
                       : std::string();
        });
}

LoadedSource load_source(const ConfigSource& source, NoFile no_file) {
    config::Overrides overrides = config::overrides_from_environment();
    for (const std::string& set : source.sets) {
        const std::size_t equals = set.find('=');
        overrides.command_line.emplace_back(set.substr(0, equals), set.substr(equals + 1));
    }
    const std::string path = path_of(source, no_file);
    return {path, config::load(path, overrides)};
}

void print_problems(const std::vector<config::Problem>& problems) {
    for (const config::Problem& problem : problems)
        fmt::print(stderr, "{}\n", config::text_of(problem));
}

json to_json(const config::Origin& origin) {
    json out{{"kind", kind_name(origin.kind)}};
    if (!origin.name.empty())
        out["name"] = origin.name;
    if (origin.line != 0) {
        out["line"] = origin.line;
        out["column"] = origin.column;
    }
    return out;
}

json to_json(const std::vector<config::Problem>& problems) {
    json out = json::array();
    for (const config::Problem& problem : problems) {
        const bool error = problem.severity == config::Problem::Severity::error;
        out.push_back({{"severity", error ? "error" : "warning"},
                       {"where", to_json(problem.where)},
                       {"text", problem.text},
                       {"suggestion", problem.suggestion}});
    }
    return out;
}

}  // namespace causeway::cli
