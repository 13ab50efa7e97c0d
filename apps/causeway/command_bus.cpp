// causeway bus: the controllers on the fabric, who uses them, and how they come and go.
#include <fmt/format.h>
#include <poll.h>

#include <causeway/bus.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "command.hpp"
#include "interrupt.hpp"
#include "json.hpp"
#include "text.hpp"

namespace causeway::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kTurn = 2s;            // of a watch: between two looks at what was interrupted
constexpr int kAdapterPauseMs = 250;  // between two attempts to find an adapter that has gone

struct Options {
    std::string socket;
    std::uint64_t count = 0;  // changes; 0: without end
    bool watch = false;
    bool json = false;
};

std::string type_name(ControllerType type) {
    switch (type) {
        case ControllerType::none:
            break;
        case ControllerType::network:
            return "network";
        case ControllerType::block:
            return "block";
        case ControllerType::security:
            return "security";
        case ControllerType::other:
            return "other";
    }
    return fmt::format("type-{}", static_cast<unsigned>(type));
}

std::string state_name(ControllerState state) {
    switch (state) {
        case ControllerState::up:
            return "up";
        case ControllerState::away:
            return "away";
    }
    return "unknown";
}

json to_json(const Controller& controller) {
    return {{"type", type_name(controller.type)},    {"partition", controller.partition},
            {"service", controller.service},         {"state", state_name(controller.state)},
            {"connections", controller.connections}, {"users", controller.users}};
}

std::string users_text(const Controller& controller) {
    return controller.users.empty() ? "-" : fmt::format("{}", fmt::join(controller.users, ", "));
}

Result<int> list(const Options& options) {
    CW_TRY_ASSIGN(Bus bus, Bus::observe(options.socket));
    CW_TRY_ASSIGN(const std::vector<Controller> all, bus.controllers());
    if (options.json) {
        json controllers = json::array();
        for (const Controller& each : all)
            controllers.push_back(to_json(each));
        print_json({{"controllers", controllers}});
        return 0;
    }
    using enum Table::Align;
    Table table({{"TYPE", left},
                 {"PARTITION", left},
                 {"SERVICE", left},
                 {"STATE", left},
                 {"CONNECTIONS", right},
                 {"USERS", left}});
    for (const Controller& each : all) {
        table.add({type_name(each.type), each.partition, each.service, state_name(each.state),
                   std::to_string(each.connections), users_text(each)});
    }
    fmt::print("{}", table.text());
    return 0;
}

void print_change(const BusChange& change, const Options& options) {
    using What = BusChange::What;
    const Controller& controller = change.controller;
    if (options.json) {
        json line = to_json(controller);
        line["change"] = change.what == What::arrived    ? "arrived"
                         : change.what == What::departed ? "departed"
                                                         : "changed";
        fmt::print("{}\n", line.dump(-1, ' ', false, json::error_handler_t::replace));
        return;
    }
    const std::string name = fmt::format("{} {} of {}", type_name(controller.type),
                                         controller.service, controller.partition);
    if (change.what == What::departed)
        fmt::print("- {}\n", name);
    else
        fmt::print("{} {} {}, used by {}\n", change.what == What::arrived ? '+' : '~', name,
                   state_name(controller.state),
                   controller.users.empty() ? "nobody" : users_text(controller));
}

// The first look may fail; after that an adapter that has gone is waited for.
Result<int> watch(const Options& options) {
    catch_interrupts();
    CW_TRY_ASSIGN(Bus bus, Bus::observe(options.socket));
    std::uint64_t told = 0;
    bool seen = false;
    bool complained = false;
    while (interrupted() == 0) {
        const auto changes = bus.watch(kTurn);
        if (!changes) {
            if (!seen)
                return tl::unexpected(changes.error());
            if (!std::exchange(complained, true))
                print_error(changes.error().text + " (waiting for the next adapter)");
            (void)::poll(nullptr, 0, kAdapterPauseMs);
            continue;
        }
        seen = true;
        complained = false;
        for (const BusChange& change : *changes) {
            print_change(change, options);
            if (++told == options.count)
                return std::fflush(stdout) == 0 ? 0 : kFailed;
        }
        if (std::fflush(stdout) != 0)
            return kFailed;
    }
    return 128 + interrupted();
}

}  // namespace

void add_bus(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App& bus = *app.add_subcommand("bus", "List controllers: which, whose, used by whom");
    add_socket_option(bus, options->socket);
    add_json_option(bus, options->json);
    bus.add_flag("-w,--watch", options->watch,
                 "A line for each that is there, arrives (+), departs (-) or changes (~)");
    bus.add_option("-n,--count", options->count, "With --watch: end after COUNT lines")
        ->type_name("COUNT")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40))
        ->needs("--watch");
    bus.footer(
        "A controller is a service that its partition announced as one. STATE: up, or away, while\n"
        "its partition has not come back after the adapter's restart; CONNECTIONS: accepted, and\n"
        "neither end has let go; USERS: the partitions that have them. At a named entrance: what\n"
        "its partition may connect to, and of others' users itself only. --json --watch: an\n"
        "object a line. An adapter that has gone is waited for.\n\n"
        "Examples:\n"
        "  causeway bus --json | jq -r '.controllers[] | select(.type == \"network\") | .service'\n"
        "  causeway bus --watch");
    on_run(bus, [options] { return options->watch ? watch(*options) : list(*options); });
}

}  // namespace causeway::cli
