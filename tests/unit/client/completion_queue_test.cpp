// Hot and cold pairs, arming, and sleeping without lost wake-ups.
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "client/c_api.hpp"
#include "client_world.hpp"

namespace causeway::test {
namespace {

using abi::Opcode;
using client::CompletionQueue;

class CompletionQueueTest : public ClientTest {
protected:
    [[nodiscard]] std::uint32_t hot() const { return completions->shared->hot_pairs(); }
    [[nodiscard]] static bool polled(const Pair& pair) {
        return pair.there->layout().polled.load() != 0;
    }
    // Posts a send and completes it as an executor does.
    void deliver(const Pair& pair, std::uint64_t id) {
        must(send(pair, id));
        abi::Descriptor d;
        std::uint32_t slot = 0;
        ASSERT_TRUE(pair.there->take_send(d, slot));
        pair.there->complete_send(FakeEnd::success(Opcode::send, slot, 64));
    }
    [[nodiscard]] bool readable() const {
        pollfd file{cw_completion_queue_fd(completions.get()), POLLIN, 0};
        return ::poll(&file, 1, 0) == 1;
    }
};

TEST_F(CompletionQueueTest, APairThatIsIdleForLongTurnsColdAndIsFoundAgain) {
    Pair pair = connect();
    deliver(pair, 1);
    ASSERT_EQ(poll().size(), 1U);
    EXPECT_TRUE(polled(pair));
    for (std::uint32_t i = 0; i <= CompletionQueue::kIdlePolls; ++i)
        EXPECT_TRUE(poll().empty());
    EXPECT_FALSE(polled(pair));
    EXPECT_EQ(hot(), 0U);
    deliver(pair, 2);
    const auto found = poll();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].id, 2U);
    EXPECT_TRUE(polled(pair));
}

// While a pair is hot the executor rings for nothing, so nothing but its ring can say it.
TEST_F(CompletionQueueTest, HotPairsAreFoundWithoutTheDoorbell) {
    Pair pair = connect();
    deliver(pair, 1);
    ASSERT_EQ(poll().size(), 1U);
    must(send(pair, 2));
    pair.there->send_completions.publish(FakeEnd::success(Opcode::send, 1, 64));
    ASSERT_EQ(poll().size(), 1U);
}

TEST_F(CompletionQueueTest, ServesMorePairsThanCanBeHot) {
    std::vector<Pair> pairs;
    for (std::uint32_t i = 0; i < 3 * CompletionQueue::kMostHot; ++i)
        pairs.push_back(connect());
    for (std::uint64_t round = 0; round < 20; ++round) {
        for (std::size_t i = 0; i < pairs.size(); ++i)
            deliver(pairs[i], round * 1000 + i);
        std::set<std::uint64_t> ids;
        for (const cw_completion& c : poll())
            EXPECT_TRUE(ids.insert(c.id).second);
        EXPECT_EQ(ids.size(), pairs.size());
        EXPECT_LE(hot(), CompletionQueue::kMostHot);
    }
}

TEST_F(CompletionQueueTest, BusyHotPairsDoNotStarveAColdOne) {
    std::vector<Pair> pairs;
    for (std::uint32_t i = 0; i < CompletionQueue::kMostHot; ++i) {
        pairs.push_back(connect());
        deliver(pairs.back(), i);
    }
    ASSERT_EQ(poll().size(), pairs.size());
    ASSERT_EQ(hot(), CompletionQueue::kMostHot);
    Pair cold = connect();
    deliver(cold, 4711);
    ASSERT_FALSE(polled(cold));
    bool found = false;
    for (int i = 0; i < 64 && !found; ++i) {
        for (auto& pair : pairs)
            deliver(pair, 1);
        cw_completion batch[4];  // less than the hot ones have
        const int n = cw_completion_queue_poll(completions.get(), batch, 4);
        for (int j = 0; j < n; ++j)
            found |= batch[j].id == 4711;
        while (cw_completion_queue_poll(completions.get(), batch, 4) > 0) {
            if (batch[0].id == 4711)
                found = true;
        }
    }
    EXPECT_TRUE(found);
}

TEST_F(CompletionQueueTest, ForgetsAPairThatIsClosed) {
    Pair first = connect();
    Pair second = connect();
    deliver(first, 1);
    deliver(second, 2);
    first.here.reset();
    const auto left = poll();
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].id, 2U);
    first.there->notify();  // a late bit of the executor
    first.there->completions->ring(0);
    EXPECT_TRUE(poll().empty());
    EXPECT_EQ(adapter.count(abi::Request::disconnect), 1);
}

TEST_F(CompletionQueueTest, BitsOfNobodyAreHarmless) {
    Pair pair = connect();
    for (std::uint32_t bit = 0; bit < abi::kDoorbellBits; ++bit)
        pair.there->completions->ring(bit);
    EXPECT_TRUE(poll().empty());
    deliver(pair, 1);
    EXPECT_EQ(poll().size(), 1U);
}

TEST_F(CompletionQueueTest, ArmSaysWhatIsThereAlready) {
    Pair pair = connect();
    EXPECT_TRUE(poll().empty());
    EXPECT_EQ(cw_completion_queue_arm(completions.get()), 0);
    EXPECT_FALSE(readable());
    EXPECT_TRUE(poll().empty());
    deliver(pair, 1);
    EXPECT_EQ(cw_completion_queue_arm(completions.get()), 1);
    ASSERT_EQ(poll().size(), 1U);
    // And where the executor forgot to ring.
    must(send(pair, 2));
    pair.there->layout().polled = 0;
    pair.there->send_completions.publish(FakeEnd::success(Opcode::send, 1, 64));
    EXPECT_EQ(cw_completion_queue_arm(completions.get()), 1);
}

TEST_F(CompletionQueueTest, AnArmedQueueBecomesReadableAndQuietAgain) {
    Pair pair = connect();
    EXPECT_TRUE(poll().empty());
    for (std::uint64_t i = 0; i < 10; ++i) {
        ASSERT_EQ(cw_completion_queue_arm(completions.get()), 0);
        deliver(pair, i);
        EXPECT_TRUE(readable());
        ASSERT_EQ(poll().size(), 1U);
        EXPECT_FALSE(readable());
        deliver(pair, i);  // not armed: nobody is woken
        EXPECT_FALSE(readable());
        ASSERT_EQ(poll().size(), 1U);
    }
}

TEST_F(CompletionQueueTest, WaitingEndsInTime) {
    cw_completion one;
    for (const cw_wait how : {CW_WAIT_ADAPTIVE, CW_WAIT_SPIN, CW_WAIT_BLOCK}) {
        EXPECT_EQ(cw_completion_queue_wait(completions.get(), &one, 1, 0, how), 0);
        EXPECT_EQ(cw_completion_queue_wait(completions.get(), &one, 1, 2'000'000, how), 0);
    }
    EXPECT_EQ(cw_completion_queue_wait(completions.get(), &one, 0, 0, CW_WAIT_SPIN),
              -CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_completion_queue_wait(completions.get(), &one, 1, 0, static_cast<cw_wait>(3)),
              -CW_ERROR_INVALID_ARGUMENT);
}

TEST_F(CompletionQueueTest, AQueueThatIsClosedFirstLeavesItsPairsUsable) {
    Pair pair = connect();
    completions.reset();
    EXPECT_EQ(adapter.count(abi::Request::close_doorbell), 0);
    must(send(pair, 1));
    pair.here.reset();
    EXPECT_EQ(adapter.count(abi::Request::close_doorbell), 1);
}

// An executor thread completes receives at moments of its own; the consumer sleeps whenever it
// finds nothing. There is no time-out behind the sleep here, so that one lost wake-up is a hang,
// which the watchdog of poll() reports.
class Hammer : public CompletionQueueTest, public testing::WithParamInterface<unsigned> {};

TEST_P(Hammer, NoWakeUpIsLost) {
    constexpr std::uint64_t kMessages = 20000;
    constexpr int kWatchdogMs = 30000;
    const std::size_t pair_count = GetParam();
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < pair_count; ++i) {
        pairs.push_back(connect(8));
        for (std::uint64_t k = 0; k < 8; ++k)
            must(receive(pairs.back(), k));
    }
    std::atomic<bool> stop{false};
    std::thread executor([&] {
        std::mt19937 random(7);  // NOLINT(cert-msc51-cpp)
        for (std::uint64_t sent = 0; sent < kMessages && !stop;) {
            FakeEnd& end = *pairs[random() % pair_count].there;
            abi::Descriptor d;
            std::uint32_t slot = 0;
            if (!end.take_receive(d, slot)) {
                std::this_thread::yield();
                continue;
            }
            end.complete_receive(FakeEnd::success(Opcode::receive, slot, 8));
            ++sent;
            switch (random() % 8) {
                case 0:
                    std::this_thread::yield();
                    break;
                case 1:
                    for (volatile unsigned long spin = random() % 3000; spin != 0;)
                        spin = spin - 1;
                    break;
                default:
                    break;
            }
        }
    });
    std::uint64_t received = 0;
    std::uint64_t slept = 0;
    cw_completion batch[16];
    pollfd file{cw_completion_queue_fd(completions.get()), POLLIN, 0};
    while (received < kMessages) {
        const int n = cw_completion_queue_poll(completions.get(), batch, 16);
        ASSERT_GE(n, 0);
        for (int i = 0; i < n; ++i) {
            ASSERT_EQ(batch[i].status, 0U);
            const auto it = std::find_if(pairs.begin(), pairs.end(), [&](const Pair& p) {
                return p.here.get() == batch[i].queue_pair;
            });
            ASSERT_NE(it, pairs.end());
            must(receive(*it, batch[i].id));
        }
        received += static_cast<std::uint64_t>(n);
        // What is to be posted is not the executor's to wait for: sleep only when all is taken.
        if (n != 0 || cw_completion_queue_arm(completions.get()) != 0)
            continue;
        ++slept;
        if (::poll(&file, 1, kWatchdogMs) != 1) {
            stop = true;
            ADD_FAILURE() << "slept through a completion after " << received;
            break;
        }
    }
    executor.join();
    EXPECT_GT(slept, 0U);
}

INSTANTIATE_TEST_SUITE_P(Pairs, Hammer, testing::Values(1U, 3U, 40U));

}  // namespace
}  // namespace causeway::test
