// What the other end of a message queue, a pipe or of requests says in its greeting is not
// believed: it neither makes this end write beyond its buffers, nor go in circles, nor take memory
// that nobody has allowed it.
#include <gtest/gtest.h>

#include <array>
#include <causeway/abi/ipc.hpp>
#include <causeway/ipc.hpp>
#include <chrono>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/live_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using abi::IpcKind;
using ipc::kNow;

constexpr std::uint32_t kOffered = 4096;  // bytes of a message, by all that listen here
constexpr std::uint32_t kDepth = 8;

template<typename F>
void until(F&& f) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!f()) {
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error("did not come about within the watchdog's time");
    }
}

// An end that says what it likes, over a queue pair of its own.
class Hostile {
public:
    explicit Hostile(const std::string& socket)
        : partition(Partition::attach("hostile", {.socket = socket}).value()),
          queue_(partition.create_completion_queue(64).value()),
          memory_(partition.allocate(4096).value()) {}

    [[nodiscard]] QueuePair pair() {
        QueuePairOptions options{.completions = queue_};
        options.executor = "adapter";
        QueuePair made = partition.create_queue_pair(options).value();
        for (int i = 0; i < 16; ++i)
            made.post_receive(memory_.slice(2048, 1024), 0).value();
        return made;
    }
    void say(QueuePair& to, const abi::Greeting& greeting,
             std::uint32_t length = sizeof(abi::Greeting)) {
        std::memcpy(memory_.data(), &greeting, sizeof greeting);
        to.post_send(memory_.slice(0, length), 1).value();
    }

    Partition partition;

private:
    CompletionQueue queue_;
    Region memory_;
};

[[nodiscard]] abi::Greeting honest(IpcKind kind) {
    abi::Greeting greeting{};
    greeting.magic = abi::kGreetingMagic;
    greeting.version = abi::kIpcVersion;
    greeting.kind = static_cast<std::uint16_t>(kind);
    greeting.largest = kOffered;
    greeting.window = kDepth;
    greeting.largest_answer = kind == IpcKind::requests ? kOffered : 0;
    return greeting;
}

struct Lie {
    const char* name;
    std::function<void(abi::Greeting&)> tell;
    ErrorCode answer = ErrorCode::protocol;
};
const std::vector<Lie>& lies() {
    static const std::vector<Lie> all = {
        {"magic", [](auto& g) { g.magic ^= 1; }},
        {"version", [](auto& g) { g.version = 2; }, ErrorCode::version},
        {"kind", [](auto& g) { g.kind ^= 7; }},
        {"no window", [](auto& g) { g.window = 0; }},
        {"a window beyond all", [](auto& g) { g.window = UINT32_MAX; }},
        {"messages beyond all", [](auto& g) { g.largest = UINT32_MAX; }},
        {"answers beyond all", [](auto& g) { g.largest_answer = (64U << 20) + 1; }},
        {"reserved", [](auto& g) { g.reserved[2] = 1; }},
    };
    return all;
}

class IpcGreeting : public testing::Test {
protected:
    [[nodiscard]] static ipc::Options options() {
        ipc::Options made;
        made.max_message = kOffered;
        made.depth = kDepth;
        made.executor = "adapter";
        return made;
    }
    [[nodiscard]] static ipc::Options unsaid() {
        ipc::Options made;
        made.executor = "adapter";
        return made;
    }
    // What comes of `use(end)`, for an end that `open` connects to somebody who greets like that.
    template<typename Open, typename Use>
    [[nodiscard]] Result<void> met_with(const abi::Greeting& greeting, Open&& open, Use&& use) {
        Listener listener = hostile.partition.listen("service").value();
        auto end = open("hostile/service").value();
        QueuePair pair = hostile.pair();
        listener.accept(pair, 20s).value();
        hostile.say(pair, greeting);
        Result<void> used;
        until([&] {
            used = use(end);
            return used.has_value() || used.error().code != ErrorCode::again;
        });
        return used;
    }
    [[nodiscard]] Result<void> sender_meets(const abi::Greeting& greeting,
                                            const ipc::Options& options) {
        return met_with(
            greeting,
            [&](const char* to) { return ipc::MessageSender::open(own, to, options, kNow); },
            [](auto& end) { return end.send("hello", kNow); });
    }
    [[nodiscard]] Result<void> pipe_meets(const abi::Greeting& greeting,
                                          const ipc::Options& options) {
        return met_with(
            greeting, [&](const char* to) { return ipc::Pipe::connect(own, to, options, kNow); },
            [](auto& end) -> Result<void> {
                const std::array<std::byte, 5> bytes{};
                const auto written = end.write(bytes, kNow);
                return written ? Result<void>() : Result<void>(tl::unexpected(written.error()));
            });
    }
    [[nodiscard]] Result<void> client_meets(const abi::Greeting& greeting,
                                            const ipc::Options& options) {
        return met_with(
            greeting,
            [&](const char* to) { return ipc::RequestClient::open(own, to, options, kNow); },
            [](auto& end) { return end.start("hello", 0, 20s); });
    }

    LiveAdapter adapter{LiveAdapter::Kind::forked};
    Partition own = Partition::attach("own", {.socket = adapter.socket()}).value();
    Hostile hostile{adapter.socket()};
};

TEST_F(IpcGreeting, ALieEndsTheConnectingEnd) {
    const auto check = [](const char* lie, ErrorCode expected, const Result<void>& met) {
        ASSERT_FALSE(met.has_value()) << lie;
        EXPECT_EQ(met.error().code, expected) << lie << ": " << met.error().text;
    };
    for (const Lie& lie : lies()) {
        abi::Greeting greeting = honest(IpcKind::message_queue);
        lie.tell(greeting);
        check(lie.name, lie.answer, sender_meets(greeting, options()));
        greeting = honest(IpcKind::pipe);
        lie.tell(greeting);
        check(lie.name, lie.answer, pipe_meets(greeting, options()));
        greeting = honest(IpcKind::requests);
        lie.tell(greeting);
        check(lie.name, lie.answer, client_meets(greeting, options()));
    }
    abi::Greeting greeting = honest(IpcKind::message_queue);
    greeting.largest = 0;
    check("messages of nothing", ErrorCode::protocol, sender_meets(greeting, options()));
    greeting.kind = static_cast<std::uint16_t>(IpcKind::pipe);
    check("pieces of nothing", ErrorCode::protocol, pipe_meets(greeting, options()));
    greeting = honest(IpcKind::requests);
    greeting.largest_answer = 0;
    check("answers of nothing", ErrorCode::protocol, client_meets(greeting, options()));
    // And where nothing is a lie:
    EXPECT_TRUE(sender_meets(honest(IpcKind::message_queue), options()));
    EXPECT_TRUE(pipe_meets(honest(IpcKind::pipe), options()));
    EXPECT_TRUE(client_meets(honest(IpcKind::requests), options()));
}

TEST_F(IpcGreeting, NobodyTakesMemoryBecauseTheOtherEndSaysSo) {
    const auto refused = [](const char* what, const Result<void>& met) {
        ASSERT_FALSE(met.has_value()) << what;
        EXPECT_EQ(met.error().code, ErrorCode::limit_reached) << met.error().text;
    };
    const auto large = [](IpcKind kind) {
        abi::Greeting greeting = honest(kind);
        greeting.largest = 64U << 20;
        return greeting;
    };
    refused("queue", sender_meets(large(IpcKind::message_queue), unsaid()));
    refused("pipe", pipe_meets(large(IpcKind::pipe), unsaid()));
    refused("requests", client_meets(large(IpcKind::requests), unsaid()));
    abi::Greeting answers = honest(IpcKind::requests);
    answers.largest_answer = kOffered + 1;
    ipc::Options limited = options();
    limited.max_answer = kOffered;
    refused("answers", client_meets(answers, limited));

    // Who has said how large its own are is not refused, and takes no more than for those.
    EXPECT_TRUE(sender_meets(large(IpcKind::message_queue), options()));
    EXPECT_TRUE(pipe_meets(large(IpcKind::pipe), options()));
    EXPECT_TRUE(client_meets(large(IpcKind::requests), limited));
}

TEST_F(IpcGreeting, TheRefusalSaysWhatToDo) {
    Listener listener = hostile.partition.listen("service").value();
    QueuePair pair = hostile.pair();
    abi::Greeting greeting = honest(IpcKind::message_queue);
    greeting.largest = 64U << 20;
    std::thread peer([&] {
        listener.accept(pair, 20s).value();
        hostile.say(pair, greeting);
    });
    const auto made = ipc::MessageSender::open(own, "hostile/service", unsaid(), 20s);
    peer.join();
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::limit_reached);
    EXPECT_NE(made.error().text.find("max_message"), std::string::npos) << made.error().text;
}

TEST_F(IpcGreeting, ALieEndsTheConnectionAtTheListeningEnd) {
    auto receiver = ipc::MessageReceiver::open(own, "queue", options()).value();
    auto server = ipc::RequestServer::open(own, "server", options()).value();
    for (const Lie& lie : lies()) {
        for (const IpcKind kind : {IpcKind::message_queue, IpcKind::requests}) {
            const bool queue = kind == IpcKind::message_queue;
            QueuePair pair = hostile.pair();
            pair.connect(queue ? "own/queue" : "own/server", 0ns).value();
            abi::Greeting greeting = honest(kind);
            lie.tell(greeting);
            bool said = false;
            until([&] {
                const auto code =
                    queue ? receiver.receive(kNow).error().code : server.next(kNow).error().code;
                EXPECT_EQ(code, ErrorCode::again) << lie.name;
                if (!said && pair.state() == QueuePair::State::connected) {
                    said = true;
                    hostile.say(pair, greeting);
                }
                return said && pair.state() == QueuePair::State::closed;
            });
        }
    }
    EXPECT_EQ(receiver.senders(), 0U);
    EXPECT_EQ(server.clients(), 0U);
}

TEST_F(IpcGreeting, APipeThatWasAcceptedSendsNoMoreThanItHasRoomFor) {
    auto listener = ipc::PipeListener::open(own, "pipe", options()).value();
    const std::vector<std::byte> much(1 << 20);
    // Pieces of nothing would go on for ever; larger ones than were offered do not fit.
    for (const std::uint32_t largest : {0U, kOffered + 1, 1U << 20, 64U << 20}) {
        QueuePair pair = hostile.pair();
        pair.connect("own/pipe", 0ns).value();
        auto accepted = listener.accept(20s).value();
        until([&] { return pair.state() == QueuePair::State::connected; });
        abi::Greeting greeting = honest(IpcKind::pipe);
        greeting.largest = largest;
        hostile.say(pair, greeting);
        ErrorCode code = ErrorCode::again;
        until([&] {
            const auto written = accepted.write(much, kNow);
            code = written ? ErrorCode::none : written.error().code;
            return code != ErrorCode::again;
        });
        EXPECT_EQ(code, ErrorCode::protocol) << largest;
    }
}

}  // namespace
}  // namespace causeway::test
