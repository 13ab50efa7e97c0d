#include "command.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <utility>

namespace causeway::cli {

void print_error(const std::string& text) { fmt::print(stderr, "causeway: {}\n", text); }

int wrong_usage(const std::string& text, const std::string& subcommand) {
    print_error(fmt::format("{}; see `causeway {} --help`", text, subcommand));
    return kWrongUsage;
}

void on_run(CLI::App& subcommand, std::function<Result<int>()> body) {
    subcommand.callback([body = std::move(body)] {
        int status = kFailed;
        // What the standard library throws (memory, above all) ends here, as any other failure.
        try {
            if (const Result<int> result = body(); result.has_value())
                status = *result;
            else
                print_error(result.error().text);
        } catch (const std::exception& error) {
            print_error(error.what());
        }
        if (std::fflush(stdout) != 0 && status == 0) {
            print_error("standard output could not be written to");
            status = kFailed;
        }
        if (status != 0)
            throw CLI::RuntimeError(status);
    });
}

void add_socket_option(CLI::App& subcommand, std::string& socket) {
    subcommand
        .add_option("--socket", socket,
                    "Socket of the adapter (default: $CAUSEWAY_SOCKET, /run/causeway/fabric.sock, "
                    "$XDG_RUNTIME_DIR/causeway/fabric.sock)")
        ->type_name("PATH");
}

void add_executor_option(CLI::App& subcommand, abi::Executor& executor) {
    const std::map<std::string, abi::Executor> names{{"any", abi::Executor::any},
                                                     {"adapter", abi::Executor::adapter},
                                                     {"direct", abi::Executor::direct}};
    subcommand
        .add_option("--executor", executor,
                    "Who moves the data: adapter, direct, any (as policy has it; the default)")
        ->transform(CLI::CheckedTransformer(names).description(""))
        ->type_name("EXECUTOR");
}

void add_json_option(CLI::App& subcommand, bool& json) {
    subcommand.add_flag("--json", json, "Print one JSON object instead of a table");
}

}  // namespace causeway::cli
