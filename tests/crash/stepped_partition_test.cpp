// A partition is killed after any number of instructions of everything that it can do, by both
// executors; what must hold then is support/survivor.hpp's, and which numbers support/places.hpp's.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>

#include "support/acts.hpp"
#include "support/killer.hpp"
#include "support/live_adapter.hpp"
#include "support/places.hpp"
#include "support/stepper.hpp"
#include "support/survivor.hpp"

namespace causeway::test {
namespace {

class SteppedPartition : public testing::TestWithParam<std::tuple<std::string, Act>> {};

TEST_P(SteppedPartition, DiesAtAnyInstruction) {
    if (!can_step())
        GTEST_SKIP() << "single steps are not to be had here (ptrace)";
    const auto [executor, act] = GetParam();
    const LiveAdapter adapter(LiveAdapter::Kind::program);
    Killer killer([&, executor = executor](const Killer::Order& order) {
        perform(adapter.socket(), executor.c_str(), order, mark_for_stepper);
    });
    Survivor survivor(adapter, executor.c_str());
    std::uint64_t number = 1;
    // The shortest of three ways: on a busy machine one may spin for long, and what is placed by
    // its length hits nothing.
    std::uint64_t length = UINT64_MAX;
    for (int i = 0; i < 3; ++i) {
        length = std::min(length, survivor.outlive(killer, act, number++, Killer::kRecord).length);
    }
    ASSERT_GT(length, 0u);
    Places places(length);
    std::uint64_t inside = 0;
    while (!HasFailure() && places.next()) {
        inside += survivor.outlive(killer, act, number++, places.place()).inside;
        EXPECT_FALSE(HasFailure()) << "after " << places.place() << " instructions";
    }
    places.say(executor + " " + name_of(act));
    // Now and then a way is shorter than the recorded one: the kills behind its end hit nothing.
    EXPECT_GT(inside, places.count() / 2);
}

std::string name_of_instance(const testing::TestParamInfo<SteppedPartition::ParamType>& instance) {
    return std::get<0>(instance.param) + "_" + name_of(std::get<1>(instance.param));
}
INSTANTIATE_TEST_SUITE_P(Transfers, SteppedPartition,
                         testing::Combine(testing::Values(std::string("adapter"), "direct"),
                                          testing::ValuesIn(kTransfers)),
                         name_of_instance);
INSTANTIATE_TEST_SUITE_P(Controls, SteppedPartition,
                         testing::Combine(testing::Values(std::string("adapter"), "direct"),
                                          testing::ValuesIn(kControls)),
                         name_of_instance);

}  // namespace
}  // namespace causeway::test
