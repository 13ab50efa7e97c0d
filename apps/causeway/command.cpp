#include "command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <numeric>
#include <utility>
#include <vector>

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

void add_json_option(CLI::App& subcommand, bool& json) {
    subcommand.add_flag("--json", json, "Print one JSON object instead of a table");
}

namespace {

// Levenshtein's distance.
std::size_t edit_distance(const std::string& a, const std::string& b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, replaced});
        }
    }
    return row.back();
}

}  // namespace

std::string nearest_word(const std::string& word, const std::vector<std::string>& known) {
    std::string nearest;
    std::size_t least = word.size() / 2 + 1;  // farther away than this is another word
    for (const std::string& candidate : known) {
        if (const std::size_t distance = edit_distance(word, candidate); distance < least) {
            least = distance;
            nearest = candidate;
        }
    }
    return nearest;
}

}  // namespace causeway::cli
