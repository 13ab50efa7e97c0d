// causeway calibrate, and the file of thresholds on its way into library and daemon. What is
// measured is not looked at: only that it is whole, and what becomes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>

#include "engine/copy_plan.hpp"
#include "platform/cpu.hpp"
#include "support/command.hpp"
#include "support/test_adapter.hpp"

namespace causeway::test {
namespace {

using engine::CopyPlan;
using engine::LoadedCopies;
using nlohmann::json;
using ::testing::HasSubstr;

class CliCalibrateSerial : public ::testing::Test {
protected:
    void SetUp() override {
        if (platform::allowed_cpus().size() < 2)
            GTEST_SKIP() << "calibrating takes two cores";
    }
    // Nothing of the user's or the system's is read or written.
    [[nodiscard]] CommandOptions alone() const {
        return {.environment = {{"XDG_CONFIG_HOME", directory_ / "config"},
                                {"CAUSEWAY_COPIES", "built-in"}}};
    }
    TempDirectory directory_;
};

TEST_F(CliCalibrateSerial, PrintsWhatItMeasured) {
    const auto result =
        run_command({program("causeway"), "calibrate", "--seconds", "0.6", "--json"}, alone());
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.err, "") << "no progress where nobody watches";
    const json out = json::parse(result.out);
    const json& samples = out.at("samples");
    EXPECT_GT(samples.at("kept").get<int>() + samples.at("cores_moved").get<int>() +
                  samples.at("interrupted").get<int>(),
              0);
    EXPECT_TRUE(out.at("saved").is_null());
    EXPECT_EQ(out.at("machine").at("identity"), engine::this_copy_machine().processor);

    double share = 0;
    for (const json& regime : out.at("regimes")) {
        share += regime.at("share").get<double>();
        std::map<std::string, std::set<std::uint64_t>> sizes;
        std::map<std::uint64_t, std::set<std::uint64_t>> buffers;
        for (const json& cell : regime.at("cells")) {
            sizes[cell.at("touch")].insert(cell.at("size").get<std::uint64_t>());
            buffers[cell.at("size").get<std::uint64_t>()].insert(
                cell.at("buffers").get<std::uint64_t>());
            for (const auto& [name, figure] : cell.at("kernels").items()) {
                const auto kernel = engine::copy_kernel_named(name);
                ASSERT_TRUE(kernel.has_value()) << name;
                EXPECT_TRUE(engine::runs_here(*kernel)) << name;
                EXPECT_GT(figure.at("gbytes_per_s").get<double>(), 0);
                EXPECT_GE(figure.at("pace_gbytes_per_s").get<double>(),
                          figure.at("gbytes_per_s").get<double>() * 0.99)
                    << "no slower than with the waiting";
            }
        }
        for (const char* touch : {"read", "none"}) {
            EXPECT_EQ(*sizes[touch].begin(), 4096u);
            EXPECT_EQ(*sizes[touch].rbegin(), 64u << 20);
        }
        EXPECT_EQ(buffers[4096].size(), 2u) << "few, and more than the caches hold";
    }
    if (samples.at("kept") != 0) {
        EXPECT_NEAR(share, 1, 1e-6);
    }
    for (const char* key : {"large", "nontemporal"})
        EXPECT_TRUE(engine::copy_kernel_named(out.at("plan").at(key).get<std::string>()));
}

// On a busy machine there may be too little to go by; then it says so and saves nothing.
TEST_F(CliCalibrateSerial, SavesWhatThenIsLoadedOrSaysWhyNot) {
    const std::string path = directory_ / "new/folder/copies";
    const auto result = run_command(
        {program("causeway"), "calibrate", "--seconds", "4", "--save", path, "--json"}, alone());
    if (result.status != 0) {
        EXPECT_EQ(result.status, 1);
        EXPECT_THAT(result.err, HasSubstr("not saved: only"));
        EXPECT_FALSE(std::filesystem::exists(path));
        GTEST_SKIP() << result.err;
    }
    const json out = json::parse(result.out);
    EXPECT_EQ(out.at("saved"), path);
    EXPECT_THAT(result.err, HasSubstr("CAUSEWAY_COPIES=" + path));
    const LoadedCopies copies = engine::load_copies(path);
    EXPECT_EQ(copies.state, LoadedCopies::State::from_file) << copies.problem;
    EXPECT_EQ(copies.plan.describe(), out.at("plan").at("text"));
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_ / "new/folder"))
        files += entry.exists() ? 1 : 0;
    EXPECT_EQ(files, 1) << "nothing is left beside it";
}

TEST_F(CliCalibrateSerial, EndsWithTheSignalAndSavesNothing) {
    const std::string path = directory_ / "copies";
    Command calibrate({program("causeway"), "calibrate", "--seconds", "3600", "--save", path},
                      alone());
    std::this_thread::sleep_for(std::chrono::seconds(1));
    calibrate.kill(SIGINT);
    const auto result = calibrate.wait();
    EXPECT_EQ(result.status, 128 + SIGINT) << result.err;
    EXPECT_FALSE(std::filesystem::exists(path));
}

// ---- the file, in the hands of library and daemon

class CopiesInUse : public ::testing::Test {
protected:
    [[nodiscard]] std::string write(const std::string& text) const {
        std::ofstream(directory_ / "copies") << text;
        return directory_ / "copies";
    }
    [[nodiscard]] static std::string text_of(const CopyPlan& plan,
                                             const engine::CopyMachine& machine) {
        return engine::format_copy_plan(plan, machine, "of a test");
    }
    [[nodiscard]] static CopyPlan some_plan() {
        CopyPlan plan = engine::default_copy_plan();
        plan.large_from = 123'456;
        return plan;
    }
    [[nodiscard]] static json info_of(const std::string& socket, const std::string& copies) {
        const auto result = run_command({program("causeway"), "info", "--socket", socket, "--json"},
                                        {.environment = {{"CAUSEWAY_COPIES", copies}}});
        EXPECT_NE(result.out, "") << result.err;
        return json::parse(result.out);
    }
    TempDirectory directory_;
};

TEST_F(CopiesInUse, DaemonAndLibraryTakeTheFileAndSaySo) {
    const std::string path = write(text_of(some_plan(), engine::this_copy_machine()));
    TestAdapter adapter({}, {"--copies", path});
    EXPECT_THAT(adapter.log(), HasSubstr(path));
    const json info = info_of(adapter.socket(), path);
    for (const char* side : {"adapter", "library"}) {
        EXPECT_EQ(info.at(side).at("copies").at("from"), path);
        EXPECT_EQ(info.at(side).at("copies").at("kernels"), some_plan().describe());
    }
    EXPECT_TRUE(info.at("library").at("copies").at("problem").is_null());

    const auto table = run_command({program("causeway"), "info", "--socket", adapter.socket()},
                                   {.environment = {{"CAUSEWAY_COPIES", "built-in"}}});
    EXPECT_THAT(table.out, HasSubstr(some_plan().describe() + " (" + path + ")"));
    EXPECT_THAT(table.out, HasSubstr(engine::default_copy_plan().describe() + " (built in)"));
}

TEST_F(CopiesInUse, ABrokenFileIsAnErrorInTheLogAndServedWithout) {
    const std::string path = write("nonsense\n");
    TestAdapter adapter({}, {"--copies", path});
    EXPECT_THAT(adapter.log(), HasSubstr("error"));
    EXPECT_THAT(adapter.log(), HasSubstr(path + ": line 1"));
    const json info = info_of(adapter.socket(), path);
    for (const char* side : {"adapter", "library"})
        EXPECT_EQ(info.at(side).at("copies").at("from"), "built in");
    EXPECT_THAT(info.at("library").at("copies").at("problem").get<std::string>(),
                HasSubstr("'nonsense'"));
}

TEST_F(CopiesInUse, AFileOfAnotherMachineIsPassedOverWithTheReason) {
    const std::string path = write(text_of(some_plan(), {"Another CPU", "avx"}));
    TestAdapter adapter({}, {"--copies", path});
    EXPECT_THAT(adapter.log(), HasSubstr("Another CPU"));
    const json info = info_of(adapter.socket(), path);
    for (const char* side : {"adapter", "library"})
        EXPECT_EQ(info.at(side).at("copies").at("from"), "built in");
    EXPECT_THAT(info.at("library").at("copies").at("problem").get<std::string>(),
                HasSubstr("Another CPU"));
    const auto table = run_command({program("causeway"), "info", "--socket", adapter.socket()},
                                   {.environment = {{"CAUSEWAY_COPIES", path}}});
    EXPECT_THAT(table.out, HasSubstr("Another CPU"));
}

}  // namespace
}  // namespace causeway::test
