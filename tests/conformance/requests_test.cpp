// Requests and answers: order, deadlines, limits, readiness, and ends that go.
#include <atomic>
#include <causeway/ipc.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "conformance/ipc_fixture.hpp"

namespace causeway::test {
namespace {

using ipc::kNow;

class Requests : public Ipc {
protected:
    // Runs `serve` for each request on a thread of its own, until this goes.
    class Server {
    public:
        template<typename F>
        Server(Partition& partition, const ipc::Options& terms, F serve)
            : server_(ipc::RequestServer::open(partition, "server", terms).value()),
              thread_([this, serve] {
                  while (!stop_.load()) {
                      if (auto request = server_.next(1ms))
                          serve(*std::move(request));
                  }
              }) {}
        ~Server() {
            stop_.store(true);
            thread_.join();
        }

    private:
        ipc::RequestServer server_;
        std::atomic<bool> stop_{false};
        std::thread thread_;
    };
    [[nodiscard]] ipc::RequestClient client(std::uint32_t depth = 0) {
        return ipc::RequestClient::open(a.partition, "b/server", options(depth), kWatchdog).value();
    }
    struct Apart {
        ipc::RequestServer server;
        ipc::RequestClient client;
    };
    // Both ends in this thread.
    [[nodiscard]] Apart both(std::uint32_t depth = 0) {
        auto server = ipc::RequestServer::open(b.partition, "server", options(depth)).value();
        auto made = ipc::RequestClient::open(a.partition, "b/server", options(), kNow).value();
        until([&] {
            EXPECT_EQ(server.next(kNow).error().code, ErrorCode::again);
            return made.start("hello", 0, kWatchdog).has_value();
        });
        server.next(kWatchdog).value().reply("hello").value();
        EXPECT_EQ(made.finish(kWatchdog).value().text(), "hello");
        return {std::move(server), std::move(made)};
    }
};
CW_FOR_EVERY_EXECUTOR(Requests);

TEST_P(Requests, AreAnswered) {
    Server server(b.partition, options(), [](ipc::Request request) {
        const std::string text = "re: " + std::string(request.text());
        request.reply(text).value();
    });
    auto from = client();
    for (const std::size_t length : {0U, 1U, 28U, 29U, 64U, 4000U}) {
        const std::string text(length, 'q');
        const auto answer = from.call(text, kWatchdog).value();
        EXPECT_EQ(answer.text(), "re: " + text);
    }
    for (int i = 0; i < 2000; ++i)
        EXPECT_EQ(from.call(std::to_string(i), kWatchdog).value().text(),
                  "re: " + std::to_string(i));
}

TEST_P(Requests, AreAnsweredThoughTheServerGoesAtOnce) {
    constexpr std::uint64_t kRounds = 20;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
        std::optional<ipc::RequestClient> from;
        {
            Partition brief = Partition::attach("brief", {.socket = adapter.socket()}).value();
            auto server = ipc::RequestServer::open(brief, "server", options()).value();
            from = ipc::RequestClient::open(a.partition, "brief/server", options(), kNow).value();
            until([&] {
                EXPECT_EQ(server.next(kNow).error().code, ErrorCode::again);
                return from->start("hello", round, kWatchdog).has_value();
            });
            server.next(kWatchdog).value().reply(std::string(4000, 'a')).value();
        }
        const auto answer = from->finish(kWatchdog).value();
        EXPECT_EQ(answer.user(), round);
        EXPECT_TRUE(answer.text() == std::string(4000, 'a')) << name(answer.error());
        EXPECT_EQ(from->call("still?", kWatchdog).error().code, ErrorCode::peer_gone);
    }
}

TEST_P(Requests, AreAnsweredInAnyOrder) {
    auto [server, from] = both();
    for (std::uint64_t i = 0; i < 5; ++i)
        from.start("request " + std::to_string(i), i, kWatchdog).value();
    std::vector<ipc::Request> held;
    for (int i = 0; i < 5; ++i)
        held.push_back(server.next(kWatchdog).value());
    for (const std::size_t i : {3U, 0U, 4U, 1U, 2U}) {
        const std::string text = "answer to " + std::string(held[i].text());
        held[i].reply(text).value();
    }
    for (const std::uint64_t i : {3U, 0U, 4U, 1U, 2U}) {
        const auto answer = from.finish(kWatchdog).value();
        EXPECT_EQ(answer.user(), i);
        EXPECT_EQ(answer.text(), "answer to request " + std::to_string(i));
    }
    EXPECT_EQ(from.finish(kNow).error().code, ErrorCode::wrong_state);
}

TEST_P(Requests, EndAtTheirDeadline) {
    auto [server, from] = both();
    from.start("slow", 1, 5ms).value();
    from.start("patient", 2, kWatchdog).value();
    auto slow = server.next(kWatchdog).value();
    auto patient = server.next(kWatchdog).value();
    const auto late = from.finish(kWatchdog).value();
    EXPECT_EQ(late.user(), 1U);
    EXPECT_EQ(late.error(), ErrorCode::timed_out);
    slow.reply("too late").value();
    patient.reply("in time").value();
    const auto answer = from.finish(kWatchdog).value();
    EXPECT_EQ(answer.user(), 2U);
    EXPECT_EQ(answer.text(), "in time");
    EXPECT_EQ(from.finish(kNow).error().code, ErrorCode::wrong_state) << "the late one is dropped";
    EXPECT_EQ(from.call("nobody looks", 5ms).error().code, ErrorCode::timed_out);
}

// An answer that has come, but is looked at after the deadline, is late.
TEST_P(Requests, AreLateWhenTheyAreSeenLate) {
    auto [server, from] = both();
    from.start("question", 1, 30ms).value();
    const auto deadline = std::chrono::steady_clock::now() + 30ms;
    server.next(kWatchdog).value().reply("answer").value();
    std::this_thread::sleep_until(deadline + 1ms);
    EXPECT_EQ(from.finish(kWatchdog).value().error(), ErrorCode::timed_out);
}

TEST_P(Requests, ReuseNoNumberForALateAnswer) {
    auto [server, from] = both(2);
    for (std::uint64_t round = 0; round < 50; ++round) {
        from.start("first", round, 1ms).value();
        auto first = server.next(kWatchdog).value();
        EXPECT_EQ(from.finish(kWatchdog).value().error(), ErrorCode::timed_out);
        // The slot is free, the server still holds the request.
        from.start("second", 1000 + round, kWatchdog).value();
        auto second = server.next(kWatchdog).value();
        first.reply("of the first").value();
        second.reply("of the second").value();
        const auto answer = from.finish(kWatchdog).value();
        EXPECT_EQ(answer.user(), 1000 + round);
        EXPECT_EQ(answer.text(), "of the second");
    }
}

TEST_P(Requests, AreLimitedInNumber) {
    auto [server, from] = both(3);
    for (std::uint64_t i = 0; i < 3; ++i)
        from.start("request", i, kWatchdog).value();
    EXPECT_EQ(from.start("request", 3, kWatchdog).error().code, ErrorCode::again);
    EXPECT_EQ(from.call("request", 3ms).error().code, ErrorCode::timed_out);
    server.next(kWatchdog).value().reply("answer").value();
    const auto held = from.finish(kWatchdog).value();
    EXPECT_EQ(from.start("request", 3, kWatchdog).error().code, ErrorCode::again)
        << "its answer is held";
    EXPECT_EQ(held.text(), "answer");
}

TEST_P(Requests, AreAnsweredToEachClient) {
    Server server(b.partition, options(4), [](ipc::Request request) {
        const std::string text = std::string(request.client()) + ":" + std::string(request.text());
        (void)request.reply(text);
    });
    std::vector<std::jthread> threads;
    for (int n = 0; n < 4; ++n) {
        threads.emplace_back([&, n] {
            const std::string name = "c" + std::to_string(n);
            Partition own = Partition::attach(name, {.socket = adapter.socket()}).value();
            auto mine = ipc::RequestClient::open(own, "b/server", options(), kWatchdog).value();
            for (int i = 0; i < 500; ++i) {
                const std::string text = std::to_string(i);
                EXPECT_EQ(mine.call(text, kWatchdog).value().text(), name + ":" + text);
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
}

TEST_P(Requests, SayThatNobodyAnswers) {
    auto [server, from] = both();
    from.start("unwanted", 1, kWatchdog).value();
    server.next(kWatchdog).value().drop();
    EXPECT_EQ(from.finish(kWatchdog).value().error(), ErrorCode::unsupported);
    // Let go without a word: the same.
    from.start("forgotten", 2, kWatchdog).value();
    auto held = server.next(kWatchdog).value();
    held = ipc::Request();
    EXPECT_EQ(from.finish(kWatchdog).value().error(), ErrorCode::unsupported);
    from.start("to nobody", 3, kWatchdog).value();
    server = ipc::RequestServer(nullptr);
    EXPECT_EQ(from.finish(kWatchdog).value().error(), ErrorCode::peer_gone);
    EXPECT_EQ(from.call("gone", kWatchdog).error().code, ErrorCode::peer_gone);
}

TEST_P(Requests, OfAClientThatWentAreAnsweredToNobody) {
    auto [server, from] = both();
    from.start("question", 1, kWatchdog).value();
    auto held = server.next(kWatchdog).value();
    from = ipc::RequestClient(nullptr);
    until([&server = server] {
        EXPECT_FALSE(server.next(kNow).has_value());
        return server.clients() == 0;
    });
    EXPECT_EQ(held.text(), "question");
    EXPECT_EQ(held.reply("answer").error().code, ErrorCode::peer_gone);
}

TEST_P(Requests, ShowReadinessAtOneDescriptor) {
    auto [server, from] = both(1);
    const int asked = server.fd().value();
    const int answered = from.fd().value();
    while (readable(asked))
        EXPECT_EQ(server.next(kNow).error().code, ErrorCode::again);
    from.start("question", 1, kWatchdog).value();
    EXPECT_TRUE(readable(asked, kSoon));
    auto held = server.next(kNow).value();
    while (readable(answered))
        EXPECT_EQ(from.finish(kNow).error().code, ErrorCode::again);
    EXPECT_FALSE(readable(answered, 20ms));
    held.reply("answer").value();
    EXPECT_TRUE(readable(answered, kSoon));
    EXPECT_EQ(from.finish(kNow).value().text(), "answer");
    // A deadline shows there, too.
    from.start("unanswered", 2, 30ms).value();
    EXPECT_EQ(from.finish(kNow).error().code, ErrorCode::again);
    EXPECT_TRUE(readable(answered, kSoon));
    until([&from = from] {
        auto outcome = from.finish(kNow);
        return outcome && outcome->error() == ErrorCode::timed_out;
    });
}

TEST_P(Requests, RefuseBadArguments) {
    auto [server, from] = both();
    EXPECT_EQ(from.call(std::string(5000, 'x'), kNow).error().code, ErrorCode::invalid_argument);
    from.start("question", 1, kWatchdog).value();
    auto request = server.next(kWatchdog).value();
    EXPECT_EQ(request.reply(std::string(5000, 'x')).error().code, ErrorCode::invalid_argument);
    request.reply("short enough").value();
    EXPECT_EQ(from.finish(kWatchdog).value().text(), "short enough");
    cw_request none{};
    EXPECT_EQ(cw_rpc_reply(server.raw(), &none, "", 0), CW_ERROR_INVALID_ARGUMENT);
    cw_answer answer{};
    answer.token = 12345;
    EXPECT_EQ(cw_rpc_release(from.raw(), &answer), CW_ERROR_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace causeway::test
