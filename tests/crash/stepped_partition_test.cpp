// A partition is killed after every k-th instruction of everything that it can do, by both
// executors; what must hold then is support/survivor.hpp's.
//
// CAUSEWAY_KILL_EVERY: kill at every so many instructions (1: at each). Without it some
// places of each act are tried, others in every run; CAUSEWAY_KILL_SEED, which is printed, repeats
// them.
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

// Of one act, in an ordinary run: as many as the time allows.
constexpr std::uint64_t kLeastPlaces = 4;
constexpr std::uint64_t kMostPlaces = 40;
constexpr auto kEnough = std::chrono::milliseconds(600);

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

    const std::uint64_t seed = seed_of_run();
    Random random(seed);
    const char* const every = std::getenv("CAUSEWAY_KILL_EVERY");
    const std::uint64_t stride =
        every != nullptr ? std::max(1ULL, std::strtoull(every, nullptr, 10)) : 0;
    std::uint64_t inside = 0;
    std::uint64_t killed = 0;
    const auto begin = std::chrono::steady_clock::now();
    const auto kill = [&](std::uint64_t after) {
        inside += survivor.outlive(killer, act, number++, after).inside;
        ++killed;
        EXPECT_FALSE(HasFailure()) << "after " << after << " of " << length << " instructions";
    };
    if (stride != 0) {
        for (std::uint64_t at = random.below(stride); at < length && !HasFailure(); at += stride)
            kill(at);
    } else {
        while (killed < kLeastPlaces ||
               (killed < kMostPlaces && std::chrono::steady_clock::now() - begin < kEnough)) {
            kill(random.below(length));
            if (HasFailure())
                break;
        }
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
