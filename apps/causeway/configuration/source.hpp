// Where `causeway config` and `causeway auth` take a configuration from.
//
// Threading: one thread.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "json.hpp"

namespace causeway::cli {

struct ConfigSource {
    std::string file;               // as given; empty: $CAUSEWAY_CONFIG or the default path
    std::vector<std::string> sets;  // KEY=VALUE
};

// What is done where the default path has no file, and nobody named another.
enum class NoFile { is_a_problem, built_in };

struct LoadedSource {
    std::string path;  // empty: no file, what is built in holds
    config::Loaded loaded;
};

// `--set KEY=VALUE`, any number of times.
void add_set_option(CLI::App& subcommand, ConfigSource& source);
// What is wrong with any of it is among the problems.
[[nodiscard]] LoadedSource load_source(const ConfigSource& source, NoFile no_file);

// Every problem on standard error, as a compiler prints them.
void print_problems(const std::vector<config::Problem>& problems);

// {"kind", "name", "line", "column"}; the numbers only where there is a place in a file.
[[nodiscard]] json to_json(const config::Origin& origin);
[[nodiscard]] json to_json(const std::vector<config::Problem>& problems);

}  // namespace causeway::cli
