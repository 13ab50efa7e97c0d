#include "shm/doorbell.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace causeway::test {
namespace {

struct Bell {
    std::unique_ptr<abi::DoorbellLayout> page = std::make_unique<abi::DoorbellLayout>();
    shm::DoorbellWaker waker{page.get()};
    shm::DoorbellWaiter waiter{page.get()};

    std::vector<std::uint32_t> take() {
        std::vector<std::uint32_t> bits;
        waiter.take([&](std::uint32_t bit) { bits.push_back(bit); });
        return bits;
    }
};

TEST(Doorbell, GivesEachBitOnceInOrder) {
    Bell bell;
    EXPECT_FALSE(bell.waiter.rung());
    EXPECT_TRUE(bell.take().empty());
    for (const std::uint32_t bit : {4095U, 0U, 63U, 64U, 4032U, 63U})
        (void)bell.waker.ring(bit);
    EXPECT_TRUE(bell.waiter.rung());
    EXPECT_EQ(bell.take(), (std::vector<std::uint32_t>{0, 63, 64, 4032, 4095}));
    EXPECT_FALSE(bell.waiter.rung());
    EXPECT_TRUE(bell.take().empty());
}

TEST(Doorbell, CarriesEveryBit) {
    Bell bell;
    for (std::uint32_t bit = 0; bit < abi::kDoorbellBits; ++bit)
        (void)bell.waker.ring(bit);
    const auto bits = bell.take();
    ASSERT_EQ(bits.size(), abi::kDoorbellBits);
    for (std::uint32_t bit = 0; bit < abi::kDoorbellBits; ++bit)
        EXPECT_EQ(bits[bit], bit);
}

TEST(Doorbell, RingingWhileBitsAreTakenIsNotLost) {
    Bell bell;
    (void)bell.waker.ring(5);
    std::vector<std::uint32_t> seen;
    bell.waiter.take([&](std::uint32_t bit) {
        seen.push_back(bit);
        if (seen.size() == 1) {
            (void)bell.waker.ring(5);
            (void)bell.waker.ring(70);
        }
    });
    bell.waiter.take([&](std::uint32_t bit) { seen.push_back(bit); });
    EXPECT_EQ(seen, (std::vector<std::uint32_t>{5, 5, 70}));
}

TEST(Doorbell, KicksOnlyASleeper) {
    Bell bell;
    EXPECT_EQ(bell.waker.ring(1), shm::Kick::no);
    EXPECT_EQ(bell.waker.sleeping(), shm::Kick::no);
    bell.waiter.announce_sleep();
    EXPECT_EQ(bell.waker.sleeping(), shm::Kick::yes);
    EXPECT_EQ(bell.waker.ring(1), shm::Kick::yes);
    bell.waiter.announce_awake();
    EXPECT_EQ(bell.waker.ring(1), shm::Kick::no);
}

TEST(Doorbell, FalseBitsAreBounded) {
    Bell bell;
    bell.page->summary.store(UINT64_MAX);  // every word marked, none with a bit
    EXPECT_TRUE(bell.take().empty());
    bell.page->words[3].store(UINT64_MAX);  // bits without a mark stay where they are
    EXPECT_TRUE(bell.take().empty());
    for (auto& word : bell.page->words)
        word.store(UINT64_MAX);
    bell.page->summary.store(UINT64_MAX);
    EXPECT_EQ(bell.take().size(), abi::kDoorbellBits);
}

// Two wakers and a waiter that sleeps whenever it finds nothing: no ring may be lost, and whoever
// sleeps on something must have been kicked. The socket is played by an atomic counter.
TEST(Doorbell, TwoWakersLoseNoWakeUp) {
    Bell bell;
    constexpr std::uint64_t kRings = 100'000;
    struct alignas(64) Work {
        std::atomic<std::uint64_t> posted{0};
    };
    Work work[2];
    std::atomic<std::uint32_t> kicks{0};
    const auto waker = [&](std::uint32_t me) {
        for (std::uint64_t i = 1; i <= kRings; ++i) {
            work[me].posted.store(i, std::memory_order_relaxed);
            if (bell.waker.ring(me * 100) == shm::Kick::yes) {
                kicks.fetch_add(1, std::memory_order_release);
                kicks.notify_one();
            }
            if (i % 64 == 0)
                std::this_thread::yield();
        }
    };
    std::thread first(waker, 0);
    std::thread second(waker, 1);
    std::uint64_t seen[2] = {0, 0};
    const auto look = [&] {
        bool any = false;
        bell.waiter.take([&](std::uint32_t bit) {
            any = true;
            seen[bit / 100] = work[bit / 100].posted.load(std::memory_order_relaxed);
        });
        return any;
    };
    std::uint64_t sleeps = 0;
    while (seen[0] < kRings || seen[1] < kRings) {
        if (look())
            continue;
        const std::uint32_t before = kicks.load(std::memory_order_acquire);
        bell.waiter.announce_sleep();
        if (!look() && !bell.waiter.rung()) {
            ++sleeps;
            kicks.wait(before, std::memory_order_acquire);  // a lost wake-up hangs here
        }
        bell.waiter.announce_awake();
    }
    first.join();
    second.join();
    EXPECT_EQ(seen[0], kRings);
    EXPECT_EQ(seen[1], kRings);
    EXPECT_GT(sleeps, 0U);
}

}  // namespace
}  // namespace causeway::test
