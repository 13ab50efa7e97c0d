// The subcommands of `causeway`: one file each, and what they share.
//
// Exit status of every subcommand: 0 done, 1 failed (the reason stands on standard error), 2 wrong
// usage, 128 + N ended by signal N.
#pragma once

#include <CLI/CLI.hpp>
#include <causeway/abi/control.hpp>
#include <functional>
#include <string>

#include "base/nearest.hpp"
#include "base/result.hpp"

namespace causeway::cli {

inline constexpr int kFailed = 1;
inline constexpr int kWrongUsage = 2;

void add_perf(CLI::App& app);
void add_pipe(CLI::App& app);
void add_ss(CLI::App& app);
void add_bus(CLI::App& app);
void add_info(CLI::App& app);
void add_calibrate(CLI::App& app);
void add_demo(CLI::App& app);
void add_config(CLI::App& app);
void add_auth(CLI::App& app);
void add_doctor(CLI::App& app);
void add_stats(CLI::App& app);
void add_top(CLI::App& app);
void add_unit(CLI::App& app);
void add_netdev(CLI::App& app);

// Runs `body` when the subcommand was given. Its number is the exit status; its error is printed.
void on_run(CLI::App& subcommand, std::function<Result<int>()> body);

// `--socket PATH`, for whoever talks to an adapter. Empty: the library looks at the usual places.
void add_socket_option(CLI::App& subcommand, std::string& socket);

// `--executor`: whom the unit or host module wants to move its data.
void add_executor_option(CLI::App& subcommand, abi::Executor& executor);

// `--json`.
void add_json_option(CLI::App& subcommand, bool& json);

// "causeway: TEXT" on standard error.
void print_error(const std::string& text);
// The same, pointing to the subcommand's --help; returns kWrongUsage.
int wrong_usage(const std::string& text, const std::string& subcommand);

using causeway::nearest_word;

}  // namespace causeway::cli
