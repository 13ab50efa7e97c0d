#include "engine/copy_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "support/random.hpp"
#include "support/temp_directory.hpp"

namespace causeway::test {
namespace {

using engine::CopyKernel;
using engine::CopyMachine;
using engine::CopyPlan;
using engine::kNever;
using engine::LoadedCopies;
using ::testing::HasSubstr;

CopyPlan some_plan() {
    CopyPlan plan;
    plan.large = CopyKernel::rep_movsb;
    plan.large_from = 100;
    plan.nontemporal = CopyKernel::nontemporal_sse2;
    plan.nontemporal_from = 1000;
    plan.nontemporal_least = 64;
    plan.slow_below = 7000;
    return plan;
}

TEST(CopyPlan, LargestThresholdThatAppliesWins) {
    const CopyPlan plan = some_plan();
    EXPECT_EQ(plan.kernel(0), CopyKernel::cached);
    EXPECT_EQ(plan.kernel(99), CopyKernel::cached);
    EXPECT_EQ(plan.kernel(100), CopyKernel::rep_movsb);
    EXPECT_EQ(plan.kernel(999), CopyKernel::rep_movsb);
    EXPECT_EQ(plan.kernel(1000), CopyKernel::nontemporal_sse2);
    EXPECT_EQ(plan.kernel(UINT64_MAX), CopyKernel::nontemporal_sse2);
    EXPECT_EQ(plan.cached_kernel(UINT64_MAX - 1), CopyKernel::rep_movsb);
    const CopyPlan none;
    EXPECT_EQ(none.kernel(UINT64_MAX - 1), CopyKernel::cached);
}

TEST(CopyPlan, DescribesItself) {
    const std::string text = some_plan().describe();
    EXPECT_EQ(text,
              "cached, rep_movsb from 100 B, nontemporal_sse2 from 1000 B or from 64 B if under "
              "7000 MB/s");
    EXPECT_EQ(CopyPlan{}.describe(), "cached");
    CopyPlan by_pace = some_plan();
    by_pace.nontemporal_from = kNever;
    by_pace.large_from = 3 << 20;
    EXPECT_EQ(by_pace.describe(),
              "cached, rep_movsb from 3 MiB, nontemporal_sse2 from 64 B if under 7000 MB/s");
    by_pace.slow_below = 0;
    EXPECT_EQ(by_pace.describe(), "cached, rep_movsb from 3 MiB");
    CopyPlan long_one;
    long_one.large = CopyKernel::vector_avx512;
    long_one.large_from = (std::uint64_t{1} << 38) - 1;
    long_one.nontemporal = CopyKernel::nontemporal_avx512;
    long_one.nontemporal_from = (std::uint64_t{1} << 38) - 1;
    long_one.nontemporal_least = (std::uint64_t{1} << 38) - 1;
    long_one.slow_below = 1'000'000;
    EXPECT_LE(long_one.describe().size(), 127u) << "all that a file can say fits a row";
    EXPECT_LE(engine::default_copy_plan().describe().size(), 127u);
}

TEST(CopyPlan, BuiltInOneRunsHere) {
    const CopyPlan plan = engine::default_copy_plan();
    EXPECT_TRUE(engine::runs_here(plan.large));
    EXPECT_TRUE(engine::runs_here(plan.nontemporal));
    EXPECT_EQ(plan.kernel(64), CopyKernel::cached);
}

// ---- the file

const CopyMachine kMachine{"Some CPU, family 1 model 2 stepping 3", "avx"};

std::string file_text() {
    return engine::format_copy_plan(some_plan(), kMachine, "a comment\nof two lines");
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

TEST(CopyPlanFile, ComesBackAsItWasWritten) {
    CopyMachine machine;
    const auto plan = engine::parse_copy_plan(file_text(), machine);
    ASSERT_TRUE(plan.has_value()) << plan.error().text;
    EXPECT_EQ(*plan, some_plan());
    EXPECT_EQ(machine.processor, kMachine.processor);
    EXPECT_EQ(machine.width, kMachine.width);

    const CopyPlan none;
    const auto again =
        engine::parse_copy_plan(engine::format_copy_plan(none, kMachine, ""), machine);
    ASSERT_TRUE(again.has_value()) << again.error().text;
    EXPECT_EQ(*again, none);
}

TEST(CopyPlanFile, AllowsBlanksAndComments) {
    CopyMachine machine;
    std::string text = "\n  # indented\n\t\n" + file_text() + "\n";
    text = replaced(text, "large_from = 100", "  large_from=100\t ");
    text.pop_back();
    text.pop_back();  // no newline at the end
    const auto plan = engine::parse_copy_plan(text, machine);
    ASSERT_TRUE(plan.has_value()) << plan.error().text;
    EXPECT_EQ(*plan, some_plan());
}

TEST(CopyPlanFile, SaysWhatIsWrongAndWhere) {
    struct Wrong {
        std::string what, by, told;
    };
    const std::vector<Wrong> cases{
        {"format = 1", "format = 2", "line 3: format is '2'"},
        {"format = 1", "format = 01x", "line 3: format is '01x'"},
        {"format = 1\n", "", "'format = ...' is missing"},
        {"large_from = 100\n", "", "'large_from = ...' is missing"},
        {"large_from = 100", "large_from = -1", "large_from is '-1'"},
        {"large_from = 100", "large_from = 1e3", "large_from is '1e3'"},
        {"large_from = 100", "large_from = ", "large_from is ''"},
        {"large_from = 100", "large_from = 18446744073709551616", "large_from"},
        {"large_from = 100", "large_from = 274877906945", "large_from"},
        {"large_from = 100", "large_from = Never", "large_from is 'Never'"},
        {"large_from = 100", "large_from = 100 200", "large_from is '100 200'"},
        {"slow_below = 7000", "slow_below = never", "slow_below is 'never'"},
        {"slow_below = 7000", "slow_below = 1000001", "slow_below"},
        {"slow_below = 7000", "slow_below = 7000\nslow_below = 1", "again"},
        {"slow_below = 7000", "slow_above = 7000", "no key 'slow_above'"},
        {"slow_below = 7000", "slow_below", "'slow_below', is no 'key = value'"},
        {"slow_below = 7000", "= 7000", "no key ''"},
        {"slow_below = 7000", "\x01\x80 = 7000", "no key '\?\?'"},
        {"large = rep_movsb", "large = memcpy", "large is 'memcpy'"},
        {"large = rep_movsb", "large = nontemporal_avx", "large is 'nontemporal_avx'"},
        {"nontemporal = nontemporal_sse2", "nontemporal = rep_movsb", "nontemporal is 'rep_movsb'"},
        {"width = avx", "width = ", "width is ''"},
        {"processor = Some", "processor = \x1b[2J", "processor"},
        {"processor = Some", "processor = " + std::string(200, 'x'), "processor"},
    };
    for (const Wrong& wrong : cases) {
        SCOPED_TRACE(wrong.by);
        CopyMachine machine;
        const auto plan =
            engine::parse_copy_plan(replaced(file_text(), wrong.what, wrong.by), machine);
        ASSERT_FALSE(plan.has_value());
        EXPECT_EQ(plan.error().code, ErrorCode::invalid_argument);
        EXPECT_THAT(plan.error().text, HasSubstr(wrong.told));
        for (const char c : plan.error().text)
            EXPECT_TRUE(c >= ' ' && c <= '~') << static_cast<int>(c);
    }
    CopyMachine machine;
    EXPECT_FALSE(engine::parse_copy_plan("", machine).has_value());
}

// Bytes changed, removed, repeated: read or refused, never anything else; what is read can be
// written again.
TEST(CopyPlanFile, SurvivesMutations) {
    Random random(21);
    for (int i = 0; i < 20'000; ++i) {
        std::string text = file_text();
        for (std::uint64_t n = random.between(1, 4); n > 0; --n) {
            const std::size_t at = random.below(text.size());
            switch (random.below(4)) {
                case 0:
                    text[at] = static_cast<char>(random.next());
                    break;
                case 1:
                    text.erase(at, random.below(20));
                    break;
                case 2:
                    text.insert(at, text.substr(random.below(text.size()), random.below(40)));
                    break;
                default:
                    text[at] = random.pick<char>({'\n', '=', '#', ' ', '0', '9', '\0'});
            }
            if (text.empty())
                break;
        }
        CopyMachine machine;
        const auto plan = engine::parse_copy_plan(text, machine);
        if (!plan.has_value())
            continue;
        CopyMachine again;
        const auto same =
            engine::parse_copy_plan(engine::format_copy_plan(*plan, machine, ""), again);
        ASSERT_TRUE(same.has_value()) << text;
        EXPECT_EQ(*same, *plan);
    }
}

// ---- which file

class CopiesFiles : public testing::Test {
protected:
    // An environment of this test's own; what was there comes back.
    class Variable {
    public:
        explicit Variable(const char* name) : name_(name) {
            if (const char* const value = std::getenv(name))
                before_ = value;
            ::unsetenv(name);
        }
        ~Variable() {
            if (before_.has_value())
                ::setenv(name_, before_->c_str(), 1);
            else
                ::unsetenv(name_);
        }
        Variable(const Variable&) = delete;
        Variable& operator=(const Variable&) = delete;

    private:
        const char* name_;
        std::optional<std::string> before_;
    };

    std::string write(const std::string& name, const std::string& text) {
        const std::string path = directory_ / name;
        std::ofstream(path) << text;
        return path;
    }
    static std::string mine() {
        CopyPlan plan = engine::default_copy_plan();
        plan.large_from = 12'345;
        return engine::format_copy_plan(plan, engine::this_copy_machine(), "");
    }

    TempDirectory directory_;
    Variable copies_{"CAUSEWAY_COPIES"};
    Variable config_{"XDG_CONFIG_HOME"};
    Variable home_{"HOME"};
};

TEST_F(CopiesFiles, AFileOfThisMachineIsUsed) {
    const std::string path = write("copies", mine());
    const LoadedCopies copies = engine::load_copies(path);
    EXPECT_EQ(copies.state, LoadedCopies::State::from_file) << copies.problem;
    EXPECT_EQ(copies.source, path);
    EXPECT_EQ(copies.problem, "");
    EXPECT_EQ(copies.plan.large_from, 12'345u);
}

TEST_F(CopiesFiles, AFileOfAnotherMachineIsNot) {
    for (const CopyMachine& other : {CopyMachine{"Some CPU", engine::this_copy_machine().width},
                                     CopyMachine{engine::this_copy_machine().processor, "mmx"}}) {
        CopyPlan plan = engine::default_copy_plan();
        plan.large_from = 12'345;
        const std::string path = write("copies", engine::format_copy_plan(plan, other, ""));
        const LoadedCopies copies = engine::load_copies(path);
        EXPECT_EQ(copies.state, LoadedCopies::State::other_machine);
        EXPECT_EQ(copies.source, "built in");
        EXPECT_EQ(copies.plan, engine::default_copy_plan());
        EXPECT_THAT(copies.problem, HasSubstr(path));
        EXPECT_THAT(copies.problem, HasSubstr(other.processor));
        EXPECT_THAT(copies.problem, HasSubstr(other.width));
    }
}

TEST_F(CopiesFiles, ABrokenOneIsNamedAndNotUsed) {
    const std::string garbage = write("garbage", "what = ever\n");
    const std::string huge = write("huge", std::string(1 << 20, '#'));
    const std::string pipe = directory_ / "pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    for (const std::string& path :
         {garbage, huge, pipe, directory_.path(), directory_ / "missing"}) {
        SCOPED_TRACE(path);
        const LoadedCopies copies = engine::load_copies(path);
        EXPECT_EQ(copies.state, LoadedCopies::State::broken);
        EXPECT_EQ(copies.source, "built in");
        EXPECT_EQ(copies.plan, engine::default_copy_plan());
        EXPECT_THAT(copies.problem, HasSubstr(path));
    }
}

TEST_F(CopiesFiles, AKernelThatIsNotHereIsRefused) {
    if (engine::runs_here(CopyKernel::vector_avx512))
        GTEST_SKIP() << "this processor has every kernel";
    CopyPlan plan = engine::default_copy_plan();
    plan.large = CopyKernel::vector_avx512;
    const std::string path =
        write("copies", engine::format_copy_plan(plan, engine::this_copy_machine(), ""));
    const LoadedCopies copies = engine::load_copies(path);
    EXPECT_EQ(copies.state, LoadedCopies::State::broken);
    EXPECT_THAT(copies.problem, HasSubstr("vector_avx512"));
    EXPECT_EQ(copies.plan, engine::default_copy_plan());
}

TEST_F(CopiesFiles, TheFirstThatIsThereCounts) {
    const bool system = ::access(engine::kSystemCopies, F_OK) == 0;
    if (!system) {
        EXPECT_EQ(engine::find_copies().source, "built in");
    }
    ::setenv("HOME", directory_.path().c_str(), 1);
    EXPECT_EQ(engine::user_copies_path(), directory_ / ".config/causeway/copies");
    ASSERT_EQ(::mkdir((directory_ / ".config").c_str(), 0700), 0);
    ASSERT_EQ(::mkdir((directory_ / ".config/causeway").c_str(), 0700), 0);
    const std::string own = write(".config/causeway/copies", mine());
    EXPECT_EQ(engine::find_copies().source, own);

    ::setenv("XDG_CONFIG_HOME", (directory_ / "config").c_str(), 1);
    EXPECT_EQ(engine::user_copies_path(), directory_ / "config/causeway/copies");
    if (!system) {
        EXPECT_EQ(engine::find_copies().source, "built in") << "~/.config is not looked at then";
    }
    ::setenv("XDG_CONFIG_HOME", "relative", 1);
    EXPECT_EQ(engine::find_copies().source, own) << "a relative one does not count";

    const std::string chosen = write("chosen", mine());
    ::setenv("CAUSEWAY_COPIES", chosen.c_str(), 1);
    EXPECT_EQ(engine::find_copies().source, chosen);
    ::setenv("CAUSEWAY_COPIES", "built-in", 1);
    EXPECT_EQ(engine::find_copies().source, "built in");
    EXPECT_EQ(engine::find_copies().problem, "");
    ::setenv("CAUSEWAY_COPIES", (directory_ / "missing").c_str(), 1);
    const LoadedCopies missing = engine::find_copies();
    EXPECT_EQ(missing.source, "built in") << "the others are not looked at then";
    EXPECT_THAT(missing.problem, HasSubstr("missing"));
}

}  // namespace
}  // namespace causeway::test
