#include "lab/runner.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "lab/process.hpp"

namespace causeway::bench {
namespace {

using nlohmann::json;
using perf::Touch;

constexpr double kStartSeconds = 60;
constexpr double kSampleSeconds = 60;  // beyond what it should take
constexpr double kRehearsalSeconds = 0.001;

Sample sample_from(const json& line) {
    Sample sample;
    sample.verified = line.at("verified").get<bool>();
    sample.seconds = line.at("seconds").get<double>();
    sample.messages = line.at("messages").get<std::uint64_t>();
    sample.mops = line.at("mops").get<double>();
    sample.gbytes_per_s = line.at("gbytes_per_s").get<double>();
    std::uint64_t cpu_ns = 0;
    for (const auto& each : line.at("cpu_ns").items())
        cpu_ns += each.value().get<std::uint64_t>();
    sample.cpu_s = static_cast<double>(cpu_ns) / 1e9;
    if (!line.contains("one_way_ns"))
        return sample;
    const json& times = line.at("one_way_ns");
    sample.p50_ns = times.at("p50").get<double>();
    sample.p99_ns = times.at("p99").get<double>();
    sample.p9999_ns = times.at("p9999").get<double>();
    sample.mean_ns = times.at("mean").get<double>();
    for (const json& bucket : times.at("buckets"))
        sample.buckets.emplace_back(bucket.at(0).get<std::size_t>(),
                                    bucket.at(1).get<std::uint64_t>());
    return sample;
}

class PeerRunner final : public Runner {
public:
    PeerRunner(Process process, const Group& group) : process_(std::move(process)), group_(group) {}

    Result<void> get_ready() override {
        CW_TRY(process_.get_line(kStartSeconds));
        for (const Touch touch : group_.touches) {
            CW_TRY_ASSIGN(const Sample sample, order(touch, kRehearsalSeconds, true));
            if (!sample.verified)
                return fail(ErrorCode::system, "the data that came was not the data sent");
        }
        return {};
    }
    Result<Sample> sample(Touch touch, double seconds) override {
        return order(touch, seconds, false);
    }

private:
    [[nodiscard]] Result<Sample> order(Touch touch, double seconds, bool verify) {
        CW_TRY(process_.put_line(
            fmt::format("sample {} {} {}", perf::name(touch), seconds, verify ? 1 : 0)));
        CW_TRY_ASSIGN(const json line, process_.get_line(seconds + kSampleSeconds));
        return sample_from(line);
    }

    Process process_;
    const Group group_;
};

}  // namespace

Result<std::unique_ptr<Runner>> start_runner(const Contestant& contestant, const Group& group,
                                             const Surroundings& around) {
    if (contestant.kind == Kind::tool)
        return start_tool(contestant, group, around);
    CommandLine command{{around.directory + "/" + contestant.program}, contestant.environment};
    auto& words = command.words;
    words.insert(words.end(), contestant.arguments.begin(), contestant.arguments.end());
    words.insert(words.end(), {"--serve", "--test", std::string(perf::name(group.test)), "--size",
                               std::to_string(group.size), "--wait",
                               group.waiting == Waiting::spin ? contestant.wait_in_spin : "block",
                               "--cores", fmt::format("{},{}", around.sender, around.receiver),
                               "--warm-up", fmt::format("{}", around.warm_up)});
    if (contestant.service == Service::adapter)
        words.insert(words.end(), {"--socket", around.adapter_socket});
    CW_TRY_ASSIGN(Process process, Process::start(command));
    return std::make_unique<PeerRunner>(std::move(process), group);
}

std::string why_absent(const Contestant& contestant, const Surroundings& around) {
    std::vector<std::string> places{around.directory};
    if (contestant.kind == Kind::tool) {
        places.clear();
        const char* const path = std::getenv("PATH");
        std::istringstream folders(path != nullptr ? path : "/usr/bin");
        for (std::string folder; std::getline(folders, folder, ':');)
            places.push_back(folder);
    }
    const bool there = std::any_of(places.begin(), places.end(), [&](const std::string& place) {
        return ::access((place + "/" + contestant.program).c_str(), X_OK) == 0;
    });
    if (there)
        return contestant.service == Service::roudi ? around.without_roudi : "";
    const std::string built = contestant.kind == Kind::tool ? "is not installed" : "was not built";
    return contestant.program + " " + built +
           (contestant.package.empty() ? "" : " (it needs the package " + contestant.package + ")");
}

}  // namespace causeway::bench
