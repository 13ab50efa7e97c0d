// causeway netdev: a network interface in this partition, on a network unit of another.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <memory>

#include "command.hpp"
#include "interrupt.hpp"
#include "io/network/host_module.hpp"
#include "json.hpp"
#include "platform/clock.hpp"

namespace causeway::cli {
namespace {

using io::network::Carrier;
using io::network::HostModule;
using io::network::Tap;

constexpr std::uint64_t kSecondNs = 1'000'000'000;

struct Options {
    std::string socket;
    std::string attach;
    std::string unit;
    std::string name = "cw0";
    std::vector<std::string> addresses;
    std::string mac;
    std::string netns;
    abi::Executor executor = abi::Executor::any;
    std::uint32_t mtu = 1500;
    bool quiet = false;
    bool json = false;
};

Result<Tap> open_tap(const Options& options, io::network::MacAddress mac) {
    io::network::TapOptions tap;
    tap.name = options.name;
    tap.mtu = options.mtu;
    tap.mac = mac;
    tap.netns = options.netns;
    tap.carrier = Carrier::off;
    for (const std::string& text : options.addresses) {
        CW_TRY_ASSIGN(const auto address, io::network::InterfaceAddress::parse(text));
        tap.addresses.push_back(address);
    }
    return Tap::open(tap);
}

// Says what is wrong, once, and again when it is something else.
class Troubles {
public:
    explicit Troubles(bool quiet) : quiet_(quiet) {}
    void look(const HostModule& module) {
        const std::string& now =
            module.refusal().empty() ? module.host().trouble() : module.refusal();
        if (now == said_)
            return;
        said_ = now;
        if (!now.empty() && !quiet_)
            print_error(now + "; trying again");
    }

private:
    bool quiet_;
    std::string said_;
};

Result<int> run(const Options& options) {
    catch_interrupts();
    auto mac = io::network::MacAddress::from_name(options.attach + "/" + options.name);
    if (!options.mac.empty()) {
        CW_TRY_ASSIGN(mac, io::network::MacAddress::parse(options.mac));
    } else if (options.attach.empty()) {
        CW_TRY_ASSIGN(mac, io::network::MacAddress::random_local());
    }
    CW_TRY_ASSIGN(Tap tap, open_tap(options, mac));

    io::network::HostModuleTerms terms;
    terms.socket = options.socket;
    terms.name = options.attach;
    terms.target = options.unit;
    terms.mac = mac;
    terms.mtu = options.mtu;
    terms.executor = options.executor;
    HostModule module(terms, tap, [&](Carrier carrier) {
        if (auto set = tap.set_carrier(carrier); !set.has_value())
            print_error(set.error().text);
        if (!options.quiet)
            fmt::print(stderr, "{} on {}: {}\n", options.name, options.unit,
                       carrier == Carrier::on ? "carrier on" : "carrier off");
    });
    Troubles troubles(options.quiet);
    while (interrupted() == 0) {
        if (module.step())
            continue;
        troubles.look(module);
        const std::uint64_t now = platform::monotonic_ns();
        const std::uint64_t until = module.settle(now + kSecondNs);
        std::array<pollfd, 2> files{
            {{module.fabric_fd(), POLLIN, 0}, {module.interface_fd(), POLLIN, 0}}};
        const auto left = static_cast<long>(until > now ? until - now : 0);
        const timespec limit{0, std::min(left, 999'999'999L)};
        (void)::ppoll(files.data(), files.size(), &limit, nullptr);
        if ((files[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
            return fail(ErrorCode::not_found, "the interface " + options.name + " was removed");
    }
    if (options.json) {
        const auto& figures = module.figures();
        const json out{
            {"frames_out", figures.frames_out}, {"bytes_out", figures.bytes_out},
            {"frames_in", figures.frames_in},   {"bytes_in", figures.bytes_in},
            {"refused_in", figures.refused_in}, {"refused_out", figures.refused_out},
            {"waited", figures.waited},         {"connections", module.host().connections()}};
        print_json(out);
    }
    return 128 + interrupted();
}

}  // namespace

void add_netdev(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App& netdev = *app.add_subcommand(
        "netdev", "A network interface here, on a network that another partition serves");
    add_socket_option(netdev, options->socket);
    netdev
        .add_option("--attach", options->attach,
                    "Join as this partition (at a named entrance: its own name)")
        ->type_name("NAME");
    netdev.add_option("--unit", options->unit, "The network, as `causeway bus` lists it")
        ->required()
        ->type_name("PARTITION/NAME");
    netdev.add_option("--name", options->name, "Of the interface")
        ->capture_default_str()
        ->type_name("INTERFACE");
    netdev
        .add_option("--address", options->addresses,
                    "Of the interface, with its prefix, such as 10.1.0.2/24; may be repeated")
        ->type_name("ADDRESS");
    netdev.add_option("--mac", options->mac, "Of the interface (else: from the names)")
        ->type_name("MAC");
    netdev.add_option("--mtu", options->mtu, "Of the interface; at most the network's")
        ->capture_default_str()
        ->check(CLI::Range(io::network::kMinMtu, io::network::kMaxMtu))
        ->type_name("BYTES");
    netdev
        .add_option("--netns", options->netns,
                    "Make it in this network namespace: a process, a path, a name of `ip netns`")
        ->type_name("NETNS");
    add_executor_option(netdev, options->executor);
    netdev.add_flag("--quiet", options->quiet, "Say nothing of carrier and connection");
    netdev.add_flag("--json", options->json, "At the end, the counters as JSON");
    netdev.footer(
        "Needs CAP_NET_ADMIN where the interface is to be, and /dev/net/tun. Runs until it gets "
        "SIGINT or\n"
        "SIGTERM; then the interface goes. While the unit is away the interface stays, with its "
        "carrier off.\n\n"
        "Example, see `causeway unit network --help` for the other half:\n"
        "  causeway netdev --attach web --unit net/lan0 --name cw0 --address 10.1.0.2/24");
    on_run(netdev, [options] { return run(*options); });
}

}  // namespace causeway::cli
