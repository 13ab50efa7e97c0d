// causeway unit network: a switched network for other partitions.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <memory>
#include <thread>

#include "command_unit.hpp"
#include "interrupt.hpp"
#include "io/network/packet_socket.hpp"
#include "io/network/tap.hpp"
#include "io/network/unit.hpp"
#include "json.hpp"
#include "platform/clock.hpp"

namespace causeway::cli {
namespace {

using namespace std::chrono_literals;
using io::network::Device;
using io::network::NetworkUnit;

constexpr std::uint64_t kSecondNs = 1'000'000'000;

struct Options {
    std::string socket;
    std::string attach;
    std::string name = "lan0";
    std::string uplink = "none";
    abi::Executor executor = abi::Executor::any;
    std::uint32_t mtu = 1500;
    bool isolate = false;
    bool json = false;
};

Result<std::unique_ptr<Device>> open_uplink(const Options& options) {
    const auto colon = options.uplink.find(':');
    const std::string kind = options.uplink.substr(0, colon);
    const std::string name =
        colon == std::string::npos ? std::string() : options.uplink.substr(colon + 1);
    if (kind == "none" && name.empty())
        return std::unique_ptr<Device>();
    if (kind == "tap" && !name.empty()) {
        CW_TRY_ASSIGN(auto tap, io::network::Tap::open({.name = name, .mtu = options.mtu}));
        return std::unique_ptr<Device>(std::make_unique<io::network::Tap>(std::move(tap)));
    }
    if (kind == "veth" && !name.empty()) {
        CW_TRY_ASSIGN(auto socket, io::network::PacketSocket::open({.interface = name}));
        return std::unique_ptr<Device>(
            std::make_unique<io::network::PacketSocket>(std::move(socket)));
    }
    return fail_format(ErrorCode::invalid_argument,
                       "there is no uplink '%s': tap:NAME makes an interface of that name, "
                       "veth:INTERFACE uses one that is there, none has none",
                       options.uplink.c_str());
}

json figures_of(const NetworkUnit& unit) {
    auto ports = json::array();
    for (const auto& port : unit.figures()) {
        json drops = json::object();
        for (std::size_t i = 1; i < io::network::kDropReasons; ++i) {
            const auto reason = static_cast<io::network::DropReason>(i);
            if (port.counters[reason] != 0)
                drops[io::network::name(reason)] = port.counters[reason];
        }
        ports.push_back({{"port", port.port},
                         {"partition", port.partition},
                         {"uplink", port.partition.empty()},
                         {"mac", port.mac},
                         {"executor", port.executor},
                         {"connected", port.connected},
                         {"frames_in", port.counters.frames_in},
                         {"bytes_in", port.counters.bytes_in},
                         {"frames_out", port.counters.frames_out},
                         {"bytes_out", port.counters.bytes_out},
                         {"lost_out", port.counters.lost_out},
                         {"broadcast_in", port.counters.broadcast_in},
                         {"multicast_in", port.counters.multicast_in},
                         {"dropped", drops}});
    }
    return {{"ports", ports}, {"early_frames", unit.early_frames()}};
}

// Until a signal comes, the adapter has gone for good, or it has withdrawn the controller.
Result<void> serve(NetworkUnit& unit) {
    while (interrupted() == 0) {
        if (unit.step())
            continue;
        if (const std::string& why = unit.service().withdrawn(); !why.empty())
            return fail(ErrorCode::denied, why);
        if (unit.service().ended())
            return fail(ErrorCode::adapter_gone, "the adapter has gone");
        if (unit.uplink_gone())
            return fail(ErrorCode::not_found, "the uplink's interface has been removed");
        const std::uint64_t now = platform::monotonic_ns();
        const std::uint64_t until = unit.settle(now + kSecondNs);
        std::array<pollfd, 2> files{
            {{unit.service().fd(), POLLIN, 0}, {unit.uplink_fd(), POLLIN, 0}}};
        const auto left = static_cast<long>(until > now ? until - now : 0);
        const timespec limit{0, std::min(left, 999'999'999L)};
        (void)::ppoll(files.data(), files.size(), &limit, nullptr);
    }
    return {};
}

Result<int> run_network(const Options& options) {
    catch_interrupts();
    CW_TRY_ASSIGN(const std::unique_ptr<Device> uplink, open_uplink(options));
    io::network::UnitTerms terms;
    terms.name = options.name;
    terms.mtu = options.mtu;
    terms.executor = options.executor;
    if (options.isolate)
        terms.isolation = io::network::Isolation::isolated;
    for (bool first = true; interrupted() == 0; first = false) {
        auto partition = client::Partition::attach(options.socket, options.attach, {});
        auto unit = partition.has_value() ? NetworkUnit::open(*partition, terms, uplink.get())
                                          : fail(partition.error().code, partition.error().text);
        if (!unit.has_value()) {
            if (partition.has_value())
                (*partition)->close();
            // A later adapter may be away: no need to say so again. What it denies it denies.
            if (first || unit.error().code == ErrorCode::denied)
                return fail(unit.error().code, unit.error().text);
            std::this_thread::sleep_for(200ms);
            continue;
        }
        fmt::print(stderr, "network {}/{} is up: MTU {}, uplink {}\n", (*partition)->name(),
                   options.name, options.mtu, options.uplink);
        const auto served = serve(**unit);
        if (options.json)
            print_json(figures_of(**unit));
        unit->reset();
        (*partition)->close();
        if (!served.has_value()) {
            print_error(served.error().text);
            if (served.error().code != ErrorCode::adapter_gone)
                return kFailed;
        }
    }
    return 128 + interrupted();
}

}  // namespace

void add_unit_network(CLI::App& unit) {
    auto options = std::make_shared<Options>();
    CLI::App& network = *unit.add_subcommand(
        "network", "A switched network: a port for every `causeway netdev`, and an uplink");
    add_socket_option(network, options->socket);
    network
        .add_option("--attach", options->attach,
                    "Join as this partition (at a named entrance: its own name)")
        ->type_name("PARTITION");
    network.add_option("--name", options->name, "Of the network: its controller on the fabric")
        ->capture_default_str()
        ->type_name("NAME");
    network
        .add_option("--uplink", options->uplink,
                    "tap:NAME makes an interface of this host, veth:INTERFACE takes one that is "
                    "there, none")
        ->capture_default_str()
        ->type_name("UPLINK");
    network.add_option("--mtu", options->mtu, "Of all its ports")
        ->capture_default_str()
        ->check(CLI::Range(io::network::kMinMtu, io::network::kMaxMtu))
        ->type_name("BYTES");
    network.add_flag("--isolate", options->isolate,
                     "Host modules reach the uplink, and not each other");
    add_executor_option(network, options->executor);
    network.add_flag("--json", options->json, "At the end, every port's counters as JSON");
    network.footer(
        "Runs until it gets SIGINT or SIGTERM. Partitions join with `causeway netdev`, and are "
        "back by\n"
        "themselves when this unit, or the adapter, was restarted.\n\n"
        "Example:\n"
        "  causeway unit network --attach net --name lan0 --uplink tap:cwlan0\n"
        "  causeway netdev --attach web --unit net/lan0 --name cw0 --address 10.1.0.2/24");
    on_run(network, [options] { return run_network(*options); });
}

}  // namespace causeway::cli
