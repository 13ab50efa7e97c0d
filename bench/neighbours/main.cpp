// What a neighbour on the same adapter costs a pair of partitions, against one that burns the same
// processor time off the fabric.
//
//     bench_neighbours [SECONDS] [ROUNDS]      0.5 a sample, 5 samples of each; JSON on standard
//     output
//
// The pair exchanges 8-byte messages, then 64 KiB ones, over executor adapter; both ends and the
// neighbour are separate processes, and nobody is bound to a core. Samples take turns: one of the
// worst, one that burns what that one and the adapter for it took, the next. Reported are medians,
// and ratios to the burning neighbour.
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <causeway/causeway.hpp>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "neighbours/cost.hpp"
#include "neighbours/neighbour.hpp"
#include "perf/histogram.hpp"
#include "private_adapter.hpp"

namespace {

using namespace causeway;         // NOLINT(google-build-using-namespace): a program's main file
using namespace causeway::bench;  // NOLINT(google-build-using-namespace)
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kLarge = 64 << 10;

// One end: memory, queue, and the pair.
struct Party {
    Party(const std::string& socket, const std::string& name)
        : partition(Partition::attach(name, {.socket = socket}).value()),
          memory(partition.allocate(16 * kLarge).value()),
          queue(partition.create_completion_queue(256).value()),
          pair(partition.create_queue_pair({.completions = queue}).value()) {}

    void receive() { pair.post_receive(memory.slice(0, kLarge), 1).value(); }
    void send(std::uint32_t bytes) {
        pair.post_send(memory.slice(8 * kLarge, bytes), 2, {.signaled = false}).value();
    }
    void await() {
        for (;;) {
            const CompletionBatch batch = queue.wait(1s);
            for (const Completion& done : batch) {
                if (!done.ok())
                    std::abort();
            }
            if (!batch.empty())
                return;
        }
    }
    Partition partition;
    Region memory;
    CompletionQueue queue;
    QueuePair pair;
};

// Sends back what comes, with the length that came.
[[noreturn]] void echo(const std::string& socket) {
    Party party(socket, "echo");
    Listener listener = party.partition.listen("echo").value();
    party.receive();
    listener.accept(party.pair, 30s).value();
    for (;;) {
        for (const Completion& done : party.queue.wait(1s)) {
            if (!done.ok())
                ::_exit(0);
            const auto length = static_cast<std::uint32_t>(done.length());
            party.receive();
            party.send(length);
        }
    }
}

template<typename F>
pid_t start(F&& run) {
    const pid_t child = ::fork();
    if (child != 0)
        return child;
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)::setsid();  // as partitions are: the kernel may share the processors out by sessions
    run();
    ::_exit(0);
}

struct Sample {
    double p50_us = 0;
    double p99_us = 0;
    double gb_per_s = 0;
    double processors = 0;  // that the neighbour took, with what the adapter did for it
};

Sample measure(Party& party, std::chrono::nanoseconds time) {
    const auto rounds = [&](std::uint32_t bytes, perf::Histogram& times) {
        const auto end = Clock::now() + time / 2;
        std::uint64_t count = 0;
        auto before = Clock::now();
        while (before < end) {
            party.receive();
            party.send(bytes);
            party.await();
            const auto after = Clock::now();
            times.add(static_cast<std::uint64_t>((after - before).count()));
            before = after;
            ++count;
        }
        return count;
    };
    perf::Histogram small;
    perf::Histogram large;
    (void)rounds(8, small);
    const auto began = Clock::now();
    const std::uint64_t count = rounds(kLarge, large);
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    return {static_cast<double>(small.quantile(0.5)) / 1e3,
            static_cast<double>(small.quantile(0.99)) / 1e3,
            2.0 * kLarge * static_cast<double>(count) / seconds / 1e9};
}

// As many processes as it takes: the neighbour and the adapter are two for the scheduler, too.
std::vector<std::function<void()>> burners(double processors) {
    const auto count = static_cast<std::size_t>(std::ceil(std::max(processors, 0.01)));
    return {count, [=] { burn(processors / static_cast<double>(count)); }};
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[values.size() / 2];
}

struct Series {
    std::vector<Sample> of_it;
    std::vector<Sample> of_burning;

    [[nodiscard]] nlohmann::json json(Manner manner) const {
        const auto of = [](const std::vector<Sample>& samples, double Sample::*what) {
            std::vector<double> values;
            for (const Sample& sample : samples)
                values.push_back(sample.*what);
            return median(std::move(values));
        };
        nlohmann::json row{{"neighbour", manner_name(manner)}, {"samples", of_it.size()}};
        for (const auto& [name, what] :
             {std::pair("p50_us", &Sample::p50_us), std::pair("p99_us", &Sample::p99_us),
              std::pair("gb_per_s", &Sample::gb_per_s),
              std::pair("processors", &Sample::processors)}) {
            const double it = of(of_it, what);
            const double burning = of(of_burning, what);
            row[name] = {{"beside_it", it}, {"beside_burning", burning}, {"ratio", it / burning}};
        }
        return row;
    }
};

}  // namespace

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::atof(argv[1]) : 0.5;
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
    auto adapter = cli::PrivateAdapter::start({.movers = 2});
    if (!adapter) {
        fmt::print(stderr, "bench_neighbours: {}\n", adapter.error().text);
        return EXIT_FAILURE;
    }
    const std::string socket = adapter->socket();
    const pid_t other = start([&] { echo(socket); });
    Party party(socket, "measured");
    while (!party.pair.connect("echo/echo", 5s))
        party.pair = party.partition.create_queue_pair({.completions = party.queue}).value();
    const auto time =
        std::chrono::nanoseconds(static_cast<std::int64_t>(std::max(seconds, 0.01) * 1e9));
    const auto beside = [&](const std::vector<std::function<void()>>& lives) {
        std::vector<pid_t> neighbours;
        for (const auto& life : lives)
            neighbours.push_back(start(life));
        (void)measure(party, 100ms);  // until they are under way
        const double before = Cost::of(neighbours, "measured", socket).seconds;
        const auto began = Clock::now();
        Sample sample = measure(party, time);
        const std::chrono::duration<double> passed = Clock::now() - began;
        sample.processors =
            (Cost::of(neighbours, "measured", socket).seconds - before) / passed.count();
        for (const pid_t neighbour : neighbours) {
            ::kill(neighbour, SIGKILL);
            ::waitpid(neighbour, nullptr, 0);
        }
        return sample;
    };
    std::map<Manner, Series> all;
    for (int round = 0; round < rounds; ++round) {
        for (const Manner manner : kManners) {
            fmt::print(stderr, "\rround {} of {}: {:<16}", round + 1, rounds, manner_name(manner));
            Series& series = all[manner];
            series.of_it.push_back(beside({[&] { run_neighbour(manner, socket); }}));
            series.of_burning.push_back(beside(burners(series.of_it.back().processors)));
        }
    }
    fmt::print(stderr, "\n");
    ::kill(other, SIGKILL);
    ::waitpid(other, nullptr, 0);
    nlohmann::json out = nlohmann::json::array();
    for (const auto& [manner, series] : all)
        out.push_back(series.json(manner));
    fmt::print("{}\n", out.dump(2));
    return EXIT_SUCCESS;
}
