// Inbox, worker and side threads: what the control thread gives away and gets back.
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "adapter/inbox.hpp"
#include "adapter/side_threads.hpp"
#include "adapter/worker.hpp"
#include "support/in_process_adapter.hpp"

namespace causeway::adapter {
namespace {

bool readable(int fd) {
    pollfd state{fd, POLLIN, 0};
    return ::poll(&state, 1, 0) == 1;
}

TEST(Inbox, RunsWhatOthersPostInOrder) {
    const auto inbox = Inbox::create().value();
    EXPECT_FALSE(readable(inbox->fd()));
    std::string seen;
    std::thread([&] {
        inbox->post([&] { seen += 'a'; });
        inbox->post([&] { seen += 'b'; });
    }).join();
    EXPECT_TRUE(readable(inbox->fd()));
    EXPECT_EQ(inbox->run_all(), 2u);
    EXPECT_EQ(seen, "ab");
    EXPECT_FALSE(readable(inbox->fd()));
}

TEST(Inbox, LeavesWhatATaskPostsForTheNextTime) {
    const auto inbox = Inbox::create().value();
    int runs = 0;
    inbox->post([&] { inbox->post([&] { ++runs; }); });
    EXPECT_EQ(inbox->run_all(), 1u);
    EXPECT_EQ(runs, 0);
    EXPECT_TRUE(readable(inbox->fd()));
    EXPECT_EQ(inbox->run_all(), 1u);
    EXPECT_EQ(runs, 1);
}

TEST(Worker, GivesEveryJobItsTurnBetweenSteps) {
    std::string order;
    std::promise<void> both_there;
    std::promise<void> done;
    {
        Worker worker;
        worker.post([&, gate = both_there.get_future().share()] {
            gate.wait();
            return Worker::Progress::finished;
        });
        const auto steps = [&order](char name, int count, std::promise<void>* last) {
            return [&order, name, left = count, last]() mutable {
                order += name;
                if (--left > 0)
                    return Worker::Progress::more;
                if (last != nullptr)
                    last->set_value();
                return Worker::Progress::finished;
            };
        };
        worker.post(steps('a', 3, &done));
        worker.post(steps('b', 1, nullptr));
        both_there.set_value();
        done.get_future().wait();
    }
    EXPECT_EQ(order, "abaa");
}

TEST(Worker, DropsWhatIsLeftWhenItStops) {
    const auto witness = std::make_shared<int>(0);
    {
        Worker worker;
        std::promise<void> started;
        worker.post([&started, first = true, witness]() mutable {
            if (std::exchange(first, false))
                started.set_value();
            return Worker::Progress::more;
        });
        started.get_future().wait();
    }
    EXPECT_EQ(witness.use_count(), 1);
}

TEST(SideThreads, RunEverythingThatIsPosted) {
    SideThreads side(2);
    std::atomic<int> runs{0};
    for (int i = 0; i < 100; ++i)
        side.post([&runs] { ++runs; });
    EXPECT_TRUE(test::eventually([&] { return runs == 100; }));
}

TEST(SideThreads, ThatHangHoldUpNobody) {
    std::promise<void> gate;
    const std::shared_future<void> open = gate.get_future().share();
    const auto hanging = std::make_shared<std::atomic<int>>(0);
    const auto done = std::make_shared<std::atomic<int>>(0);
    {
        SideThreads side(2);
        for (int i = 0; i < 5; ++i) {
            side.post([open, hanging, done] {
                ++*hanging;
                open.wait();
                ++*done;
            });
        }
        EXPECT_TRUE(test::eventually([&] { return *hanging == 2; }));
    }
    EXPECT_EQ(*hanging, 2) << "two at a time";
    EXPECT_EQ(*done, 0);
    gate.set_value();
    EXPECT_TRUE(test::eventually([&] { return *done == 5; })) << "also without their owner";
}

// The system gives no thread for a while; what was to be done is not forgotten.
TEST(SideThreads, WithoutThreadsTheyTryAgain) {
    pthread_attr_t before;
    pthread_attr_t impossible;
    ASSERT_EQ(::pthread_getattr_default_np(&before), 0);
    ASSERT_EQ(::pthread_attr_init(&impossible), 0);
    ASSERT_EQ(::pthread_attr_setstacksize(&impossible, std::size_t{1} << 46), 0);
    ASSERT_EQ(::pthread_setattr_default_np(&impossible), 0);
    SideThreads side(2);
    std::atomic<int> runs{0};
    EXPECT_FALSE(side.stuck()) << "nothing to do";
    side.post([&runs] { ++runs; });
    side.post([&runs] { ++runs; });
    side.try_again();
    EXPECT_TRUE(side.stuck());
    EXPECT_EQ(runs, 0);
    ASSERT_EQ(::pthread_setattr_default_np(&before), 0);
    EXPECT_TRUE(side.stuck());
    side.try_again();
    EXPECT_TRUE(test::eventually([&] { return runs == 2; }));
    EXPECT_FALSE(side.stuck());
}

}  // namespace
}  // namespace causeway::adapter
