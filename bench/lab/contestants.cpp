#include "lab/contestants.hpp"

#include <algorithm>

namespace causeway::bench {
namespace {

using perf::Test;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

void add_causeway(std::vector<Contestant>& all) {
    for (const std::string executor : {"direct", "adapter"}) {
        for (const std::string operation : {"send", "write"}) {
            all.push_back({.id = "causeway-" + executor + "-" + operation,
                           .title = "Causeway " + executor + ", " + operation,
                           .kind = Kind::causeway,
                           .program = "bench_peer_causeway",
                           .arguments = {"--variant", operation, "--executor", executor},
                           .can_block = true,
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
