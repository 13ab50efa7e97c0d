#include "lab/runner.hpp"

#include <fmt/format.h>
#include <unistd.h>

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

std::vector<std::string> program_folders() {
    const char* const path = std::getenv("PATH");
    std::istringstream folders(path != nullptr ? path : "/usr/bin");
    std::vector<std::string> all;
    for (std::string folder; std::getline(folders, folder, ':');)
        all.push_back(folder);
    return all;
}

// Its path; empty where it is in none of them.
std::string find_file(const std::vector<std::string>& folders, const std::string& file) {
    for (const std::string& folder : folders) {
        std::string path = folder + "/" + file;
        if (::access(path.c_str(), R_OK) == 0)
            return path;
    }
    return "";
}

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
    const std::vector<std::string> places =
        contestant.kind == Kind::tool ? program_folders() : std::vector{around.directory};
    if (!find_file(places, contestant.program).empty())
        return contestant.service == Service::roudi ? around.without_roudi : "";
    const std::string built = contestant.kind == Kind::tool ? "is not installed" : "was not built";
    return contestant.program + " " + built +
           (contestant.package.empty() ? "" : " (it needs the package " + contestant.package + ")");
}

std::vector<std::string> remarks_on_others() {
    std::vector<std::string> places = program_folders();
    places.insert(places.end(), {"/usr/lib", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu"});
    const std::pair<const char*, std::vector<std::string>> others[] = {
        {"Aeron", {"aeronmd", "libaeron.so", "libaeron_client.so"}},
        {"iceoryx2", {"iox2", "libiceoryx2_ffi.so", "libiceoryx2_ffi_c.so"}}};
    std::vector<std::string> remarks;
    for (const auto& [title, files] : others) {
        std::string found;
        for (const std::string& file : files)
            found = found.empty() ? find_file(places, file) : found;
        remarks.push_back(found.empty()
                              ? fmt::format("{} is not on this machine", title)
                              : fmt::format("{} is on this machine ({}), but the laboratory has no "
                                            "driver for it",
                                            title, found));
    }
    return remarks;
}

}  // namespace causeway::bench
