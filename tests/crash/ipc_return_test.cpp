// Message queues, pipes and requests go on over an adapter that is killed and comes back: nothing
// is lost or doubled, and whoever waits goes on by itself, in a call or on its descriptor.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <causeway/ipc.hpp>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "support/live_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using ipc::kNow;

constexpr auto kWatchdog = 30s;

enum class Waiting { in_calls, on_descriptor };

// What the processes of a test tell each other.
struct Shared {
    std::atomic<std::uint64_t> moved{0};  // messages that have arrived
    std::atomic<bool> stop{false};
};

void need(bool good, const std::string& what) {
    if (!good)
        throw std::runtime_error(what);
}

class IpcReturn : public testing::TestWithParam<std::tuple<const char*, Waiting>> {
protected:
    IpcReturn() {
        void* const page = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        shared = new (page) Shared;
    }
    ~IpcReturn() override {
        for (const pid_t child : children_) {
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
        }
        ::munmap(shared, sizeof(Shared));
    }

    [[nodiscard]] static ipc::Options options() {
        ipc::Options made;
        made.depth = 16;
        made.max_message = 1024;
        made.executor = std::get<0>(GetParam());
        return made;
    }
    [[nodiscard]] Partition attach(const std::string& name) const {
        return Partition::attach(name, {.socket = adapter.socket()}).value();
    }

    // Does `call(timeout)` until it has an outcome: waits in it, or on the object's descriptor.
    template<typename Object, typename F>
    static auto patiently(Object& object, F&& call) {
        if (std::get<1>(GetParam()) == Waiting::in_calls)
            return call(std::chrono::nanoseconds(kWatchdog));
        pollfd file{.fd = object.fd().value(), .events = POLLIN, .revents = 0};
        for (;;) {
            auto outcome = call(kNow);
            if (outcome.has_value() || outcome.error().code != ErrorCode::again)
                return outcome;
            need(::poll(&file, 1, std::chrono::milliseconds(kWatchdog).count()) == 1,
                 "nothing woke who waits on a descriptor");
        }
    }

    // A process that lives `life`.
    template<typename F>
    void start(F&& life) {
        const pid_t child = ::fork();
        if (child != 0) {
            children_.push_back(child);
            return;
        }
        try {
            life();
        } catch (const std::exception& e) {
            const std::string text = std::string(e.what()) + '\n';
            (void)!::write(STDERR_FILENO, text.data(), text.size());
            ::_exit(1);
        }
        ::_exit(0);
    }
    // All of them have ended well.
    void join() {
        const auto end = std::chrono::steady_clock::now() + kWatchdog;
        while (!children_.empty()) {
            int status = 0;
            const pid_t child = ::waitpid(children_.back(), &status, WNOHANG);
            if (child == 0) {
                ASSERT_LT(std::chrono::steady_clock::now(), end) << "an end does not end";
                ::poll(nullptr, 0, 1);
                continue;
            }
            children_.pop_back();
            EXPECT_EQ(status, 0);
        }
    }
    void await_moved(std::uint64_t count) {
        const auto end = std::chrono::steady_clock::now() + kWatchdog;
        while (shared->moved < count) {
            ASSERT_LT(std::chrono::steady_clock::now(), end)
                << "only " << shared->moved << " of " << count << " have arrived";
            for (const pid_t child : children_) {
                siginfo_t info{};
                ASSERT_EQ(::waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT), 0);
                ASSERT_EQ(info.si_pid, 0) << "an end has ended";
            }
            ::poll(nullptr, 0, 1);
        }
    }
    // Adapters die under the ends, which go on after each, and at last stop.
    void kill_adapters() {
        ASSERT_NO_FATAL_FAILURE(await_moved(50));
        for (int round = 0; round < 5; ++round) {
            adapter.kill();
            adapter.start_again();
            ASSERT_NO_FATAL_FAILURE(await_moved(shared->moved + 100)) << "round " << round;
        }
        shared->stop = true;
        join();
    }
    // Connects as soon as the other end has its service.
    template<typename F>
    static auto meet(F&& open) {
        for (;;) {
            auto made = open();
            if (made.has_value() || made.error().code != ErrorCode::not_found)
                return std::move(made).value();
            ::poll(nullptr, 0, 1);
        }
    }

    LiveAdapter adapter{LiveAdapter::Kind::program};
    Shared* shared = nullptr;

private:
    std::vector<pid_t> children_;
};
INSTANTIATE_TEST_SUITE_P(
    Ends, IpcReturn,
    testing::Combine(testing::Values("adapter", "direct"),
                     testing::Values(Waiting::in_calls, Waiting::on_descriptor)),
    [](const auto& each) {
        return std::string(std::get<0>(each.param)) +
               (std::get<1>(each.param) == Waiting::in_calls ? "_in_calls" : "_on_descriptor");
    });

[[nodiscard]] std::string message(std::uint64_t number) {
    return "message number " + std::to_string(number) + ", which is longer than what goes inline";
}

TEST_P(IpcReturn, AQueueGoesOn) {
    start([&] {
        Partition own = attach("receiver");
        auto receiver = ipc::MessageReceiver::open(own, "queue", options()).value();
        for (std::uint64_t n = 0;; ++n) {
            const auto got =
                patiently(receiver, [&](auto time) { return receiver.receive(time); }).value();
            if (got.text() == "the end")
                return;
            need(got.text() == message(n),
                 "not number " + std::to_string(n) + ": " + std::string(got.text()));
            ++shared->moved;
        }
    });
    start([&] {
        Partition own = attach("sender");
        auto sender = meet(
            [&] { return ipc::MessageSender::open(own, "receiver/queue", options(), kWatchdog); });
        for (std::uint64_t n = 0; !shared->stop; ++n) {
            patiently(sender, [&](auto time) { return sender.send(message(n), time); }).value();
        }
        patiently(sender, [&](auto time) { return sender.send("the end", time); }).value();
    });
    kill_adapters();
}

TEST_P(IpcReturn, APipeGoesOn) {
    constexpr std::size_t kPiece = 8000;  // less than a pipe holds
    const auto read = [](ipc::Pipe& pipe, std::span<std::byte> to) {
        std::size_t got = 0;
        while (got < to.size()) {
            const std::size_t more = patiently(pipe, [&](auto time) {
                                         return pipe.read(to.subspan(got), time);
                                     }).value();
            if (more == 0)
                break;
            got += more;
        }
        return got;
    };
    const auto write = [](ipc::Pipe& pipe, std::span<const std::byte> from) {
        while (!from.empty()) {
            from = from.subspan(
                patiently(pipe, [&](auto time) { return pipe.write(from, time); }).value());
        }
    };
    start([&] {
        Partition own = attach("echo");
        auto listener = ipc::PipeListener::open(own, "pipe", options()).value();
        auto pipe = patiently(listener, [&](auto time) { return listener.accept(time); }).value();
        std::vector<std::byte> piece(kPiece);
        while (read(pipe, piece) == piece.size())
            write(pipe, piece);
        pipe.shutdown().value();
    });
    start([&] {
        Partition own = attach("caller");
        auto pipe =
            meet([&] { return ipc::Pipe::connect(own, "echo/pipe", options(), kWatchdog); });
        std::vector<std::byte> piece(kPiece);
        std::vector<std::byte> back(kPiece);
        for (unsigned n = 0; !shared->stop; ++n) {
            for (std::size_t i = 0; i < piece.size(); ++i)
                piece[i] = static_cast<std::byte>(i * 7 + n * 13 + i / 251);
            write(pipe, piece);
            need(read(pipe, back) == back.size(), "the stream has ended");
            need(piece == back, "other bytes came back in round " + std::to_string(n));
            ++shared->moved;
        }
        pipe.shutdown().value();
        need(read(pipe, back) == 0, "more came back than was sent");
    });
    kill_adapters();
}

TEST_P(IpcReturn, RequestsGoOn) {
    start([&] {
        Partition own = attach("server");
        auto server = ipc::RequestServer::open(own, "echo", options()).value();
        for (;;) {
            auto asked = patiently(server, [&](auto time) { return server.next(time); }).value();
            const std::string text(asked.text());
            asked.reply("answer to " + text).value();
            if (text == "the end")
                return;
        }
    });
    start([&] {
        Partition own = attach("client");
        auto client = meet(
            [&] { return ipc::RequestClient::open(own, "server/echo", options(), kWatchdog); });
        const auto finish = [&](std::uint64_t n, const std::string& asked) {
            const auto answer =
                patiently(client, [&](auto time) { return client.finish(time); }).value();
            need(answer.ok() && answer.user() == n && answer.text() == "answer to " + asked,
                 "not the answer to " + asked);
        };
        constexpr std::uint64_t kOutstanding = 4;
        std::uint64_t asked = 0;
        std::uint64_t answered = 0;
        while (!shared->stop) {
            for (; asked < answered + kOutstanding; ++asked)
                client.start(message(asked), asked, kWatchdog).value();
            finish(answered, message(answered));
            ++answered;
            ++shared->moved;
        }
        for (; answered < asked; ++answered)
            finish(answered, message(answered));
        client.start("the end", 0, kWatchdog).value();
        finish(0, "the end");
    });
    kill_adapters();
}

// Nothing is under way, and nobody sends: who only waits comes back to each next adapter, and
// strangers find it there.
TEST_P(IpcReturn, WhoOnlyWaitsIsThereForNewOnes) {
    start([&] {
        Partition own = attach("receiver");
        auto receiver = ipc::MessageReceiver::open(own, "queue", options()).value();
        for (int n = 0; n < 6; ++n) {
            const auto got =
                patiently(receiver, [&](auto time) { return receiver.receive(time); }).value();
            need(got.sender() == "late" + std::to_string(n), "not of the one that was awaited");
            ++shared->moved;
        }
    });
    for (int n = 0; n < 6; ++n) {
        {
            Partition late = attach("late" + std::to_string(n));
            // It may not be back yet: that is waited for.
            auto sender = meet([&] {
                return ipc::MessageSender::open(late, "receiver/queue", options(), kWatchdog);
            });
            sender.send("hello", kWatchdog).value();
            if (n < 5) {
                ASSERT_NO_FATAL_FAILURE(await_moved(static_cast<std::uint64_t>(n) + 1));
            }
        }
        if (n < 5) {
            adapter.kill();
            adapter.start_again();
        }
    }
    join();
}

}  // namespace
}  // namespace causeway::test
