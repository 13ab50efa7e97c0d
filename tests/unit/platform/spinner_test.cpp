#include "platform/spinner.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "platform/clock.hpp"
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

// One that always has work, on the core of one that waits for it: without giving the core away it
// would be seen once in a time slice.
TEST(Spinner, WhoAlwaysWorksGivesTheCoreAwayToo) {
    const unsigned cpu = allowed_cpus().front();
    std::atomic<bool> over{false};
    std::thread waiter([&] {
        ASSERT_TRUE(pin_thread(cpu).has_value());
        Spinner spinner;
        while (!over.load(std::memory_order_acquire))
            spinner.spin();
    });
    std::thread worker([&] {
        ASSERT_TRUE(pin_thread(cpu).has_value());
        Spinner spinner;
        while (spinner.yields() < 1000)
            spinner.worked();
        EXPECT_TRUE(spinner.crowded());
        over.store(true, std::memory_order_release);
    });
    worker.join();
    waiter.join();
}

// Spins without end, as in one wait, until the clock says so.
void spin_for(Spinner& spinner, std::uint64_t ns) {
    for (const std::uint64_t end = monotonic_ns() + ns; monotonic_ns() < end;)
        spinner.spin();
}

TEST(Spinner, YieldsLessAndLessWhereNobodyElseWantsTheCore) {
    std::uint64_t most = 0;
    // Other programs may crowd this core for a while: one quiet moment is enough.
    for (int attempt = 0; attempt < 100 && most < Spinner::kMostNs; ++attempt) {
        Spinner spinner;
        spin_for(spinner, 1'000'000);
        most = std::max(most, spinner.stretch_ns());
    }
    EXPECT_EQ(most, Spinner::kMostNs);
}

// Whatever earlier waits have shown: who was woken on the core of its peer gives it back.
TEST(Spinner, EachWaitYieldsSoonAgain) {
    Spinner spinner;
    spin_for(spinner, 1'000'000);
    spinner.reset();
    EXPECT_EQ(spinner.stretch_ns(), 0u);
    const std::uint64_t yields = spinner.yields();
    spin_for(spinner, 10 * Spinner::kFirstNs);
    EXPECT_GT(spinner.yields(), yields);
}

TEST(Spinner, AShortWaitYieldsNot) {
    std::uint64_t yields = 1;
    for (int attempt = 0; attempt < 100 && yields != 0; ++attempt) {  // the thread may be put off
        Spinner spinner;
        for (std::uint32_t i = 0; i < 2 * Spinner::kPollsPerLook; ++i)
            spinner.spin();
        yields = spinner.yields();
    }
    EXPECT_EQ(yields, 0u);
}

}  // namespace
}  // namespace causeway::platform
