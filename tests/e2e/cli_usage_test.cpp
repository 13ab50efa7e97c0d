// What the command-line tool says to those who use it wrongly, or where no adapter runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "support/command.hpp"

namespace causeway::test {
namespace {

using ::testing::HasSubstr;

Finished causeway_with(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), program("causeway"));
    return run_command(arguments);
}

TEST(CliUsage, EverySubcommandHasHelpWithAnExample) {
    const auto top = causeway_with({"--help"});
    EXPECT_EQ(top.status, 0);
    for (const char* subcommand :
         {"perf", "pipe", "ss", "info", "calibrate", "config", "auth", "doctor"}) {
        SCOPED_TRACE(subcommand);
        EXPECT_THAT(top.out, HasSubstr(subcommand));
        const auto help = causeway_with({subcommand, "--help"});
        EXPECT_EQ(help.status, 0);
        EXPECT_THAT(help.out, HasSubstr(std::string("causeway ") + subcommand));
        EXPECT_THAT(help.out, HasSubstr("Example"));
        EXPECT_EQ(help.err, "");
    }
}

TEST(CliUsage, SaysItsVersion) {
    const auto version = causeway_with({"--version"});
    EXPECT_EQ(version.status, 0);
    EXPECT_THAT(version.out, HasSubstr("causeway 0."));
    EXPECT_THAT(version.out, HasSubstr("protocol 1."));
}

TEST(CliUsage, WithoutArgumentsShowsHelpAndFails) {
    const auto result = causeway_with({});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr("perf"));
}

TEST(CliUsage, SuggestsTheSubcommandThatWasMeant) {
    const auto near = causeway_with({"prf"});
    EXPECT_EQ(near.status, 2);
    EXPECT_THAT(near.err, HasSubstr("did you mean 'perf'?"));
    const auto far = causeway_with({"xyzzyxyzzy"});
    EXPECT_EQ(far.status, 2);
    EXPECT_THAT(far.err, ::testing::Not(HasSubstr("did you mean")));
}

struct Wrong {
    std::vector<std::string> arguments;
    std::string told;  // part of what is said
};

TEST(CliUsage, RefusesWrongArgumentsWithStatus2) {
    const std::vector<Wrong> cases{
        {{"perf", "--test", "speed"}, "'speed' is none of latency, rate, bandwidth"},
        {{"perf", "--operation", "recv"}, "'recv' is none of send, write, read, append"},
        {{"perf", "--executor", "magic"}, "'magic' is none of adapter, direct"},
        {{"perf", "--size", "12Q"}, "'12Q' is not a size"},
        {{"perf", "--size", "0"}, "--size must be 1 to"},
        {{"perf", "--size", "2G"}, "--size must be 1 to"},
        {{"perf", "--size", "18446744073709551616"}, "64 bits"},
        {{"perf", "--size", "18014398509481984K"}, "64 bits"},
        {{"perf", "--size", "-1"}, "--help"},
        {{"perf", "--seconds", "0"}, "--seconds"},
        {{"perf", "--repeat", "0"}, "--repeat"},
        {{"perf", "--cores", "1"}, "two or three"},
        {{"perf", "--cores", "0,1,2,3"}, "two or three"},
        {{"perf", "--outstanding", "8", "--buffers", "4"}, "--buffers (4)"},
        {{"perf", "--peer", "unix", "--operation", "read"}, "can only send"},
        {{"perf", "--nonsense"}, "--nonsense"},
        {{"pipe"}, "--listen SERVICE or --connect"},
        {{"pipe", "--listen", "a", "--connect", "b/c"}, "--listen"},
        {{"pipe", "--connect", "b/c", "--keep"}, "--keep"},
        {{"calibrate", "--seconds", "0"}, "--seconds"},
        {{"calibrate", "--cores", "0"}, "two different numbers"},
        {{"calibrate", "--cores", "0,0"}, "two different numbers"},
        {{"calibrate", "--cores", "0,99999"}, "core 99999"},
        {{"calibrate", "--cores", "a,b"}, "'a,b'"},
        {{"calibrate", "FILE"}, "FILE"},
        {{"ss", "extra"}, "extra"},
        {{"info", "--socket"}, "--socket"},
        {{"doctor", "--runtime-dir"}, "--runtime-dir"},
        {{"doctor", "extra"}, "extra"},
    };
    for (const Wrong& wrong : cases) {
        SCOPED_TRACE(::testing::PrintToString(wrong.arguments));
        const auto result = causeway_with(wrong.arguments);
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.out, "");
        EXPECT_THAT(result.err, HasSubstr("causeway: "));
        EXPECT_THAT(result.err, HasSubstr(wrong.told));
    }
}

TEST(CliUsage, NamesThePathWhereNoAdapterListens) {
    const std::string path = "/nonexistent/fabric.sock";
    const std::vector<std::vector<std::string>> cases{
        {"ss", "--socket", path},
        {"info", "--socket", path},
        {"pipe", "--socket", path, "--attach", "a", "--listen", "x"},
        {"perf", "--socket", path},
    };
    for (const auto& arguments : cases) {
        SCOPED_TRACE(::testing::PrintToString(arguments));
        const auto result = causeway_with(arguments);
        EXPECT_EQ(result.status, 1);
        EXPECT_THAT(result.err, HasSubstr(path));
        EXPECT_THAT(result.err, HasSubstr("causewayd"));
    }
}

TEST(CliUsage, InfoWithoutAnAdapterStillKnowsTheLibrary) {
    const auto text = causeway_with({"info", "--socket", "/nonexistent"});
    EXPECT_EQ(text.status, 1);
    EXPECT_THAT(text.out, HasSubstr("library"));

    const auto result = causeway_with({"info", "--socket", "/nonexistent", "--json"});
    EXPECT_EQ(result.status, 1);
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json.at("library").at("protocol"), "1.1");
    EXPECT_TRUE(json.at("adapter").is_null());
    EXPECT_EQ(json.at("error").at("code"), "no_adapter");
}

TEST(CliUsage, AnOutputThatTakesNothingIsAFailure) {
    const auto result =
        run_command({"bash", "-c", "\"$1\" --help >/dev/full", "sh", program("causeway")});
    EXPECT_NE(result.status, 0);
}

// Every long option that a --help lists.
std::set<std::string> options_of(const std::string& help) {
    static const std::regex kOption("\n  (--[a-z][a-z-]*)");
    std::set<std::string> options;
    for (std::sregex_iterator at(help.begin(), help.end(), kOption), end; at != end; ++at)
        options.insert(at->str(1));
    options.erase("--version");
    return options;
}

TEST(CliUsage, ManPagesNameEveryOption) {
    const char* const source = std::getenv("CAUSEWAY_SOURCE");
    if (source == nullptr)
        GTEST_SKIP() << "CAUSEWAY_SOURCE is not set: run through ctest";
    const std::map<std::string, std::vector<std::string>> pages{
        {"causeway-perf.1", {program("causeway"), "perf", "--help"}},
        {"causeway-pipe.1", {program("causeway"), "pipe", "--help"}},
        {"causeway-ss.1", {program("causeway"), "ss", "--help"}},
        {"causeway-calibrate.1", {program("causeway"), "calibrate", "--help"}},
        {"causeway-doctor.1", {program("causeway"), "doctor", "--help"}},
        {"causeway-info.1", {program("causeway"), "info", "--help"}},
        {"causewayd.8", {program("causewayd"), "--help"}},
        {"causeway-config.1", {program("causeway"), "config", "check", "--help"}},
        {"causeway-auth.1", {program("causeway"), "auth", "explain", "--help"}},
        {"causeway-auth.1", {program("causeway"), "auth", "announce", "--help"}},
    };
    for (const auto& [page, command] : pages) {
        SCOPED_TRACE(page);
        std::ifstream file(std::string(source) + "/docs/man/" + page);
        std::string text{std::istreambuf_iterator<char>(file), {}};
        text = std::regex_replace(text, std::regex(R"(\\-)"), "-");
        const auto options = options_of(run_command(command).out);
        EXPECT_FALSE(options.empty());
        for (const std::string& option : options)
            EXPECT_THAT(text, HasSubstr(option));
    }
}

}  // namespace
}  // namespace causeway::test
