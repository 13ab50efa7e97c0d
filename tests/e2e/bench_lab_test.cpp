// The laboratory: a short run of it leaves complete and consistent reports, and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>

#include "support/command.hpp"
#include "support/temp_directory.hpp"

namespace causeway::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string contents(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

bool two_cores() { return std::thread::hardware_concurrency() >= 2; }

std::vector<std::string> short_run(const std::string& output,
                                   const std::vector<std::string>& more) {
    std::vector<std::string> arguments{program("bench_lab"), "--quick", "--rounds", "2",
                                       "--seconds",          "0.002",   "--output", output};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

TEST(BenchLab, AQuickRunLeavesThreeReports) {
    if (!two_cores())
        GTEST_SKIP() << "the laboratory needs two cores";
    const TempDirectory folder;
    const auto result = run_command(short_run(
        folder.path(), {"--peers", "causeway-adapter-send,unix,limits", "--sizes", "8,5000"}));
    ASSERT_EQ(result.status, 0) << result.err << result.out;

    const json results = json::parse(contents(folder / "results.json"));
    for (const char* key : {"date", "version", "commit", "machine", "bounce_ns", "main_regime"})
        EXPECT_TRUE(results.contains(key)) << key;
    EXPECT_FALSE(results.at("machine").at("kernel").get<std::string>().empty());
    std::size_t measured = 0;
    for (const json& cell : results.at("cells")) {
        SCOPED_TRACE(cell.at("contestant").dump() + cell.at("test").dump());
        EXPECT_EQ(cell.at("verified"), true);
        EXPECT_TRUE(cell.at("missing").is_null()) << cell.at("missing");
        EXPECT_GE(cell.at("samples").size(), 2u);
        std::size_t kept = cell.at("discarded").get<std::size_t>();
        for (const auto& regime : cell.at("regimes").items()) {
            kept += regime.value().at("runs").get<std::size_t>();
            EXPECT_GT(regime.value().at("median").get<double>(), 0);
            EXPECT_LE(regime.value().at("min"), regime.value().at("median"));
            EXPECT_LE(regime.value().at("median"), regime.value().at("max"));
        }
        EXPECT_EQ(kept, cell.at("samples").size());
        for (const json& sample : cell.at("samples")) {
            EXPECT_GT(sample.at("bounce_ns").at("before").get<double>(), 0);
            EXPECT_GT(sample.at("bounce_ns").at("after").get<double>(), 0);
        }
        ++measured;
    }
    // Latency, rate, wake-up and bandwidth, at two sizes, read and not: of these four at least.
    EXPECT_GE(measured, 2u * 2u * (4u + 3u));
    EXPECT_THAT(contents(folder / "results.md"), HasSubstr("**Causeway adapter, send**"));
    EXPECT_THAT(contents(folder / "results.svg"), HasSubstr("</svg>"));
}

TEST(BenchLab, WhoCannotBeMeasuredIsNamedWithTheReason) {
    if (!two_cores())
        GTEST_SKIP() << "the laboratory needs two cores";
    const TempDirectory folder;
    // A tool that is not in this $PATH.
    const auto result =
        run_command(short_run(folder.path(), {"--peers", "unix,fabric-tool", "--tests", "latency",
                                              "--sizes", "8", "--touch", "none"}),
                    {.environment = {{"PATH", folder.path()}}});
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(contents(folder / "results.md"),
                HasSubstr("fi_pingpong is not installed (it needs the package libfabric-bin)"));
}

TEST(BenchLab, ListsItsContestants) {
    const auto result = run_command({program("bench_lab"), "--list"});
    if (two_cores())
        EXPECT_EQ(result.status, 0) << result.err;
    else
        GTEST_SKIP() << "the laboratory needs two cores";
    EXPECT_THAT(result.out, HasSubstr("causeway-direct-send"));
    EXPECT_THAT(result.out, HasSubstr("ucx-tag"));
}

TEST(BenchLab, WrongWishesAreExplained) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> wishes{
        {{"--peers", "nobody"}, "--list"},
        {{"--cores", "0,0"}, "two cores"},
        {{"--sizes", "0"}, "1 byte"},
        {{"--tests", "speed"}, "latency"},
        {{"--output", "/dev/null/x"}, "/dev/null/x"},
    };
    for (const auto& [arguments, text] : wishes) {
        SCOPED_TRACE(text);
        std::vector<std::string> all{program("bench_lab"), "--quick", "--budget", "0"};
        all.insert(all.end(), arguments.begin(), arguments.end());
        const auto result = run_command(all);
        EXPECT_NE(result.status, 0);
        EXPECT_THAT(result.err, HasSubstr(text));
    }
}

TEST(BenchLab, APeersProgramCanBeRunByHand) {
    const auto result = run_command({program("bench_peer_limits"), "--test", "rate", "--size", "64",
                                     "--seconds", "0.002", "--repeat", "2"});
    if (!two_cores() && result.status != 0)
        GTEST_SKIP() << "no second core";
    ASSERT_EQ(result.status, 0) << result.err;
    std::istringstream lines(result.out);
    int samples = 0;
    for (std::string line; std::getline(lines, line); ++samples)
        EXPECT_EQ(json::parse(line).at("verified"), true);
    EXPECT_EQ(samples, 2);
}

TEST(BenchLab, NothingStaysBehindAfterASignal) {
    if (!two_cores())
        GTEST_SKIP() << "the laboratory needs two cores";
    const TempDirectory runtime;
    Command lab({program("bench_lab"), "--peers", "causeway-adapter-send", "--output",
                 runtime / "never", "--seconds", "0.2", "--rounds", "1000"},
                {.environment = {{"XDG_RUNTIME_DIR", runtime.path()}}});
    const auto empty = [&] {
        return std::filesystem::directory_iterator(runtime.path()) ==
               std::filesystem::directory_iterator();
    };
    ASSERT_TRUE(eventually([&] { return !empty(); }));
    lab.kill(SIGINT);
    EXPECT_EQ(lab.wait().status, 128 + SIGINT);
    EXPECT_TRUE(eventually(empty));
}

}  // namespace
}  // namespace causeway::test
