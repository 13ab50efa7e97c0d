#include "lab/contestants.hpp"

#include <algorithm>

namespace causeway::bench {
namespace {

using perf::Test;

void add_causeway(std::vector<Contestant>& all) {
    for (const std::string executor : {"direct", "adapter"}) {
        for (const std::string operation : {"send", "write"}) {
            all.push_back({.id = "causeway-" + executor + "-" + operation,
                           .title = "Causeway " + executor + ", " + operation,
                           .kind = Kind::causeway,
                           .program = "bench_peer_causeway",
                           .arguments = {"--variant", operation, "--executor", executor},
                           .can_block = true,
                           .service = Service::adapter,
                           .note = operation == "write" ? "RDMA Write with immediate" : ""});
        }
    }
}

void add_limits(std::vector<Contestant>& all) {
    const std::pair<const char*, const char*> kernels[] = {
        {"cached", "memcpy"}, {"nontemporal", "non-temporal"}, {"rep", "rep movsb"}};
    for (const auto& [kernel, what] : kernels) {
        all.push_back({.id = std::string("limits-ring-") + kernel,
                       .title = std::string("hand-made ring, ") + what,
                       .kind = Kind::limit,
                       .program = "bench_peer_limits",
                       .arguments = {"--variant", std::string("ring-") + kernel},
                       .least = kernel == std::string("cached") ? 1u : 4096u});
    }
    for (const auto& [kernel, what] : kernels) {
        all.push_back({.id = std::string("limits-copy-") + kernel,
                       .title = std::string("one core copies, ") + what,
                       .kind = Kind::limit,
                       .program = "bench_peer_limits",
                       .arguments = {"--variant", std::string("copy-") + kernel},
                       .tests = {Test::bandwidth},
                       .can_read = false,
                       .least = 4096});
    }
}

void add_streams(std::vector<Contestant>& all) {
    const std::pair<const char*, const char*> streams[] = {
        {"unix", "Unix socket"}, {"pipe", "pipe"}, {"tcp", "TCP loopback"}};
    for (const auto& [variant, title] : streams) {
        all.push_back({.id = std::string(variant),
                       .title = title,
                       .program = "bench_peer_streams",
                       .arguments = {"--variant", variant},
                       .wait_in_spin = "block",
                       .can_block = true,
                       .note = "blocking calls"});
        all.push_back({.id = std::string(variant) + "-spin",
                       .title = std::string(title) + ", spinning",
                       .program = "bench_peer_streams",
                       .arguments = {"--variant", variant},
                       .note = "non-blocking calls in a loop"});
    }
}

void add_ucx(std::vector<Contestant>& all) {
    const std::vector<std::pair<std::string, std::string>> transports{
        {"UCX_TLS", "posix,cma,self"}, {"UCX_WARN_UNUSED_ENV_VARS", "n"}};
    all.push_back({.id = "ucx-tag",
                   .title = "UCX tag",
                   .program = "bench_peer_ucx",
                   .arguments = {"--variant", "tag"},
                   .environment = transports,
                   .can_block = true,
                   .package = "libucx-dev",
                   .note = "transports posix and cma, into posted receives"});
    all.push_back({.id = "ucx-tag-tool",
                   .title = "UCX tag (ucx_perftest)",
                   .kind = Kind::tool,
                   .program = "ucx_perftest",
                   .arguments = {"tag"},
                   .environment = transports,
                   .can_read = false,
                   .package = "ucx-utils",
                   .note = "one buffer all the time; its bandwidth test counts what was sent"});
    all.push_back({.id = "ucx-put",
                   .title = "UCX put",
                   .program = "bench_peer_ucx",
                   .arguments = {"--variant", "put"},
                   .environment = transports,
                   .owns = false,
                   .package = "libucx-dev",
                   .note = "one-sided into memory that both map, then a number that the receiver "
                           "looks at"});
    all.push_back({.id = "ucx-put-tool",
                   .title = "UCX put (ucx_perftest)",
                   .kind = Kind::tool,
                   .program = "ucx_perftest",
                   .arguments = {"ucp_put"},
                   .environment = transports,
                   .can_read = false,
                   .owns = false,
                   .package = "ucx-utils",
                   .note = "one buffer all the time; in its bandwidth test nobody is told"});
}

void add_fabric(std::vector<Contestant>& all) {
    all.push_back({.id = "fabric",
                   .title = "libfabric shm",
                   .program = "bench_peer_fabric",
                   .package = "libfabric-dev",
                   .note = "reliable datagram endpoint, messages into posted receives"});
    all.push_back({.id = "fabric-tool",
                   .title = "libfabric shm (fi_pingpong)",
                   .kind = Kind::tool,
                   .program = "fi_pingpong",
                   .tests = {Test::latency},
                   .can_read = false,
                   .package = "libfabric-bin",
                   .note = "tells a mean instead of a median"});
}

void add_iceoryx(std::vector<Contestant>& all) {
    const std::pair<const char*, const char*> ways[] = {{"copy", "iceoryx, copied in and out"},
                                                        {"in-place", "iceoryx, in place"}};
    for (const auto& [variant, title] : ways) {
        const bool copies = variant == std::string("copy");
        all.push_back({.id = std::string("iceoryx-") + variant,
                       .title = title,
                       .program = "bench_peer_iceoryx",
                       .arguments = {"--variant", variant},
                       .can_block = true,
                       .owns = copies,
                       .service = Service::roudi,
                       .package = "libiceoryx-posh-dev",
                       .note = copies ? "into a chunk and out of it"
                                      : "chunks that hold the message already are published and "
                                        "read where they lie: nothing is copied"});
    }
}

void add_zeromq(std::vector<Contestant>& all) {
    all.push_back({.id = "zeromq",
                   .title = "ZeroMQ ipc",
                   .program = "bench_peer_zeromq",
                   .wait_in_spin = "block",
                   .can_block = true,
                   .package = "libzmq3-dev",
                   .note = "blocking calls; its own thread in each process moves the data"});
}

}  // namespace

std::string_view name(Kind kind) {
    constexpr std::string_view kNames[] = {"causeway", "limit", "peer", "tool"};
    return kNames[static_cast<int>(kind)];
}

std::string_view name(Waiting waiting) { return waiting == Waiting::spin ? "spin" : "block"; }

bool Contestant::takes_part(Test test, std::uint64_t size, Waiting waiting) const {
    return std::find(tests.begin(), tests.end(), test) != tests.end() && size >= least &&
           size <= most && (waiting == Waiting::spin ? !wait_in_spin.empty() : can_block);
}

std::vector<Contestant> all_contestants() {
    std::vector<Contestant> all;
    add_causeway(all);
    add_limits(all);
    add_streams(all);
    add_ucx(all);
    add_fabric(all);
    add_iceoryx(all);
    add_zeromq(all);
    return all;
}

std::vector<Contestant> choose_contestants(const std::vector<std::string>& names) {
    std::vector<Contestant> chosen = all_contestants();
    if (names.empty())
        return chosen;
    std::erase_if(chosen, [&](const Contestant& each) {
        return std::none_of(names.begin(), names.end(), [&](const std::string& name) {
            return each.id == name || each.id.substr(0, each.id.find('-')) == name;
        });
    });
    return chosen;
}

}  // namespace causeway::bench
