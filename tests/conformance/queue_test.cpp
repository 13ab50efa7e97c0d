// Order, capacity, waiting, and many queue pairs at once.
#include <poll.h>

#include <thread>

#include "conformance/fixture.hpp"

namespace causeway::test {
namespace {

class Queues : public Conformance {};

TEST_P(Queues, OrderIsKeptOverManyLaps) {
    apart();
    Pair pair = connect(a, b, Patience::block(), 16);
    constexpr std::uint32_t kMessages = 40'000;
    std::thread receiver([&] {
        std::uint32_t expected = 0;
        for (std::uint64_t i = 0; i < 16; ++i) {
            pair.b.post_receive(b.memory.slice(i * 128, 128), i).value();
        }
        while (expected < kMessages) {
            const Completion c = b.next();
            ASSERT_EQ(c.status(), Status::success);
            std::uint32_t number = 0;
            std::memcpy(&number, b.memory.data() + c.id() * 128, sizeof number);
            ASSERT_EQ(number, expected);
            ASSERT_EQ(c.length(), 4 + number % 100);
            ++expected;
            pair.b.post_receive(b.memory.slice(c.id() * 128, 128), c.id()).value();
        }
    });
    std::uint32_t done = 0;
    for (std::uint32_t sent = 0; done < kMessages;) {
        if (sent < kMessages && sent - done < 16) {
            const std::size_t at = (sent % 32) * 128;
            std::memcpy(a.memory.data() + at, &sent, sizeof sent);
            pair.a.post_send(a.memory.slice(at, 4 + sent % 100), sent).value();
            ++sent;
            continue;
        }
        const Completion c = a.next();
        ASSERT_EQ(c.status(), Status::success);
        ASSERT_EQ(c.id(), done);
        ++done;
    }
    receiver.join();
}

// Messages that travel in a completion, that are copied at once, that take several pieces, that are
// of two slices: each takes another way, and waits for receives now and then.
TEST_P(Queues, OrderIsKeptAmongTheWaysOfMessages) {
    Pair pair = connect(a, b, Patience::block(), 16);
    constexpr std::uint32_t kLargest = 600 << 10;
    constexpr std::uint32_t kSizes[] = {64, 8, 4096, kLargest, 100, 32, 33, 0, 20'000};
    constexpr std::uint64_t kMessages = 900;
    const auto size_of = [&](std::uint64_t i) { return kSizes[i * 7 % std::size(kSizes)]; };
    std::uint64_t posted = 0;
    std::uint64_t received = 0;
    for (std::uint64_t sent = 0; received < kMessages;) {
        // Bursts of up to eight, into receives of which there are sometimes enough.
        for (std::uint64_t burst = sent % 8 + 1; burst != 0 && sent < kMessages; --burst, ++sent) {
            const std::uint32_t size = size_of(sent);
            const std::size_t at = sent % 8 * kLargest / 8;
            if (size >= 8)
                std::memcpy(a.memory.data() + at, &sent, 8);
            const PostOptions options{.immediate = Immediate{static_cast<std::uint32_t>(sent)},
                                      .signaled = false};
            if (size > 64 && sent % 3 == 0) {
                const Slice halves[] = {a.memory.slice(at, 40), a.memory.slice(at + 40, size - 40)};
                pair.a.post_send(halves, sent, options).value();
            } else {
                pair.a.post_send(a.memory.slice(at, size), sent, options).value();
            }
        }
        for (std::uint64_t more = sent % 5 + 1; more != 0 && posted < sent + 2 - sent % 3; --more)
            pair.b.post_receive(b.memory.slice(posted++ % 12 * kLargest, kLargest), 0).value();
        while (received < sent) {
            if (posted == received)
                pair.b.post_receive(b.memory.slice(posted++ % 12 * kLargest, kLargest), 0).value();
            const Completion c = b.next();
            ASSERT_EQ(c.status(), Status::success);
            ASSERT_EQ(c.immediate(), static_cast<std::uint32_t>(received));
            ASSERT_EQ(c.length(), size_of(received));
            std::uint64_t number = received;
            if (c.length() >= 8)
                std::memcpy(&number, b.memory.data() + received % 12 * kLargest, 8);
            ASSERT_EQ(number, received);
            ++received;
        }
    }
    EXPECT_TRUE(a.quiet());
}

TEST_P(Queues, AFullQueueSaysSo) {
    Pair pair = connect(a, b, Patience::block(), 8);
    for (std::uint64_t i = 0; i < 8; ++i) {
        pair.a.post_send(a.memory.slice(0, 64), i).value();
        pair.a.post_receive(a.memory.slice(0, 64), i).value();
    }
    EXPECT_EQ(pair.a.post_send(a.memory.slice(0, 64), 9).error().code, ErrorCode::again);
    EXPECT_EQ(pair.a.post_receive(a.memory.slice(0, 64), 9).error().code, ErrorCode::again);
    // One slow receiver: another queue pair between the same two goes on.
    Pair other = connect(a, b);
    other.b.post_receive(b.memory.slice(0, 64), 20).value();
    other.a.post_send(a.memory.slice(0, 64), 21).value();
    EXPECT_EQ(a.status_of(21), Status::success);
    EXPECT_EQ(b.status_of(20), Status::success);
    for (std::uint64_t i = 0; i < 8; ++i)
        pair.b.post_receive(b.memory.slice(0, 64), i).value();
    for (std::uint64_t i = 0; i < 8; ++i)
        EXPECT_EQ(a.status_of(i), Status::success);
}

TEST_P(Queues, UnsignaledPostsCompleteOnlyWhenTheyFail) {
    Pair pair = connect();
    PostOptions unsignaled;
    unsignaled.signaled = false;
    for (int i = 0; i < 1000; ++i) {
        while (true) {
            const auto posted =
                pair.a.post_write(a.memory.slice(0, 64), b.memory.remote(), 1, unsignaled);
            if (posted)
                break;
            ASSERT_EQ(posted.error().code, ErrorCode::again);
        }
    }
    const auto post_last = [&](Remote where, std::uint64_t id, PostOptions options) {
        while (true) {
            const auto posted = pair.a.post_write(a.memory.slice(0, 64), where, id, options);
            if (posted)
                return;
            ASSERT_EQ(posted.error().code, ErrorCode::again);
        }
    };
    post_last({1, 1, 1}, 2, unsignaled);
    post_last(b.memory.remote(), 3, {});
    EXPECT_EQ(a.status_of(2), Status::remote_access);
    EXPECT_EQ(a.status_of(3), Status::success);
    EXPECT_TRUE(a.quiet());
}

TEST_P(Queues, TwoHundredQueuePairsOnOneCompletionQueue) {
    std::vector<Pair> pairs;
    for (int i = 0; i < 200; ++i) {
        pairs.push_back(connect(a, b, Patience::block(), 8));
        pairs.back()
            .b
            .post_receive(b.memory.slice(static_cast<std::size_t>(i) * 64, 64),
                          static_cast<std::uint64_t>(i))
            .value();
    }
    for (int round = 0; round < 5; ++round) {
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            const auto number =
                static_cast<std::uint32_t>(i + 1000U * static_cast<unsigned>(round));
            std::memcpy(a.memory.data() + i * 64, &number, sizeof number);
            pairs[i].a.post_send(a.memory.slice(i * 64, 4), i).value();
        }
        std::vector<bool> seen(pairs.size());
        for (std::size_t n = 0; n < pairs.size(); ++n) {
            const Completion c = b.next();
            ASSERT_EQ(c.status(), Status::success);
            ASSERT_FALSE(seen[c.id()]);
            seen[c.id()] = true;
            std::uint32_t number = 0;
            std::memcpy(&number, b.memory.data() + c.id() * 64, sizeof number);
            ASSERT_EQ(number, c.id() + 1000U * static_cast<unsigned>(round));
            pairs[c.id()].b.post_receive(b.memory.slice(c.id() * 64, 64), c.id()).value();
            ASSERT_EQ(a.next().status(), Status::success);
        }
    }
}

TEST_P(Queues, BlockedWaiterIsWoken) {
    apart();
    Pair pair = connect();
    for (int i = 0; i < 50; ++i) {
        pair.b.post_receive(b.memory.slice(0, 64), 1).value();
        std::thread sender([&] {
            if (i % 2 == 0)
                std::this_thread::yield();
            pair.a.post_send(a.memory.slice(0, 8), 2).value();
        });
        const CompletionBatch batch = b.queue.wait(kWatchdog, Wait::block);
        sender.join();
        ASSERT_EQ(batch.size(), 1U) << "round " << i;
        ASSERT_EQ(a.status_of(2), Status::success);
    }
}

TEST_P(Queues, DescriptorOfTheQueueWakesAnEventLoop) {
    Pair pair = connect();
    for (int i = 0; i < 20; ++i) {
        pair.b.post_receive(b.memory.slice(0, 64), 1).value();
        while (b.queue.arm())
            ASSERT_TRUE(b.queue.poll().empty());
        pair.a.post_send(a.memory.slice(0, 8), 2).value();
        pollfd entry{b.queue.fd(), POLLIN, 0};
        ASSERT_EQ(::poll(&entry, 1, 20'000), 1) << "round " << i;
        EXPECT_EQ(b.status_of(1), Status::success);
        EXPECT_EQ(a.status_of(2), Status::success);
    }
}

TEST_P(Queues, TwoThreadsWithTheirOwnQueuesDoNotDisturbEachOther) {
    apart();
    Party a2("a2", adapter.socket(), Access::local);
    Party b2("b2", adapter.socket(), Access::local);
    Pair one = connect(a, b);
    Pair two = connect(a2, b2);
    const auto stream = [](Party& from, Party& to, Pair& pair) {
        for (std::uint32_t i = 0; i < 5000; ++i) {
            std::memcpy(from.memory.data(), &i, sizeof i);
            pair.b.post_receive(to.memory.slice(0, 64), i).value();
            pair.a.post_send(from.memory.slice(0, 64), i).value();
            ASSERT_EQ(to.status_of(i), Status::success);
            ASSERT_EQ(from.status_of(i), Status::success);
            ASSERT_EQ(std::memcmp(to.memory.data(), &i, sizeof i), 0);
        }
    };
    std::thread other([&] { stream(a2, b2, two); });
    stream(a, b, one);
    other.join();
}

CW_FOR_EVERY_EXECUTOR(Queues);

}  // namespace
}  // namespace causeway::test
