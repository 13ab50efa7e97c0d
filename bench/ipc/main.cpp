// Message queues next to ZeroMQ, and requests next to gRPC, in one run.
//
//     bench_ipc [SECONDS] [ROUNDS]      0.5 a sample, 7 samples of each; JSON on standard output
//
// Messages of 64 bytes, each way; two processes that nobody binds to a core; the receiver reads
// every word. Samples take turns: each way of Causeway, then the peer, and again. Reported are
// medians over the rounds, and ratios to the peer: of the medians, and the median of each round's
// own ratio.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "ipc/contest.hpp"
#include "private_adapter.hpp"

namespace {

using namespace causeway;         // NOLINT(google-build-using-namespace): a program's main file
using namespace causeway::bench;  // NOLINT(google-build-using-namespace)

struct Way {
    const char* name;
    Manner manner;  // no executor: the peer
};

constexpr Way kWays[] = {
    {"direct, spinning", {"direct", false}},
    {"direct, sleeping", {"direct", true}},
    {"adapter, spinning", {"adapter", false}},
    {"adapter, sleeping", {"adapter", true}},
    {"peer", {nullptr, true}},
};
constexpr std::size_t kPeer = 4;

// Runs `life` in a child, which may put figures on the pipe.
pid_t start(const std::function<void()>& life) {
    const pid_t child = ::fork();
    if (child != 0)
        return child;
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)::setsid();  // as partitions are: the kernel may share the processors out by sessions
    life();
    ::_exit(EXIT_SUCCESS);
}

// What one end measured, and the processor time of both.
struct Sample {
    double figure = 0;  // messages a second; or nanoseconds, p50
    double second = 0;  // messages per second of processor time; or p99
};

// `measured` writes two numbers; `other` is killed once they are there, unless it ends by itself.
Sample run(const std::function<std::pair<double, double>()>& measured,
           const std::function<void()>& other, bool kill_other) {
    int ends[2];
    if (::pipe(ends) != 0)
        std::abort();
    rusage before{};
    (void)::getrusage(RUSAGE_CHILDREN, &before);
    const pid_t first = start([&] {
        const std::pair<double, double> figures = measured();
        if (::write(ends[1], &figures, sizeof figures) != sizeof figures)
            std::abort();
        if (!kill_other)
            ::pause();  // what the other end still sends has somebody to go to
    });
    const pid_t second = start(other);
    ::close(ends[1]);
    std::pair<double, double> figures;
    if (::read(ends[0], &figures, sizeof figures) != sizeof figures) {
        fmt::print(stderr, "bench_ipc: an end died\n");
        ::kill(first, SIGKILL);
        ::kill(second, SIGKILL);
        std::exit(EXIT_FAILURE);
    }
    ::close(ends[0]);
    if (kill_other)
        ::kill(second, SIGKILL);
    ::waitpid(second, nullptr, 0);
    ::kill(first, SIGKILL);
    ::waitpid(first, nullptr, 0);
    rusage after{};
    (void)::getrusage(RUSAGE_CHILDREN, &after);
    const auto seconds = [](const timeval& to, const timeval& from) {
        return static_cast<double>(to.tv_sec - from.tv_sec) +
               static_cast<double>(to.tv_usec - from.tv_usec) / 1e6;
    };
    const double used =
        seconds(after.ru_utime, before.ru_utime) + seconds(after.ru_stime, before.ru_stime);
    return kill_other ? Sample{figures.first, figures.second}
                      : Sample{figures.first, figures.second / used};
}

// Messages a second, and messages.
std::pair<double, double> checked(const Received& received) {
    // The sum of i and of its complement is the same for each message.
    if (received.count == 0 || received.sum != UINT64_MAX * received.count) {
        fmt::print(stderr, "bench_ipc: what was received is not what was sent\n");
        std::exit(EXIT_FAILURE);
    }
    return {received.per_second, static_cast<double>(received.count)};
}

std::pair<double, double> quantiles(RoundTrips trips) {
    if (trips.empty()) {
        fmt::print(stderr, "bench_ipc: no round trip in a sample's time\n");
        std::exit(EXIT_FAILURE);
    }
    std::sort(trips.begin(), trips.end());
    return {trips[trips.size() / 2], trips[trips.size() * 99 / 100]};
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct Table {
    std::vector<Sample> rows[std::size(kWays)];

    [[nodiscard]] std::vector<double> of(std::size_t way, double Sample::*what) const {
        std::vector<double> values;
        for (const Sample& sample : rows[way])
            values.push_back(sample.*what);
        return values;
    }
    // Ratios say how many times better than the peer; `more` is better, or less.
    [[nodiscard]] nlohmann::json json(const char* figure, const char* second, const char* peer,
                                      bool more) const {
        nlohmann::json out = nlohmann::json::array();
        const auto better = [more](double it, double than) { return more ? it / than : than / it; };
        for (std::size_t way = 0; way < std::size(kWays); ++way) {
            std::vector<double> ratios;
            for (std::size_t i = 0; i < rows[way].size(); ++i)
                ratios.push_back(better(rows[way][i].figure, rows[kPeer][i].figure));
            out.push_back({{"way", way == kPeer ? peer : kWays[way].name},
                           {"samples", rows[way].size()},
                           {figure, median(of(way, &Sample::figure))},
                           {second, median(of(way, &Sample::second))},
                           {"times_better", better(median(of(way, &Sample::figure)),
                                                   median(of(kPeer, &Sample::figure)))},
                           {"times_better_by_round", median(ratios)},
                           {"second_times_better", better(median(of(way, &Sample::second)),
                                                          median(of(kPeer, &Sample::second)))}});
        }
        return out;
    }
};

}  // namespace

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::atof(argv[1]) : 0.5;
    const int rounds = std::max(argc > 2 ? std::atoi(argv[2]) : 7, 1);
    std::string folder = (std::filesystem::temp_directory_path() / "bench-ipc-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) {
        fmt::print(stderr, "bench_ipc: cannot make a directory in /tmp\n");
        return EXIT_FAILURE;
    }
    auto adapter = cli::PrivateAdapter::start({.movers = 2});
    if (!adapter) {
        fmt::print(stderr, "bench_ipc: {}\n", adapter.error().text);
        return EXIT_FAILURE;
    }
    const Place place{
        adapter->socket(), folder,
        std::chrono::nanoseconds(static_cast<std::int64_t>(std::max(seconds, 0.01) * 1e9))};
    Table queues;
    Table requests;
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t way = 0; way < std::size(kWays); ++way) {
            fmt::print(stderr, "\rround {} of {}: {:<20}", round + 1, rounds, kWays[way].name);
            const Manner manner = kWays[way].manner;
            if (way == kPeer) {
                queues.rows[way].push_back(run([&] { return checked(receive_zeromq(place)); },
                                               [&] { send_zeromq(place); }, false));
                requests.rows[way].push_back(run([&] { return quantiles(ask_grpc(place)); },
                                                 [&] { answer_grpc(place); }, true));
                std::error_code ignored;
                for (const auto& left : std::filesystem::directory_iterator(folder))
                    std::filesystem::remove(left, ignored);
            } else {
                queues.rows[way].push_back(
                    run([&] { return checked(receive_causeway(place, manner)); },
                        [&] { send_causeway(place, manner); }, false));
                requests.rows[way].push_back(
                    run([&] { return quantiles(ask_causeway(place, manner)); },
                        [&] { answer_causeway(place, manner); }, true));
            }
        }
    }
    fmt::print(stderr, "\n");
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    const nlohmann::json out{
        {"bytes", kMessage},
        {"seconds_a_sample", seconds},
        {"receiver_reads", true},
        {"queue",
         queues.json("messages_per_s", "messages_per_processor_s", "ZeroMQ PUSH/PULL, ipc", true)},
        {"requests", requests.json("p50_ns", "p99_ns", "gRPC, Unix socket", false)}};
    fmt::print("{}\n", out.dump(2));
    return EXIT_SUCCESS;
}
