// causeway config and causeway auth, as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/command.hpp"
#include "support/temp_directory.hpp"

namespace causeway::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr char kGood[] =
    "[partition.orders]\n[partition.billing]\n"
    "[[allow]]\nname = \"o2b\"\nfrom = \"orders\"\nto = \"billing\"\noperations = \"connect\"\n"
    "services = \"invoices\"\n";

class CliConfig : public ::testing::Test {
protected:
    [[nodiscard]] std::string file(const std::string& text) const {
        const std::string path = directory_ / "causeway.toml";
        std::ofstream(path) << text;
        return path;
    }
    [[nodiscard]] static Finished causeway(
        std::vector<std::string> arguments,
        const std::map<std::string, std::string>& environment = {}) {
        arguments.insert(arguments.begin(), program("causeway"));
        CommandOptions options;
        options.environment = environment;
        return run_command(arguments, options);
    }

private:
    TempDirectory directory_;
};

TEST_F(CliConfig, ChecksAGoodFile) {
    const auto result = causeway({"config", "check", file(kGood)});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_THAT(result.out, HasSubstr("fine (2 partitions, 0 segments, 0 units, 1 rule)"));
}

TEST_F(CliConfig, ChecksTheExample) {
    const char* const source = std::getenv("CAUSEWAY_SOURCE");
    if (source == nullptr)
        GTEST_SKIP() << "CAUSEWAY_SOURCE is not set: run through ctest";
    const auto result =
        causeway({"config", "check", std::string(source) + "/examples/causeway.toml"});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.err, "");
}

TEST_F(CliConfig, TellsEveryMistakeAsACompilerDoes) {
    const std::string path = file("[adapter]\nmovrs = 2\n[quota]\nmax_regions = 0\n");
    const auto result = causeway({"config", "check", path});
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.err, HasSubstr(path + ":2:1: error: there is no key \"movrs\""));
    EXPECT_THAT(result.err, HasSubstr("did you mean 'movers'?"));
    EXPECT_THAT(result.err, HasSubstr(path + ":4:15: error: quota.max_regions is 0"));
    EXPECT_THAT(result.out, HasSubstr("2 errors"));

    const auto as_json = causeway({"config", "check", path, "--json"});
    EXPECT_EQ(as_json.status, 1);
    const json told = json::parse(as_json.out);
    EXPECT_EQ(told.at("ok"), false);
    ASSERT_EQ(told.at("problems").size(), 2U);
    EXPECT_EQ(told.at("problems")[0].at("where").at("line"), 2);
    EXPECT_EQ(told.at("problems")[0].at("where").at("column"), 1);
    EXPECT_EQ(told.at("problems")[0].at("severity"), "error");
}

TEST_F(CliConfig, AWarningIsNoFailure) {
    const auto result = causeway({"config", "check", file("[segment.s]\nsize = 4096\n")});
    EXPECT_EQ(result.status, 0);
    EXPECT_THAT(result.err, HasSubstr(":1:10: warning: [segment.s] has neither"));
    EXPECT_THAT(result.out, HasSubstr("1 warning"));
}

TEST_F(CliConfig, ShowsWhatHoldsAndWhereItComesFrom) {
    const std::string path = file("[adapter]\nmovers = 2\nlog_level = \"debug\"\n");
    const auto result = causeway(
        {"config", "show", path, "--set", "adapter.movers=4", "--set", "quota.max_bytes=1G"},
        {{"CAUSEWAY_ADAPTER_LOG_JSON", "true"}});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_THAT(result.out, ::testing::ContainsRegex("adapter.movers = 4 +# --set\n"));
    EXPECT_THAT(result.out, ::testing::ContainsRegex("adapter.log_level = \"debug\" +# "));
    EXPECT_THAT(result.out, HasSubstr(path + ":3:13"));
    EXPECT_THAT(result.out,
                ::testing::ContainsRegex("adapter.log_json = true +# CAUSEWAY_ADAPTER_LOG_JSON\n"));
    EXPECT_THAT(result.out, ::testing::ContainsRegex("quota.max_regions = 1024 +# built in\n"));

    const json told = json::parse(causeway({"config", "show", path, "--json"}).out);
    EXPECT_EQ(told.at("settings")[1].at("key"), "adapter.movers");
    EXPECT_EQ(told.at("settings")[1].at("value"), "2");
    EXPECT_EQ(told.at("settings")[1].at("origin").at("line"), 2);
}

TEST_F(CliConfig, TheVariableNamesTheFile) {
    const auto result = causeway({"config", "check"}, {{"CAUSEWAY_CONFIG", file(kGood)}});
    EXPECT_EQ(result.status, 0) << result.err;
    const auto missing = causeway({"config", "show"}, {{"CAUSEWAY_CONFIG", "/nonexistent/c"}});
    EXPECT_EQ(missing.status, 1);
    EXPECT_THAT(missing.err, HasSubstr("/nonexistent/c: error: open /nonexistent/c: No such file"));
}

TEST_F(CliConfig, ExplainsWhatIsAllowedAndWhatIsNot) {
    const std::string path = file(kGood);
    const auto allowed = causeway({"auth", "explain", "orders", "billing", "connect", "--service",
                                   "invoices", "--config", path});
    EXPECT_EQ(allowed.status, 0);
    EXPECT_EQ(allowed.out, "allowed: rule 'o2b' (" + path + ":3:1) allows it\n");

    const auto denied =
        causeway({"auth", "explain", "orders", "billing", "send", "--config", path});
    EXPECT_EQ(denied.status, 1);
    EXPECT_THAT(denied.out, HasSubstr("rule 'o2b' (" + path + ":3:1) does not have send"));
    const json told = json::parse(causeway({"auth", "explain", "orders", "billing", "send",
                                            "--executor", "direct", "--config", path, "--json"})
                                      .out);
    EXPECT_EQ(told.at("allowed"), false);
    EXPECT_EQ(told.at("rule"), "no rule");

    // What it says to write makes it allowed.
    const std::string mended = file(kGood + told.at("remedy").get<std::string>() + "\n");
    EXPECT_EQ(causeway({"auth", "explain", "orders", "billing", "send", "--executor", "direct",
                        "--config", mended})
                  .status,
              0);
}

TEST_F(CliConfig, ExplainsWhichControllersMayBeAnnounced) {
    const std::string toml = std::string(kGood) + "[unit.\"orders/lan0\"]\ntype = \"network\"\n";
    const std::string path = file(toml);
    const auto allowed = causeway({"auth", "announce", "orders/lan0", "network", "--config", path});
    EXPECT_EQ(allowed.status, 0) << allowed.err;
    EXPECT_EQ(allowed.out, "allowed: unit 'orders/lan0' (" + path + ":9:7) allows it\n");
    const auto other = causeway({"auth", "announce", "orders/lan0", "block", "--config", path});
    EXPECT_EQ(other.status, 1);
    EXPECT_THAT(other.out, HasSubstr("denied: unit 'orders/lan0' (" + path +
                                     ":9:7) has type network, not block"));
    const auto denied =
        causeway({"auth", "announce", "billing/disk0", "block", "--config", path, "--json"});
    EXPECT_EQ(denied.status, 1);
    const json told = json::parse(denied.out);
    EXPECT_EQ(told.at("partition"), "billing");
    EXPECT_EQ(told.at("service"), "disk0");
    EXPECT_EQ(told.at("rule"), "no rule");
    const std::string mended = file(toml + told.at("remedy").get<std::string>() + "\n");
    EXPECT_EQ(causeway({"auth", "announce", "billing/disk0", "block", "--config", mended}).status,
              0);
    EXPECT_THAT(causeway({"config", "show", mended}).out,
                ::testing::ContainsRegex("unit.\"billing/disk0\".type = \"block\" +# .*:12:8\n"));
}

TEST_F(CliConfig, ABrokenFileExplainsNothing) {
    const auto result = causeway(
        {"auth", "explain", "a", "b", "send", "--config", file("[adapter]\nmovers = x\n")});
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr("has errors"));
}

TEST_F(CliConfig, RefusesWrongUse) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
        {{"config"}, "causeway config --help"},
        {{"config", "chekc"}, "did you mean 'check'?"},
        {{"config", "check", "--sett", "a=b"}, "causeway config check --help"},
        {{"auth", "explian"}, "did you mean 'explain'?"},
        {{"auth", "explain", "a", "b"}, "OPERATION"},
        {{"auth", "explain", "a", "b", "snd"}, "did you mean 'send'?"},
        {{"auth", "explain", "a/b", "b", "send"}, "byte 0x2f"},
        {{"auth", "explain", "a", "b", "send", "--executor", "magic"}, "adapter, direct"},
        {{"auth", "announce", "lan0", "network"}, "lan0"},
        {{"auth", "announce", "net/lan0", "netwrok"}, "did you mean 'network'?"},
    };
    for (const auto& [arguments, told] : cases) {
        SCOPED_TRACE(::testing::PrintToString(arguments));
        const auto result = causeway(arguments);
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.out, "");
        EXPECT_THAT(result.err, HasSubstr(told));
    }
    const auto no_value = causeway({"config", "check", file(kGood), "--set", "movers"});
    EXPECT_EQ(no_value.status, 2);
    EXPECT_THAT(no_value.err, HasSubstr("is not KEY=VALUE"));
}

}  // namespace
}  // namespace causeway::test
