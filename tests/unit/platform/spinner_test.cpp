#include "platform/spinner.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "platform/cpu.hpp"

namespace causeway::platform {
namespace {

struct alignas(64) Cell {
    std::atomic<std::uint32_t> value{0};
};

// A token goes round `count` threads that all run on one processor: it only gets on if a spinner
// gives the core away. Returns the yields of all together.
std::uint64_t pass_round(unsigned count, std::uint32_t rounds) {
    const unsigned cpu = allowed_cpus().front();
    std::vector<Cell> cells(count);
    std::atomic<std::uint64_t> yields{0};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
            ASSERT_TRUE(pin_thread(cpu).has_value());
            Spinner spinner;
            for (std::uint32_t round = 1; round <= rounds; ++round) {
                if (i == 0)
                    cells[0].value.store(round, std::memory_order_release);
                const Cell& before = cells[i == 0 ? count - 1 : i - 1];
                while (before.value.load(std::memory_order_acquire) < round)
                    spinner.spin();
                spinner.reset();
                if (i != 0)
                    cells[i].value.store(round, std::memory_order_release);
            }
            yields += spinner.yields();
        });
    }
    for (auto& thread : threads)
        thread.join();
    return yields;
}

TEST(Spinner, SpinnersOnOneCoreTakeTurns) {
    constexpr std::uint32_t kRounds = 5'000;
    const std::uint64_t yields = pass_round(2, kRounds);
    // Without giving way, each round would cost whole time slices and no yields at all.
    EXPECT_GE(yields, kRounds);
    EXPECT_GE(pass_round(3, kRounds), kRounds);
}

TEST(Spinner, YieldsLessAndLessWhereNobodyElseWantsTheCore) {
    Spinner spinner;
    std::uint64_t most = 0;
    // Other programs may crowd this core for a while: one quiet moment is enough.
    for (int attempt = 0; attempt < 100 && most < Spinner::kMostPolls; ++attempt) {
        for (int i = 0; i < 10'000; ++i)
            spinner.spin();
        most = std::max<std::uint64_t>(most, spinner.stretch());
    }
    EXPECT_GT(most, 64u) << "the stretch it begins with";
    EXPECT_LE(most, Spinner::kMostPolls);
}

TEST(Spinner, ResetKeepsWhatWasLearned) {
    Spinner spinner;
    for (int i = 0; i < 10'000; ++i)
        spinner.spin();
    const std::uint32_t learned = spinner.stretch();
    const std::uint64_t yields = spinner.yields();
    EXPECT_GT(yields, 0u);
    spinner.reset();
    EXPECT_EQ(spinner.stretch(), learned);
    for (std::uint32_t i = 0; i < learned; ++i)
        spinner.spin();
    EXPECT_EQ(spinner.yields(), yields) << "a whole stretch without a yield";
    spinner.spin();
    EXPECT_EQ(spinner.yields(), yields + 1);
}

}  // namespace
}  // namespace causeway::platform
