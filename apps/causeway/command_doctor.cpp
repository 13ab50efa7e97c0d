// causeway doctor: what does not work on this host, and what mends it.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string_view>

#include "command.hpp"
#include "doctor/examine.hpp"
#include "doctor/report.hpp"

namespace causeway::cli {
namespace {

struct Options {
    doctor::Wanted wanted;
    bool json = false;
};

doctor::Colour colour_here() {
    const auto set = [](const char* name) {
        const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): start
        return value != nullptr ? std::string_view(value) : std::string_view();
    };
    const bool colours =
        ::isatty(STDOUT_FILENO) == 1 && set("NO_COLOR").empty() && set("TERM") != "dumb";
    return colours ? doctor::Colour::yes : doctor::Colour::no;
}

int run(const Options& options) {
    const doctor::Checks checks = doctor::judge(doctor::find_out(options.wanted));
    if (options.json)
        print_json(doctor::to_json(checks));
    else
        fmt::print("{}", doctor::table(checks, colour_here()));
    return doctor::count(checks, doctor::Status::fail) == 0 ? 0 : kFailed;
}

}  // namespace

void add_doctor(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App& command = *app.add_subcommand(
        "doctor", "Check this host, this process and the adapter, and say what mends what");
    add_socket_option(command, options->wanted.socket);
    command
        .add_option("--runtime-dir", options->wanted.runtime_directory,
                    "Runtime directory of the adapter (default: where its socket is)")
        ->type_name("DIR");
    add_json_option(command, options->json);
    command.footer(
        "Status 0: nothing fails; there may be warnings and notes. Status 1: something fails.\n\n"
        "Examples:\n"
        "  causeway doctor\n"
        "  causeway doctor --socket /run/causeway/orders/fabric.sock\n"
        "  podman run ... -v /run/causeway/orders:/run/causeway:ro IMAGE causeway doctor");
    on_run(command, [options]() -> Result<int> { return run(*options); });
}

}  // namespace causeway::cli
