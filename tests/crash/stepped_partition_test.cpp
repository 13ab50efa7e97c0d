// A partition is killed after every k-th instruction of everything that it can do, by both
// executors; what must hold then is support/survivor.hpp's.
//
// CAUSEWAY_KILL_EVERY: kill at every so many instructions (1: at each). Without it some forty
// places of each act are tried, others in every run.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <tuple>

#include "support/acts.hpp"
#include "support/killer.hpp"
#include "support/live_adapter.hpp"
#include "support/random.hpp"
#include "support/stepper.hpp"
#include "support/survivor.hpp"

namespace causeway::test {
namespace {

constexpr std::uint64_t kPlaces = 40;  // of one act, in an ordinary run

// Of this run; CAUSEWAY_KILL_SEED repeats one.
std::uint64_t seed_of_run() {
    const char* const given = std::getenv("CAUSEWAY_KILL_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
}

class SteppedPartition : public testing::TestWithParam<std::tuple<const char*, Act>> {};

TEST_P(SteppedPartition, DiesAtAnyInstruction) {
    if (!can_step())
        GTEST_SKIP() << "single steps are not to be had here (ptrace)";
    const auto [executor, act] = GetParam();
    const LiveAdapter adapter(LiveAdapter::Kind::program);
    Killer killer([&, executor = executor](const Killer::Order& order) {
        perform(adapter.socket(), executor, order, mark_for_stepper);
    });
    Survivor survivor(adapter, executor);
    std::uint64_t number = 1;
    const std::uint64_t length = survivor.outlive(killer, act, number++, Killer::kRecord).length;
    ASSERT_GT(length, 0u);

    const char* const every = std::getenv("CAUSEWAY_KILL_EVERY");
    const std::uint64_t stride = std::max<std::uint64_t>(
        1, every != nullptr ? std::strtoull(every, nullptr, 10) : (length + kPlaces - 1) / kPlaces);
    const std::uint64_t seed = seed_of_run();
    std::uint64_t inside = 0;
    std::uint64_t killed = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t after = Random(seed).below(stride); after < length; after += stride) {
        inside += survivor.outlive(killer, act, number++, after).inside;
        ++killed;
        ASSERT_FALSE(HasFailure())
            << "after " << after << " of " << length << " instructions; CAUSEWAY_KILL_SEED=" << seed
            << " CAUSEWAY_KILL_EVERY=" << stride;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%s %s: %llu kills, %llu of them inside, of %llu instructions; %.1f s, seed %llu\n",
                executor, name_of(act), static_cast<unsigned long long>(killed),
                static_cast<unsigned long long>(inside), static_cast<unsigned long long>(length),
                took.count(), static_cast<unsigned long long>(seed));
    // Now and then a way is shorter than the recorded one: the kills behind its end hit nothing.
    EXPECT_GT(inside, killed / 2);
}

std::string name_of_instance(const testing::TestParamInfo<SteppedPartition::ParamType>& instance) {
    return std::string(std::get<0>(instance.param)) + "_" + name_of(std::get<1>(instance.param));
}
INSTANTIATE_TEST_SUITE_P(Transfers, SteppedPartition,
                         testing::Combine(testing::Values("adapter", "direct"),
                                          testing::ValuesIn(kTransfers)),
                         name_of_instance);
INSTANTIATE_TEST_SUITE_P(Controls, SteppedPartition,
                         testing::Combine(testing::Values("adapter", "direct"),
                                          testing::ValuesIn(kControls)),
                         name_of_instance);

}  // namespace
}  // namespace causeway::test
