// Peers by their own benchmarks. Nobody reads what came, and who runs them takes their word for it.
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "lab/process.hpp"
#include "lab/runner.hpp"
#include "platform/clock.hpp"

namespace causeway::bench {
namespace {

using perf::Test;
using perf::Touch;

constexpr double kMiBPerGB = 1e9 / (1 << 20);
constexpr double kToolSeconds = 60;
constexpr std::uint64_t kFirstSmall = 2000;  // iterations of the first try
constexpr std::uint64_t kFirstLarge = 20;
constexpr std::uint64_t kLarge = 64 << 10;  // bytes

// A TCP port that was free a moment ago.
Result<unsigned> free_port() {
    const platform::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (!fd || ::bind(fd.get(), any, length) != 0 || ::getsockname(fd.get(), any, &length) != 0)
        return fail_errno("find a free port", errno);
    return ntohs(address.sin_port);
}

// Server and client of one tool, run once for every sample.
class ToolRunner : public Runner {
public:
    ToolRunner(const Contestant& contestant, const Group& group, const Surroundings& around)
        : contestant_(contestant), group_(group), around_(around) {}

    Result<void> get_ready() override {
        const std::uint64_t first = group_.size >= kLarge ? kFirstLarge : kFirstSmall;
        CW_TRY_ASSIGN(const Sample sample, run(first));
        seconds_per_iteration_ = sample.seconds / static_cast<double>(first);
        return {};
    }
    Result<Sample> sample(Touch, double seconds) override {
        const double wanted = seconds / std::max(seconds_per_iteration_, 1e-9);
        const auto iterations = static_cast<std::uint64_t>(std::clamp(wanted, 10.0, 1e8));
        CW_TRY_ASSIGN(Sample sample, run(iterations));
        seconds_per_iteration_ = sample.seconds / static_cast<double>(iterations);
        return sample;
    }

protected:
    [[nodiscard]] virtual std::vector<std::string> server(unsigned port,
                                                          std::uint64_t iterations) const = 0;
    [[nodiscard]] virtual std::vector<std::string> client(unsigned port,
                                                          std::uint64_t iterations) const = 0;
    [[nodiscard]] virtual Result<Sample> parse(const std::string& output,
                                               std::uint64_t iterations) const = 0;

    const Contestant contestant_;
    const Group group_;
    const Surroundings around_;

private:
    [[nodiscard]] Result<Sample> run(std::uint64_t iterations) {
        CW_TRY_ASSIGN(const unsigned port, free_port());
        CW_TRY_ASSIGN(Process serving,
                      Process::start({server(port, iterations), contestant_.environment}));
        CW_TRY(wait_for_listener(port));
        CW_TRY_ASSIGN(Process asking,
                      Process::start({client(port, iterations), contestant_.environment}));
        CW_TRY_ASSIGN(const std::string output, asking.read_to_end(kToolSeconds));
        CW_TRY(serving.read_to_end(kToolSeconds));
        CW_TRY_ASSIGN(Sample sample, parse(output, iterations));
        sample.messages = iterations;
        sample.verified = true;
        return sample;
    }

    // The server's only connection is the client's, so a look into the kernel's table must do.
    [[nodiscard]] static Result<void> wait_for_listener(unsigned port);

    double seconds_per_iteration_ = 0;
};

Result<void> ToolRunner::wait_for_listener(unsigned port) {
    const std::string wanted = fmt::format(":{:04X} ", port);
    const std::uint64_t deadline = platform::monotonic_ns() + 10'000'000'000;
    std::array<char, 1 << 16> table;
    while (platform::monotonic_ns() < deadline) {
        for (const char* const path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
            std::FILE* const file = std::fopen(path, "re");
            if (file == nullptr)
                continue;
            const std::size_t size = std::fread(table.data(), 1, table.size(), file);
            std::fclose(file);
            std::istringstream lines(std::string(table.data(), size));
            for (std::string line; std::getline(lines, line);) {
                // "sl local remote state": 0A is LISTEN.
                if (line.find(wanted) != std::string::npos &&
                    line.find(" 0A ") != std::string::npos)
                    return {};
            }
        }
        ::poll(nullptr, 0, 1);
    }
    return fail(ErrorCode::timed_out, "the server of the tool did not come up");
}

// ucx_perftest -v -f prints one line of figures, after a line of titles.
class UcxPerftest final : public ToolRunner {
public:
    using ToolRunner::ToolRunner;

private:
    [[nodiscard]] std::vector<std::string> server(unsigned port, std::uint64_t) const override {
        return {"ucx_perftest", "-c", std::to_string(around_.receiver), "-p", std::to_string(port)};
    }
    [[nodiscard]] std::vector<std::string> client(unsigned port,
                                                  std::uint64_t iterations) const override {
        const std::string test =
            contestant_.arguments.at(0) + (group_.test == Test::latency ? "_lat" : "_bw");
        return {"ucx_perftest",
                "-c",
                std::to_string(around_.sender),
                "-p",
                std::to_string(port),
                "-t",
                test,
                "-s",
                std::to_string(group_.size),
                "-n",
                std::to_string(iterations),
                "-w",
                std::to_string(std::max<std::uint64_t>(iterations / 5, 2)),
                "-v",
                "-f",
                "127.0.0.1"};
    }
    // iterations, p50, average, overall (microseconds), MiB/s twice, messages/s twice
    [[nodiscard]] Result<Sample> parse(const std::string& output,
                                       std::uint64_t iterations) const override {
        std::istringstream lines(output);
        std::string last;
        for (std::string line; std::getline(lines, line);) {
            if (std::count(line.begin(), line.end(), ',') == 7)
                last = line;
        }
        std::replace(last.begin(), last.end(), ',', ' ');
        std::istringstream words(last);
        double count = 0;
        double p50 = 0;
        double average = 0;
        double overall = 0;
        double bandwidth[2] = {};
        double rate[2] = {};
        if (!(words >> count >> p50 >> average >> overall >> bandwidth[0] >> bandwidth[1] >>
              rate[0] >> rate[1]))
            return fail(ErrorCode::protocol, "ucx_perftest printed no line of figures: " + output);
        Sample sample;
        if (group_.test == Test::latency) {
            sample.p50_ns = p50 * 1e3;
            sample.mean_ns = overall * 1e3;
            sample.seconds = 2 * overall * 1e-6 * static_cast<double>(iterations);
        } else {
            sample.seconds = overall * 1e-6 * static_cast<double>(iterations);
        }
        sample.mops = rate[1] / 1e6;
        sample.gbytes_per_s = bandwidth[1] / kMiBPerGB;
        return sample;
    }
};

// fi_pingpong prints one line: bytes, sent, acknowledged, total, time, MB/s, usec/xfer, Mxfers/s.
class FiPingpong final : public ToolRunner {
public:
    using ToolRunner::ToolRunner;

private:
    [[nodiscard]] std::vector<std::string> words(unsigned core, std::uint64_t iterations) const {
        return {"taskset",
                "-c",
                std::to_string(core),
                "fi_pingpong",
                "-p",
                "shm",
                "-e",
                "rdm",
                "-I",
                std::to_string(iterations),
                "-S",
                std::to_string(group_.size)};
    }
    [[nodiscard]] std::vector<std::string> server(unsigned port,
                                                  std::uint64_t iterations) const override {
        auto all = words(around_.receiver, iterations);
        all.insert(all.end(), {"-B", std::to_string(port)});
        return all;
    }
    [[nodiscard]] std::vector<std::string> client(unsigned port,
                                                  std::uint64_t iterations) const override {
        auto all = words(around_.sender, iterations);
        all.insert(all.end(), {"-P", std::to_string(port), "127.0.0.1"});
        return all;
    }
    [[nodiscard]] Result<Sample> parse(const std::string& output,
                                       std::uint64_t iterations) const override {
        std::istringstream lines(output);
        std::string line;
        std::string last;
        while (std::getline(lines, line)) {
            if (!line.empty())
                last = line;
        }
        std::istringstream columns(last);
        std::string word;
        std::vector<std::string> all;
        while (columns >> word)
            all.push_back(word);
        if (all.size() < 8)
            return fail(ErrorCode::protocol, "fi_pingpong printed no line of figures: " + output);
        Sample sample;
        sample.p50_ns = sample.mean_ns = std::strtod(all[6].c_str(), nullptr) * 1e3;
        sample.seconds = 2 * sample.mean_ns * 1e-9 * static_cast<double>(iterations);
        return sample;
    }
};

}  // namespace

Result<std::unique_ptr<Runner>> start_tool(const Contestant& contestant, const Group& group,
                                           const Surroundings& around) {
    if (contestant.program == "fi_pingpong")
        return std::make_unique<FiPingpong>(contestant, group, around);
    return std::make_unique<UcxPerftest>(contestant, group, around);
}

}  // namespace causeway::bench
