#include "adapter/options.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "support/temp_directory.hpp"

namespace causeway::adapter {
namespace {

std::variant<DaemonOptions, EarlyExit> parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "causewayd");
    return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

DaemonOptions parsed(std::vector<const char*> arguments) {
    auto result = parse(std::move(arguments));
    EXPECT_TRUE(std::holds_alternative<DaemonOptions>(result));
    return std::get<DaemonOptions>(std::move(result));
}

// The exit status, and what was printed.
std::pair<int, std::string> refused(std::vector<const char*> arguments) {
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    const auto result = parse(std::move(arguments));
    const std::string text =
        testing::internal::GetCapturedStderr() + testing::internal::GetCapturedStdout();
    const auto* early = std::get_if<EarlyExit>(&result);
    return {early == nullptr ? -1 : early->status, text};
}

TEST(Options, TakesEverything) {
    const DaemonOptions options =
        parsed({"--runtime-dir", "/x", "--entrance", "a", "--entrance", "b-2", "--movers", "3",
                "--max-bytes", "512M", "--max-regions", "7", "--max-queue-pairs", "9", "--ready-fd",
                "5", "--log-level", "debug", "--log-json"});
    EXPECT_EQ(options.server.runtime_directory, "/x");
    EXPECT_EQ(options.server.entrances, (std::vector<std::string>{"a", "b-2"}));
    EXPECT_EQ(options.server.fabric.movers, 3u);
    EXPECT_EQ(options.server.config->quota.max_bytes, std::uint64_t{512} << 20);
    EXPECT_EQ(options.server.config->quota.max_regions, 7u);
    EXPECT_EQ(options.server.config->quota.max_queue_pairs, 9u);
    EXPECT_EQ(options.ready_fd, 5);
    EXPECT_EQ(options.log_level, "debug");
    EXPECT_EQ(options.log_format, LogFormat::json);
    EXPECT_GE(options.server.fabric.max_files, 64u);
}

TEST(Options, ExplainsWhatItRefuses) {
    for (const auto& [arguments, word] :
         std::vector<std::pair<std::vector<const char*>, const char*>>{
             {{"--runtime-dir", "/x", "--movers", "0"}, "--movers"},
             {{"--runtime-dir", "/x", "--movers", "many"}, "--movers"},
             {{"--runtime-dir", "/x", "--max-bytes", "-1"}, "max_bytes"},
             {{"--runtime-dir", "/x", "--max-regions", "5000"}, "--max-regions"},
             {{"--runtime-dir", "/x", "--entrance", "a/b"}, "a/b"},
             {{"--runtime-dir", "/x", "--entrance", ".."}, ".."},
             {{"--runtime-dir", "/x", "--entrance", "open"}, "open"},
             {{"--runtime-dir", "/x", "--entrance", "fabric.sock"}, "fabric.sock"},
             {{"--runtime-dir", "/x", "--mover-cores", "0,x"}, "x"},
             {{"--runtime-dir", "/x", "--mover-cores", "9999"}, "9999"},
             {{"--runtime-dir", "/x", "surplus"}, "surplus"},
             {{"--frobnicate"}, "--frobnicate"}}) {
        const auto [status, text] = refused(arguments);
        EXPECT_GT(status, 0) << word;
        EXPECT_NE(text.find(word), std::string::npos) << text;
    }
}

TEST(Options, HelpShowsExamplesAndVersionTheVersion) {
    const auto help = refused({"--help"});
    EXPECT_EQ(help.first, 0);
    EXPECT_NE(help.second.find("--ro-bind"), std::string::npos);
    const auto version = refused({"--version"});
    EXPECT_EQ(version.first, 0);
    EXPECT_NE(version.second.find("causewayd 0."), std::string::npos);
}

TEST(Options, OfTheCommandLineGoBeforeTheFile) {
    const test::TempDirectory directory;
    const std::string file = directory / "causeway.toml";
    std::ofstream(file) << "[adapter]\nmovers = 5\nresume_patience = 3\n[partition.orders]\n";
    const DaemonOptions options =
        parsed({"--config", file.c_str(), "--runtime-dir", "/x", "--movers", "3", "--mover-cores",
                "0", "--set", "partition.orders.weight=7"});
    EXPECT_EQ(options.server.fabric.movers, 3u);
    EXPECT_EQ(options.server.fabric.mover_cores, std::vector<unsigned>{0});
    EXPECT_EQ(options.server.fabric.resume_patience_ns, 3'000'000'000u);
    EXPECT_EQ(options.server.config->partitions.at("orders").weight, 7u);
    ASSERT_TRUE(options.server.reload);
    std::ofstream(file) << "[adapter]\nmovers = 6\n";
    EXPECT_EQ(options.server.reload().config.adapter.movers, 3u);
    EXPECT_TRUE(parsed({"--config", "none"}).server.reload == nullptr);
}

TEST(Options, MistakesOfTheFileAreSaidWithTheirPlace) {
    const test::TempDirectory directory;
    const std::string file = directory / "causeway.toml";
    std::ofstream(file) << "[adapter]\nmoverz = 5\n";
    const auto [status, text] = refused({"--config", file.c_str(), "--runtime-dir", "/x"});
    EXPECT_EQ(status, 2);
    EXPECT_NE(text.find(file + ":2:1"), std::string::npos) << text;
}

}  // namespace
}  // namespace causeway::adapter
