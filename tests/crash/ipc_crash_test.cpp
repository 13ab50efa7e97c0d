// One end of a message queue, a pipe or a request is killed: an ordinary error on that connection,
// and on no other.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <causeway/ipc.hpp>
#include <cstring>

#include "support/live_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using ipc::kNow;

constexpr auto kWatchdog = 20s;

class IpcCrash : public testing::TestWithParam<const char*> {
protected:
    [[nodiscard]] ipc::Options options() const {
        ipc::Options made;
        made.depth = 16;
        made.executor = GetParam();
        return made;
    }
    [[nodiscard]] Partition attach(const std::string& name) const {
        return Partition::attach(name, {.socket = adapter.socket()}).value();
    }
    // A process that does `life`, and then waits to be killed.
    template<typename F>
    [[nodiscard]] static pid_t start(F&& life) {
        const pid_t child = ::fork();
        if (child != 0)
            return child;
        try {
            life();
        } catch (const BadResult& bad) {
            (void)!::write(STDERR_FILENO, bad.what(), std::strlen(bad.what()));
        }
        for (;;)
            ::pause();
    }
    static void kill(pid_t child) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
    template<typename F>
    static void until(F&& f) {
        const auto end = std::chrono::steady_clock::now() + kWatchdog;
        while (!f())
            ASSERT_LT(std::chrono::steady_clock::now(), end) << "the watchdog's time is over";
    }

    LiveAdapter adapter{LiveAdapter::Kind::forked};
};
INSTANTIATE_TEST_SUITE_P(Executors, IpcCrash, testing::Values("adapter", "direct"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(IpcCrash, AQueueGoesOnWhenASenderDies) {
    Partition own = attach("receiver");
    auto receiver = ipc::MessageReceiver::open(own, "queue", options()).value();
    const pid_t dying = start([&] {
        Partition mine = attach("dying");
        auto sender =
            ipc::MessageSender::open(mine, "receiver/queue", options(), kWatchdog).value();
        for (;;)
            sender.send("a message of more than thirty-two bytes", kWatchdog).value();
    });
    Partition other = attach("other");
    int from_dying = 0;
    while (from_dying < 100) {
        const auto message = receiver.receive(kWatchdog).value();
        ASSERT_EQ(message.text(), "a message of more than thirty-two bytes");
        ++from_dying;
    }
    kill(dying);
    until([&] {
        while (auto message = receiver.receive(kNow))
            EXPECT_EQ(message->text(), "a message of more than thirty-two bytes");
        return receiver.senders() == 0;
    });
    auto sender = ipc::MessageSender::open(other, "receiver/queue", options(), kNow).value();
    for (int i = 0; i < 200; ++i) {
        until([&] {
            (void)receiver.receive(kNow);
            return sender.send("on", kNow).has_value();
        });
    }
    EXPECT_EQ(receiver.senders(), 1U);
}

TEST_P(IpcCrash, ASenderLearnsThatItsReceiverDied) {
    const pid_t dying = start([&] {
        Partition mine = attach("dying");
        auto receiver = ipc::MessageReceiver::open(mine, "queue", options()).value();
        for (;;)
            (void)receiver.receive(kWatchdog).value();
    });
    Partition own = attach("sender");
    Result<ipc::MessageSender> sender = ipc::MessageSender::open(own, "dying/queue", options());
    until([&] {
        if (!sender && sender.error().code == ErrorCode::not_found)
            sender = ipc::MessageSender::open(own, "dying/queue", options());
        return sender.has_value() || sender.error().code != ErrorCode::not_found;
    });
    ASSERT_TRUE(sender) << sender.error().text;
    for (int i = 0; i < 100; ++i)
        sender->send("message", kWatchdog).value();
    kill(dying);
    ErrorCode code = ErrorCode::none;
    until([&] {
        const auto sent = sender->send("message", 10ms);
        code = sent ? ErrorCode::none : sent.error().code;
        return code != ErrorCode::none && code != ErrorCode::timed_out;
    });
    EXPECT_EQ(code, ErrorCode::peer_gone);
}

TEST_P(IpcCrash, ARequestEndsWhenItsServerDies) {
    const pid_t dying = start([&] {
        Partition mine = attach("dying");
        auto server = ipc::RequestServer::open(mine, "server", options()).value();
        server.next(kWatchdog).value().reply("yes").value();
        const auto held = server.next(kWatchdog).value();
        for (;;)
            ::pause();
    });
    Partition own = attach("client");
    Result<ipc::RequestClient> client = ipc::RequestClient::open(own, "dying/server", options());
    until([&] {
        if (!client && client.error().code == ErrorCode::not_found)
            client = ipc::RequestClient::open(own, "dying/server", options());
        return client.has_value() || client.error().code != ErrorCode::not_found;
    });
    ASSERT_TRUE(client) << client.error().text;
    EXPECT_EQ(client->call("there?", kWatchdog).value().text(), "yes");
    client->start("and now?", 7).value();
    EXPECT_EQ(client->finish(20ms).error().code, ErrorCode::timed_out);
    kill(dying);
    const auto outcome = client->finish(kWatchdog).value();
    EXPECT_EQ(outcome.error(), ErrorCode::peer_gone);
    EXPECT_EQ(outcome.user(), 7U);
    EXPECT_EQ(client->call("still?", kWatchdog).error().code, ErrorCode::peer_gone);
}

TEST_P(IpcCrash, APipeEndsWithWhatHadArrived) {
    Partition own = attach("reader");
    auto listener = ipc::PipeListener::open(own, "pipe", options()).value();
    const pid_t dying = start([&] {
        Partition mine = attach("dying");
        auto pipe = ipc::Pipe::connect(mine, "reader/pipe", options(), kWatchdog).value();
        const std::string text(100, 'z');
        if (pipe.write(std::as_bytes(std::span(text)), kWatchdog).value() != text.size())
            ::_exit(1);
        // No end of the stream; to be killed while it waits for an answer.
        std::byte answer[8];
        (void)pipe.read(answer, kWatchdog);
    });
    auto pipe = listener.accept(kWatchdog).value();
    std::byte in[256];
    std::size_t got = 0;
    while (got < 100)
        got += pipe.read(std::span(in).subspan(got), kWatchdog).value();
    kill(dying);
    const auto more = pipe.read(in, kWatchdog);
    ASSERT_FALSE(more.has_value());
    EXPECT_EQ(more.error().code, ErrorCode::peer_gone) << more.error().text;
}

}  // namespace
}  // namespace causeway::test
