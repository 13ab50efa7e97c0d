// Instructions per message, against tests/budget/instructions.txt. A path that has become longer
// fails, and so does one that has become much shorter, until its new figure is recorded.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "budget/built.hpp"
#include "budget/count_instructions.hpp"

namespace causeway::test {
namespace {

constexpr double kMostMore = 1.05;
constexpr double kMostLess = 0.85;
constexpr int kAttempts = 3;

struct Recorded {
    std::string built;
    struct Path {
        std::uint64_t instructions = 0;
        std::string words;
    };
    std::vector<Path> paths;
};

[[nodiscard]] Recorded read_recorded() {
    Recorded recorded;
    std::ifstream file(source_path("tests/budget/instructions.txt"));
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        if (line.empty() || line[0] == '#')
            continue;
        if (line.starts_with("built ")) {
            recorded.built = line.substr(6);
            continue;
        }
        Recorded::Path path;
        words >> path.instructions >> std::ws;
        std::getline(words, path.words);
        recorded.paths.push_back(path);
    }
    return recorded;
}

// Of one executor; the test's name says which.
void expect_as_recorded(const std::string& executor) {
    const Recorded recorded = read_recorded();
    if (recorded.built != built()) {
        GTEST_SKIP() << "the figures belong to " << recorded.built << ", and this is " << built();
    }
    int paths = 0;
    for (const Recorded::Path& path : recorded.paths) {
        if (!path.words.starts_with(executor + " "))
            continue;
        std::uint64_t now = UINT64_MAX;
        // A mover that sleeps has to be rung for, which is not what this asks about: the least.
        for (int attempt = 0; attempt < kAttempts; ++attempt) {
            const CountedInstructions counted = count_instructions(path.words);
            if (!counted.unavailable.empty())
                GTEST_SKIP() << counted.unavailable;
            ASSERT_EQ(counted.problem, "");
            now = std::min(now, counted.each);
            if (static_cast<double>(now) <= kMostMore * static_cast<double>(path.instructions))
                break;
        }
        ++paths;
        const double ratio = static_cast<double>(now) / static_cast<double>(path.instructions);
        EXPECT_LE(ratio, kMostMore)
            << path.words << " takes " << now << " instructions, and was recorded with "
            << path.instructions
            << ". If there is a reason, record it: scripts/record_budgets, and say why in the "
               "commit.";
        EXPECT_GE(ratio, kMostLess)
            << path.words << " takes only " << now << " instructions, and was recorded with "
            << path.instructions << ". Well done: hold on to it with scripts/record_budgets.";
    }
    EXPECT_GE(paths, 5) << "instructions.txt has hardly a path of executor " << executor;
}

TEST(Instructions, OfTheDirectExecutor) { expect_as_recorded("direct"); }
TEST(Instructions, OfTheLibraryWithTheAdapter) { expect_as_recorded("adapter"); }
TEST(Instructions, OfTheEngine) { expect_as_recorded("engine"); }

}  // namespace
}  // namespace causeway::test
