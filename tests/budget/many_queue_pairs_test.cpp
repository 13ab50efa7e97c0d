// One completion queue over a thousand queue pairs: all of them carry a message, all but one go
// cold, and then the busy one costs what it would cost alone.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "budget/count_instructions.hpp"
#include "budget/path_runs.hpp"

namespace causeway::test {
namespace {

constexpr double kMostMore = 1.05;

class ManyQueuePairs : public ::testing::TestWithParam<const char*> {};

// The program checks the messages over the others, and that nothing else arrives.
TEST_P(ManyQueuePairs, CarryAMessageEachAndTheBusyOneGoesOn) {
    const std::string path = std::string(GetParam()) + " send 8 256 idle=999";
    const auto allocations = printed_by_path(path, "allocations");
    ASSERT_EQ(allocations.size(), 1u);
    EXPECT_EQ(allocations.begin()->second, 0);
}

TEST_P(ManyQueuePairs, CostTheBusyOneNothing) {
    const std::string path = std::string(GetParam()) + " send 8";
    const CountedInstructions alone = count_instructions(path);
    if (!alone.unavailable.empty())
        GTEST_SKIP() << alone.unavailable;
    const CountedInstructions among = count_instructions(path + " idle=999");
    ASSERT_EQ(alone.problem + among.problem, "");
    EXPECT_LE(static_cast<double>(among.each), static_cast<double>(alone.each) * kMostMore)
        << among.each << " instructions among a thousand, " << alone.each << " alone";
}

INSTANTIATE_TEST_SUITE_P(Executors, ManyQueuePairs, ::testing::Values("direct", "adapter"),
                         [](const auto& executor) { return executor.param; });

}  // namespace
}  // namespace causeway::test
