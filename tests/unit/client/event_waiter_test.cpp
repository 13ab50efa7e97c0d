// Several threads wait for events of one partition, beside an application's own event loop.
#include "client/event_waiter.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "platform/memfd.hpp"
#include "support/fake_adapter.hpp"

namespace causeway::client {
namespace {

using platform::UniqueFd;
using test::FakeBell;

class EventWaiterTest : public testing::Test {
protected:
    EventWaiterTest() {
        auto ends = platform::WakeupSocket::make_pair().value();
        control_ = std::move(ends.first);
        adapters_control_ = std::move(ends.second);
        auto page = platform::Mapping::map(bell_.page_fd.get(), platform::kPage).value();
        EXPECT_TRUE(waiter_.open(std::move(page), platform::WakeupSocket(std::move(bell_.peer_end)),
                                 control_.fd()));
    }
    [[nodiscard]] bool readable() const {
        pollfd file{waiter_.event_fd(), POLLIN, 0};
        return ::poll(&file, 1, 0) == 1;
    }

    FakeBell bell_;
    platform::WakeupSocket control_;
    platform::WakeupSocket adapters_control_;
    EventWaiter waiter_;
};

TEST_F(EventWaiterTest, AnEventAfterTheTicketEndsTheWait) {
    const auto ticket = waiter_.ticket();
    bell_.ring(0);
    EXPECT_EQ(waiter_.wait(ticket, UINT64_MAX), EventWaiter::Waited::changed);
    EXPECT_EQ(waiter_.wait(ticket, UINT64_MAX), EventWaiter::Waited::changed);  // still old
    EXPECT_EQ(waiter_.wait(waiter_.ticket(), 1000), EventWaiter::Waited::napped);
}

TEST_F(EventWaiterTest, TheApplicationsLoopSeesWhatAThreadHasRead) {
    EXPECT_FALSE(readable());
    bell_.ring(0);
    EXPECT_TRUE(readable());
    EXPECT_EQ(waiter_.wait(waiter_.ticket(), 0), EventWaiter::Waited::changed);
    EXPECT_TRUE(readable());
    waiter_.process();
    EXPECT_FALSE(readable());
    bell_.ring(1);
    EXPECT_TRUE(readable());
    waiter_.process();
    EXPECT_FALSE(readable());
}

TEST_F(EventWaiterTest, ProcessWakesTheThreadsThatWait) {
    const auto ticket = waiter_.ticket();
    bell_.ring(0);
    waiter_.process();
    EXPECT_EQ(waiter_.wait(ticket, UINT64_MAX), EventWaiter::Waited::changed);
}

TEST_F(EventWaiterTest, TheAdaptersEndEndsAllWaits) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            while (waiter_.wait(waiter_.ticket(), UINT64_MAX) !=
                   EventWaiter::Waited::adapter_gone) {}
        });
    }
    adapters_control_ = {};
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(waiter_.wait(waiter_.ticket(), UINT64_MAX), EventWaiter::Waited::adapter_gone);
}

// Each level is raised only after all threads have seen the one before, so that a thread that
// misses an event holds up everybody: it would go on only by its nap's end, every time.
TEST_F(EventWaiterTest, NoThreadMissesALevel) {
    constexpr int kThreads = 3;
    constexpr std::uint32_t kLevels = 3000;
    std::atomic<std::uint32_t> level{0};
    std::atomic<std::uint32_t> arrived{0};
    std::atomic<std::uint32_t> naps{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            for (std::uint32_t seen = 0; seen < kLevels;) {
                const auto ticket = waiter_.ticket();
                if (level.load(std::memory_order_acquire) > seen) {
                    ++seen;
                    arrived.fetch_add(1);
                } else if (waiter_.wait(ticket, UINT64_MAX) == EventWaiter::Waited::napped) {
                    // A whole nap, and the level is there: it was slept through.
                    if (level.load(std::memory_order_acquire) > seen)
                        naps.fetch_add(1);
                }
            }
        });
    }
    for (std::uint32_t next = 1; next <= kLevels; ++next) {
        level.store(next, std::memory_order_release);
        bell_.ring(0);
        if (next % 3 == 0)
            waiter_.process();  // the application's loop runs beside them
        while (arrived.load() < next * kThreads)
            std::this_thread::yield();
    }
    for (auto& thread : threads)
        thread.join();
    // A level raised just as a nap ends by itself is no miss; a pattern of them is.
    EXPECT_LT(naps.load(), 5U);
}

}  // namespace
}  // namespace causeway::client
