// Message queues: order, back-pressure, views, readiness, and ends that go.
#include <unistd.h>

#include <atomic>
#include <causeway/ipc.hpp>
#include <thread>
#include <vector>

#include "conformance/ipc_fixture.hpp"

namespace causeway::test {
namespace {

using ipc::kNow;

class MessageQueues : public Ipc {
protected:
    [[nodiscard]] ipc::MessageReceiver receiver(const ipc::Options& terms,
                                                const std::string& service = "queue") {
        return ipc::MessageReceiver::open(b.partition, service, terms).value();
    }
    // A sender, let in by `at`, which has nothing to receive yet.
    [[nodiscard]] ipc::MessageSender sender(ipc::MessageReceiver& at, const ipc::Options& terms,
                                            const std::string& target = "b/queue") {
        const std::uint32_t before = at.senders();
        auto made = ipc::MessageSender::open(a.partition, target, terms, kNow).value();
        until([&] {
            EXPECT_EQ(at.receive(kNow).error().code, ErrorCode::again);
            (void)made.send(std::string(1 << 20, 'x'), kNow);  // looks; far too long to be sent
            return at.senders() == before + 1;
        });
        return made;
    }
    [[nodiscard]] static std::string text_of(Result<ipc::Message> message) {
        return message ? std::string(message->text()) : "error: " + message.error().text;
    }
};
CW_FOR_EVERY_EXECUTOR(MessageQueues);

TEST_P(MessageQueues, CarryMessagesOfEverySize) {
    auto to = receiver(options(0, 10000));
    auto from = sender(to, options());
    EXPECT_EQ(from.max_message(), 10000U);
    for (const std::size_t length : {0U, 1U, 31U, 32U, 33U, 64U, 4096U, 10000U}) {
        const std::string text(length, static_cast<char>('a' + length % 26));
        from.send(text, kWatchdog).value();
        auto message = to.receive(kWatchdog).value();
        EXPECT_EQ(message.text(), text);
        EXPECT_EQ(message.sender(), "a");
    }
    const auto refused = from.send(std::string(10001, 'x'), kNow);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(refused.error().text.find("10001"), std::string::npos) << refused.error().text;
}

TEST_P(MessageQueues, KeepTheOrderOfEachOfManySenders) {
    constexpr std::uint32_t kSenders = 5;
    constexpr std::uint32_t kEach = 3000;
    auto to = receiver(options(16, 64));
    std::vector<std::jthread> threads;
    for (std::uint32_t n = 0; n < kSenders; ++n) {
        threads.emplace_back([&, n] {
            Partition own =
                Partition::attach("s" + std::to_string(n), {.socket = adapter.socket()}).value();
            auto from = ipc::MessageSender::open(own, "b/queue", options(), kWatchdog).value();
            for (std::uint32_t i = 0; i < kEach; ++i) {
                const std::uint32_t words[12] = {n, i};  // 48 bytes
                from.send(std::as_bytes(std::span(words)), kWatchdog).value();
            }
        });
    }
    std::vector<std::uint32_t> next(kSenders);
    for (std::uint32_t i = 0; i < kSenders * kEach; ++i) {
        const auto message = to.receive(kWatchdog).value();
        std::uint32_t words[2];
        ASSERT_EQ(message.bytes().size(), 48U);
        std::memcpy(words, message.bytes().data(), sizeof words);
        ASSERT_LT(words[0], kSenders);
        ASSERT_EQ(words[1], next[words[0]]++);
        ASSERT_EQ(message.sender(), "s" + std::to_string(words[0]));
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(to.receive(kNow).error().code, ErrorCode::again);
}

TEST_P(MessageQueues, PushBackInTheMannerChosen) {
    auto to = receiver(options(8, 64));
    auto from = sender(to, options());
    for (int i = 0; i < 8; ++i)
        from.send(std::to_string(i), kNow).value();
    EXPECT_EQ(from.send("8", kNow).error().code, ErrorCode::again);
    EXPECT_EQ(from.send("8", 5ms).error().code, ErrorCode::timed_out);
    std::atomic<pid_t> waiting{0};
    std::jthread blocked([&] {
        waiting = ::gettid();
        from.send("8", ipc::kForever).value();
    });
    until([&] { return waiting != 0 && asleep(waiting); });
    for (int i = 0; i < 9; ++i)
        EXPECT_EQ(text_of(to.receive(kWatchdog)), std::to_string(i));
    blocked.join();
}

TEST_P(MessageQueues, TakeTheSmallerDepthOfBothEnds) {
    auto to = receiver(options(64, 64));
    auto from = sender(to, options(2));
    for (int round = 0; round < 100; ++round) {
        from.send("one", kWatchdog).value();
        from.send("two", kWatchdog).value();
        EXPECT_EQ(from.send("three", kNow).error().code, ErrorCode::again);
        EXPECT_EQ(text_of(to.receive(kWatchdog)), "one");
        EXPECT_EQ(text_of(to.receive(kWatchdog)), "two");
    }
}

TEST_P(MessageQueues, EndAWaitInTime) {
    auto to = receiver(options());
    EXPECT_EQ(to.receive(kNow).error().code, ErrorCode::again);
    EXPECT_EQ(to.receive(3ms).error().code, ErrorCode::timed_out);
    const auto lonely = ipc::MessageSender::open(a.partition, "b/queue", options(), 3ms);
    ASSERT_FALSE(lonely);
    EXPECT_EQ(lonely.error().code, ErrorCode::timed_out);
}

// The receiver has let it in, and looks again only when it has gone for good.
TEST_P(MessageQueues, DeliverWhatOneSentThatHasGoneSince) {
    auto to = receiver(options(8, 64));
    {
        Partition brief = Partition::attach("brief", {.socket = adapter.socket()}).value();
        auto from = ipc::MessageSender::open(brief, "b/queue", options(), kNow).value();
        until([&] {
            if (from.receivers() == 0) {
                EXPECT_EQ(to.receive(kNow).error().code, ErrorCode::again);
            }
            return from.send("a few words", kNow).has_value();
        });
        from.send("and more of them, which do not go inline", kNow).value();
    }
    until([&] {
        const auto gone = ipc::MessageSender::open(a.partition, "brief/none", options(), kNow);
        return gone.error().text.find("not attached") != std::string::npos;
    });
    EXPECT_EQ(text_of(to.receive(kWatchdog)), "a few words");
    EXPECT_EQ(text_of(to.receive(kWatchdog)), "and more of them, which do not go inline");
    until([&] {
        EXPECT_EQ(to.receive(kNow).error().code, ErrorCode::again);
        return to.senders() == 0;
    });
}

TEST_P(MessageQueues, LetViewsBeHeldAndReleasedInAnyOrder) {
    constexpr int kDepth = 8;
    auto to = receiver(options(kDepth, 64));
    auto from = sender(to, options());
    std::vector<ipc::Message> held;
    for (int i = 0; i < kDepth; ++i) {
        from.send("held " + std::to_string(i), kNow).value();
        held.push_back(to.receive(kWatchdog).value());
    }
    EXPECT_EQ(from.send("more", kNow).error().code, ErrorCode::again) << "all buffers are held";
    // Each one released lets one through, whichever it is.
    for (const int i : {5, 0, 7, 2}) {
        held[static_cast<std::size_t>(i)].release();
        from.send("through", kWatchdog).value();
        EXPECT_EQ(text_of(to.receive(kWatchdog)), "through");
    }
    // One that is held for good costs its own buffer only.
    held[1].release(), held[4].release(), held[6].release();
    for (int i = 0; i < 500; ++i) {
        from.send("many", kWatchdog).value();
        EXPECT_EQ(text_of(to.receive(kWatchdog)), "many");
    }
    EXPECT_EQ(held[3].text(), "held 3");
}

TEST_P(MessageQueues, RefuseAReleaseThatIsNone) {
    auto to = receiver(options());
    auto from = sender(to, options());
    from.send("once", kWatchdog).value();
    cw_message message;
    ASSERT_EQ(cw_mq_receive(to.raw(), &message, 1'000'000'000), CW_OK);
    cw_message copy = message;
    EXPECT_EQ(cw_mq_release(to.raw(), &message), CW_OK);
    EXPECT_EQ(cw_mq_release(to.raw(), &message), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_mq_release(to.raw(), &copy), CW_ERROR_INVALID_ARGUMENT);
}

TEST_P(MessageQueues, SpreadOverReceiversThatHaveRoom) {
    auto one = receiver(options(4, 64), "one");
    auto two = receiver(options(4, 64), "two");
    auto from = sender(one, options(), "b/one");
    std::jthread letting_in([&] { from.add("b/two", kWatchdog).value(); });
    until([&] {
        EXPECT_FALSE(two.receive(1ms).has_value());
        return two.senders() == 1;
    });
    letting_in.join();
    EXPECT_EQ(from.receivers(), 2U);
    for (int i = 0; i < 8; ++i)
        from.send(std::to_string(i), kNow).value();
    EXPECT_EQ(from.send("8", kNow).error().code, ErrorCode::again);
    // One of them does not receive: the other gets all that follows.
    std::vector<bool> seen(20);
    for (int i = 8; i < 20; ++i) {
        auto message = two.receive(kWatchdog).value();
        seen[static_cast<std::size_t>(std::stoi(std::string(message.text())))] = true;
        message.release();
        from.send(std::to_string(i), kWatchdog).value();
    }
    for (auto* queue : {&one, &two}) {
        for (int i = 0; i < 4; ++i)
            seen[static_cast<std::size_t>(std::stoi(text_of(queue->receive(kWatchdog))))] = true;
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 20);
    // One of them goes: the other one gets everything.
    one = ipc::MessageReceiver(nullptr);
    for (int i = 0; i < 10; ++i) {
        from.send("on", kWatchdog).value();
        // What was sent to the one that went before that was known is lost.
        (void)two.receive(5ms);
    }
    until([&] {
        (void)two.receive(kNow);
        return from.send("on", kNow).has_value() && from.receivers() == 1;
    });
}

TEST_P(MessageQueues, ShowReadinessAtOneDescriptor) {
    auto to = receiver(options(4, 64));
    const int fd = to.fd().value();
    while (to.receive(kNow).has_value() || readable(fd)) {}
    EXPECT_FALSE(readable(fd, 50ms)) << "nothing to do";
    // Who wants to send wakes it.
    auto from = ipc::MessageSender::open(a.partition, "b/queue", options(), kNow).value();
    const int room = from.fd().value();
    EXPECT_TRUE(readable(fd, kSoon));
    until([&] {
        EXPECT_EQ(to.receive(kNow).error().code, ErrorCode::again);
        return from.send("first", kNow).has_value();
    });
    // It may be readable for what came with the connection, before the message is there.
    until([&] { return readable(fd, kSoon) && text_of(to.receive(kNow)) == "first"; });
    // Room that was given back may still be on its way.
    until([&] {
        while (from.send("fill", kNow).has_value()) {}
        return !readable(room, 50ms);
    });
    std::uint32_t got = 0;
    until([&] {
        while (to.receive(kNow).has_value())
            ++got;
        return got >= 4U;
    });
    EXPECT_TRUE(readable(room, kSoon)) << "room again";
    until([&] { return from.send("again", kNow).has_value(); });
    EXPECT_TRUE(readable(fd, kSoon));
}

// No wake-ups without cause: a loop that sleeps on the descriptor comes by about once per message.
TEST_P(MessageQueues, DoNotSpinAnEventLoop) {
    constexpr int kMessages = 200;
    auto to = receiver(options(0, 64));
    const int fd = to.fd().value();
    auto from = sender(to, options());
    std::jthread other([&] {
        for (int i = 0; i < kMessages; ++i) {
            std::this_thread::sleep_for(200us);
            from.send("message", kWatchdog).value();
        }
    });
    int got = 0;
    int rounds = 0;
    while (got < kMessages && readable(fd, kSoon)) {
        ++rounds;
        while (to.receive(kNow).has_value())
            ++got;
    }
    other.join();
    EXPECT_EQ(got, kMessages);
    EXPECT_LE(rounds, 3 * kMessages);
    EXPECT_FALSE(readable(fd, 20ms));
}

TEST_P(MessageQueues, SendAllBeforeAnEndIsClosed) {
    auto to = receiver(options(128, 5000));
    auto from = sender(to, options());
    for (int i = 0; i < 100; ++i)
        from.send(std::string(static_cast<std::size_t>(i) * 50, 'x'), kNow).value();
    from = ipc::MessageSender(nullptr);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(text_of(to.receive(kWatchdog)).size(), static_cast<std::size_t>(i) * 50);
    until([&] {
        EXPECT_FALSE(to.receive(kNow).has_value());
        return to.senders() == 0;
    });
}

TEST_P(MessageQueues, SayThatTheReceiverHasGone) {
    auto to = std::make_unique<ipc::MessageReceiver>(receiver(options(4, 64)));
    auto from = sender(*to, options());
    from.send("one", kWatchdog).value();
    to.reset();
    ErrorCode code = ErrorCode::none;
    until([&] {
        const auto sent = from.send("two", 1ms);
        code = sent ? ErrorCode::none : sent.error().code;
        return code != ErrorCode::none && code != ErrorCode::timed_out;
    });
    EXPECT_EQ(code, ErrorCode::peer_gone);
}

TEST_P(MessageQueues, KeepAViewOfASenderThatHasGone) {
    auto to = receiver(options(4, 64));
    auto from = sender(to, options());
    from.send("last words, of more than 32 bytes, to be kept", kWatchdog).value();
    auto kept = to.receive(kWatchdog).value();
    from = ipc::MessageSender(nullptr);
    until([&] {
        EXPECT_FALSE(to.receive(kNow).has_value());
        return to.senders() == 0;
    });
    auto next = sender(to, options());
    next.send("another", kWatchdog).value();
    EXPECT_EQ(text_of(to.receive(kWatchdog)), "another");
    EXPECT_EQ(kept.text(), "last words, of more than 32 bytes, to be kept");
}

TEST_P(MessageQueues, RefuseBadArguments) {
    const auto code_of = [&](const ipc::Options& terms) {
        return ipc::MessageReceiver::open(b.partition, "bad", terms).error().code;
    };
    EXPECT_EQ(code_of(options(20000)), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(options(0, 1U << 30)), ErrorCode::invalid_argument);
    EXPECT_EQ(ipc::MessageReceiver::open(b.partition, "no/name", options()).error().code,
              ErrorCode::invalid_argument);
    EXPECT_EQ(ipc::MessageSender::open(a.partition, "b/nobody", options()).error().code,
              ErrorCode::not_found);
    auto to = receiver(options());
    EXPECT_EQ(ipc::MessageReceiver::open(b.partition, "queue", options()).error().code,
              ErrorCode::name_in_use);
    cw_mq_sender* none = nullptr;
    EXPECT_EQ(cw_mq_sender_open(a.partition.raw(), nullptr, nullptr, 0, &none),
              CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_mq_send(nullptr, "", 0, 0), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_mq_receive(to.raw(), nullptr, 0), CW_ERROR_INVALID_ARGUMENT);
    cw_ipc_options odd{};
    EXPECT_EQ(cw_mq_sender_open(a.partition.raw(), "b/queue", &odd, 0, &none),
              CW_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(std::string(cw_error_text()).find("sizeof(cw_ipc_options)"), std::string::npos);
}

// Connecting the wrong kind of thing is an error on both sides, and disturbs nobody else.
TEST_P(MessageQueues, AreNoServersOfRequests) {
    auto to = receiver(options());
    auto from = sender(to, options());
    std::jthread stranger([&] {
        const auto wrong = ipc::RequestClient::open(a.partition, "b/queue", options(), kWatchdog);
        ASSERT_FALSE(wrong);
        EXPECT_EQ(wrong.error().code, ErrorCode::protocol) << wrong.error().text;
    });
    EXPECT_EQ(to.receive(100ms).error().code, ErrorCode::timed_out);
    stranger.join();
    from.send("still here", kWatchdog).value();
    EXPECT_EQ(text_of(to.receive(kWatchdog)), "still here");
}

}  // namespace
}  // namespace causeway::test
