// causeway perf: the figures are there, the data was right, and nothing stays behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "support/command.hpp"
#include "support/temp_directory.hpp"
#include "support/test_adapter.hpp"

namespace causeway::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// One short sample unless --repeat is among `more`.
std::vector<std::string> perf_arguments(const std::vector<std::string>& more) {
    std::vector<std::string> arguments{program("causeway"), "perf", "--seconds", "0.02", "--json"};
    if (std::find(more.begin(), more.end(), "--repeat") == more.end())
        arguments.insert(arguments.end(), {"--repeat", "1"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

json perf_json(const std::vector<std::string>& more) {
    const auto result = run_command(perf_arguments(more));
    EXPECT_EQ(result.status, 0) << result.err;
    return result.status == 0 ? json::parse(result.out) : json();
}

bool is_empty(const std::string& directory) {
    return std::filesystem::directory_iterator(directory) == std::filesystem::directory_iterator();
}

struct Case {
    std::string test;
    std::string operation;
    std::string size;
};

class CliPerf : public ::testing::TestWithParam<Case> {};

TEST_P(CliPerf, MeasuresAndVerifies) {
    const Case& wanted = GetParam();
    const json result = perf_json({"--test", wanted.test, "--operation", wanted.operation, "--size",
                                   wanted.size, "--executor", "adapter"});
    ASSERT_TRUE(result.is_object());
    EXPECT_EQ(result.at("verified"), true);
    EXPECT_EQ(result.at("executor"), "adapter");
    EXPECT_EQ(result.at("operation"), wanted.operation);
    EXPECT_GT(result.at("mops").get<double>(), 0);
    EXPECT_GT(result.at("gbytes_per_s").get<double>(), 0);
    const bool append_latency = wanted.test == "latency" && wanted.operation == "append";
    EXPECT_EQ(result.at("touch"), append_latency ? "none" : "read");
    if (wanted.test == "latency") {
        const json& times = result.at("one_way_ns");
        EXPECT_GT(times.at("p50").get<std::uint64_t>(), 0u);
        EXPECT_LE(times.at("p50"), times.at("p90"));
        EXPECT_LE(times.at("p90"), times.at("p99"));
        EXPECT_LE(times.at("p99"), times.at("p999"));
        EXPECT_LE(times.at("p999"), times.at("max"));
    } else {
        EXPECT_TRUE(result.at("one_way_ns").is_null());
    }
    EXPECT_FALSE(result.at("machine").at("kernel").get<std::string>().empty());
    EXPECT_FALSE(result.at("machine").at("cpu").get<std::string>().empty());
    EXPECT_TRUE(result.at("machine").at("cores").contains("mover"));
    EXPECT_TRUE(result.contains("bounce_ns"));
    EXPECT_THAT(result.at("commit").get<std::string>(),
                ::testing::MatchesRegex("unknown|[0-9a-f]+[+]?"));
    const json& summary = result.at("summary");
    EXPECT_EQ(summary.at("runs"), 1);
    EXPECT_LE(summary.at("min"), summary.at("median"));
    EXPECT_LE(summary.at("median"), summary.at("max"));
    EXPECT_TRUE(summary.contains("mad"));
    ASSERT_EQ(result.at("runs").size(), 1u);
    EXPECT_TRUE(result.at("runs").at(0).at("bounce_ns").contains("before"));
}

std::vector<Case> all_cases() {
    std::vector<Case> cases;
    for (const char* test : {"latency", "rate", "bandwidth"}) {
        for (const char* operation : {"send", "write", "read", "append"}) {
            for (const char* size : {"1", "33", "70001"})
                cases.push_back({test, operation, size});
        }
    }
    return cases;
}

INSTANTIATE_TEST_SUITE_P(All, CliPerf, ::testing::ValuesIn(all_cases()), [](const auto& each) {
    return each.param.test + "_" + each.param.operation + "_" + each.param.size;
});

TEST(CliPerfOptions, EveryWayOfWaitingAndNotTouching) {
    for (const char* wait : {"spin", "block", "adaptive"}) {
        const json result = perf_json({"--wait", wait, "--touch", "none"});
        EXPECT_EQ(result.at("wait"), wait);
        EXPECT_EQ(result.at("touch"), "none");
        EXPECT_EQ(result.at("verified"), true);
    }
}

TEST(CliPerfOptions, ManyOutstandingInManyBuffers) {
    const json result = perf_json({"--test", "rate", "--outstanding", "100", "--buffers", "300",
                                   "--size", "64", "--repeat", "3"});
    EXPECT_EQ(result.at("outstanding"), 100);
    EXPECT_EQ(result.at("buffers"), 300);
    EXPECT_EQ(result.at("summary").at("runs"), 3);
    EXPECT_EQ(result.at("verified"), true);
}

TEST(CliPerfOptions, APrivateAdapterIsNeededOnlyWithoutASocket) {
    TestAdapter adapter;
    const json result = perf_json({"--socket", adapter.socket()});
    EXPECT_EQ(result.at("verified"), true);
    EXPECT_THAT(adapter.log(), HasSubstr("perf-"));
    EXPECT_EQ(adapter.stop().status, 0);
    EXPECT_TRUE(adapter.files().empty());
}

TEST(CliPerfOptions, AUnixSocketIsMeasuredTheSameWay) {
    const json result = perf_json({"--peer", "unix", "--test", "bandwidth", "--size", "64K"});
    EXPECT_EQ(result.at("peer"), "unix");
    EXPECT_EQ(result.at("verified"), true);
    EXPECT_GT(result.at("gbytes_per_s").get<double>(), 0);
}

TEST(CliPerfOptions, ComparesInTurnAtLeastFiveTimes) {
    const json result = perf_json({"--compare"});
    EXPECT_GT(result.at("ratio").at("of_medians").get<double>(), 0);
    EXPECT_EQ(result.at("ratio").at("of_pairs").at("runs"), 5);
    ASSERT_EQ(result.at("measurements").size(), 2u);
    EXPECT_EQ(result.at("measurements").at(0).at("peer"), "causeway");
    EXPECT_EQ(result.at("measurements").at(1).at("peer"), "unix");
}

TEST(CliPerfOptions, ATableNamesWhatWasMeasured) {
    const auto result =
        run_command({program("causeway"), "perf", "--seconds", "0.02", "--repeat", "1"});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("latency of send"));
    EXPECT_THAT(result.out, HasSubstr("executor adapter"));
    EXPECT_THAT(result.out, HasSubstr("data verified"));
}

TEST(CliPerfOptions, ACoreThatIsNotThereIsNamed) {
    const auto result = run_command(perf_arguments({"--cores", "0,4095"}));
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.err, HasSubstr("4095"));
}

TEST(CliPerfOptions, ANamedEntranceIsForOnePartition) {
    const TestAdapter adapter({"a"});
    const auto result = run_command(perf_arguments({"--socket", adapter.socket("a")}));
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.err, HasSubstr("joins as two partitions"));
    EXPECT_THAT(result.err, HasSubstr("give --socket DIR/fabric.sock"));
}

TEST(CliPerfEnd, NothingStaysBehind) {
    const TempDirectory runtime;
    const auto result =
        run_command(perf_arguments({}), {.environment = {{"XDG_RUNTIME_DIR", runtime.path()}}});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_TRUE(is_empty(runtime.path()));
}

class CliPerfSignal : public ::testing::TestWithParam<int> {};

TEST_P(CliPerfSignal, NothingStaysBehindAfterASignal) {
    const int signal = GetParam();
    const TempDirectory runtime;
    Command perf({program("causeway"), "perf", "--seconds", "60"},
                 {.environment = {{"XDG_RUNTIME_DIR", runtime.path()}}});
    ASSERT_TRUE(eventually([&] { return !is_empty(runtime.path()); }));
    perf.kill(signal);
    const Finished finished = perf.wait();
    if (signal == SIGKILL)
        EXPECT_EQ(finished.signal, SIGKILL);
    else
        EXPECT_EQ(finished.status, 128 + signal);
    EXPECT_TRUE(eventually([&] { return is_empty(runtime.path()); }));
}

INSTANTIATE_TEST_SUITE_P(Each, CliPerfSignal, ::testing::Values(SIGINT, SIGTERM, SIGKILL));

}  // namespace
}  // namespace causeway::test
