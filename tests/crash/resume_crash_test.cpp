// The adapter is killed again and again under load, and started anew. Its partitions go on by
// themselves: every descriptor ends once, every byte is right, and nothing stays behind.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <causeway/causeway.hpp>
#include <chrono>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/live_adapter.hpp"
#include "support/message.hpp"
#include "support/random.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kLargest = Message::kLargest;
constexpr std::uint32_t kReceives = 32;
constexpr std::uint32_t kSlots = 2 * kReceives;  // of the window: none is used again unverified
constexpr std::uint64_t kAppended = 100'000;     // messages; later ones are sent instead
constexpr std::size_t kLog = 48 << 20;           // room for those of them that are appended
constexpr auto kLong = 60s;
constexpr Access kOpen =
    Access::exportable | Access::remote_write | Access::remote_read | Access::append;

// One direction, from one partition to another, each in a thread of its own.
class Stream {
public:
    Stream(const std::string& from_socket, const std::string& to_socket, const std::string& name,
           const char* executor, std::uint64_t seed, Wait how)
        : seed_(seed),
          how_(how),
          executor_(executor),
          from_(Partition::attach(
                    from_socket.find("/named") == std::string::npos ? name + "-from" : "",
                    {from_socket, kLong})
                    .value()),
          to_(Partition::attach(name + "-to", {to_socket, kLong}).value()),
          source_(from_.allocate(kSends * kLargest, kOpen).value()),
          target_(to_.allocate(kReceives * kLargest, kOpen).value()),
          window_(to_.allocate(std::size_t{kSlots} * kLargest, kOpen).value()),
          log_(to_.allocate(kLog, Access::append | Access::remote_write).value()),
          from_queue_(from_.create_completion_queue(256).value()),
          to_queue_(to_.create_completion_queue(256).value()),
          from_pair_(from_.create_queue_pair(options(from_queue_)).value()),
          to_pair_(to_.create_queue_pair(options(to_queue_)).value()),
          listener_(to_.listen("door").value()) {
        from_pair_.connect(name + "-to/door", 0ns).value();
        listener_.accept(to_pair_, 30s).value();
        sender_ = std::thread([this] { send(); });
        receiver_ = std::thread([this] { receive(); });
    }
    // Sends no more; all that was sent arrives.
    void finish() {
        stop_ = true;
        sender_.join();
        receiver_.join();
    }
    [[nodiscard]] std::uint64_t sent() const { return sent_.load(); }

private:
    static constexpr std::uint32_t kSends = 16;

    [[nodiscard]] QueuePairOptions options(CompletionQueue& queue) const {
        QueuePairOptions options{.completions = queue};
        options.send_entries = 64;
        options.receive_entries = kReceives;
        options.executor = executor_;
        return options;
    }
    [[nodiscard]] bool appends() const { return std::strcmp(executor_, "adapter") == 0; }
    [[nodiscard]] Message message(std::uint64_t n) const {
        Message m(seed_, n);
        // A log of more than one executor needs records, which others test.
        if (m.kind == Message::Kind::append && (!appends() || n >= kAppended))
            m.kind = Message::Kind::send;
        return m;
    }

    void send() {
        std::map<std::uint64_t, Message> outstanding;
        std::uint64_t n = 0;
        while (!stop_ || !outstanding.empty()) {
            while (!stop_ && outstanding.size() < kSends) {
                Message m = message(n);
                const std::size_t at = n % kSends * kLargest;
                if (outstanding.count(n - kSends) != 0)
                    break;
                m.fill(static_cast<std::byte*>(source_.data()) + at);
                const Slice slice = source_.slice(at, m.length);
                Result<void> posted;
                if (m.kind == Message::Kind::append) {
                    appended_ += m.length;
                    posted = from_pair_.post_append(slice, log_.remote(), n);
                } else if (m.kind == Message::Kind::write) {
                    posted = from_pair_.post_write(
                        slice, window_.remote(std::size_t{consuming_ % kSlots} * kLargest), n,
                        Immediate{static_cast<std::uint32_t>(n)});
                    ++consuming_;
                } else {
                    posted = from_pair_.post_send(slice, n);
                    ++consuming_;
                }
                ASSERT_TRUE(posted.has_value()) << posted.error().text;
                outstanding.emplace(n++, m);
                sent_ = n;
            }
            const CompletionBatch batch = from_queue_.wait(kLong, how_);
            ASSERT_FALSE(batch.empty()) << "message " << n << ": " << name(batch.error());
            for (const Completion& done : batch) {
                const auto of = outstanding.find(done.id());
                ASSERT_NE(of, outstanding.end()) << done.id() << " ended twice";
                ASSERT_TRUE(done.ok()) << done.id() << ": " << name(done.status());
                if (of->second.kind == Message::Kind::append)
                    places_.emplace(done.offset(), of->second);
                outstanding.erase(of);
            }
        }
        total_ = n;
        check_log();
    }
    // Every Append stands where its completion said, and they stand side by side.
    void check_log() {
        std::uint64_t end = 0;
        for (const auto& [offset, m] : places_) {
            ASSERT_EQ(offset, end) << "message " << m.number;
            ASSERT_TRUE(m.stands_at(static_cast<std::byte*>(log_.data()) + offset))
                << "message " << m.number;
            end = offset + m.length;
        }
        EXPECT_EQ(end, appended_.load());
        EXPECT_EQ(log_.append_offset().value(), end);
    }

    void post_receive(std::uint64_t id) {
        const auto posted =
            to_pair_.post_receive(target_.slice(id % kReceives * kLargest, kLargest), id);
        ASSERT_TRUE(posted.has_value()) << posted.error().text;
    }
    void receive() {
        for (std::uint64_t id = 0; id < kReceives; ++id)
            post_receive(id);
        std::uint64_t taken = 0;  // receives
        std::uint64_t n = 0;      // messages
        while (total_ == UINT64_MAX || n < total_) {
            const CompletionBatch batch = to_queue_.wait(20ms, how_);
            ASSERT_EQ(batch.error(), ErrorCode::none) << name(batch.error());
            for (const Completion& done : batch) {
                ASSERT_TRUE(done.ok()) << name(done.status());
                ASSERT_EQ(done.id(), taken) << "twice, or out of order";
                if (appends()) {
                    while (arrives_otherwise(n))
                        ++n;
                }
                const std::byte* at = target_bytes(taken);
                if (done.immediate()) {
                    ASSERT_EQ(*done.immediate(), static_cast<std::uint32_t>(n));
                    at = static_cast<const std::byte*>(window_.data()) +
                         std::size_t{taken % kSlots} * kLargest;
                }
                const Message m = message(n);
                ASSERT_EQ(done.length(), m.length) << "message " << n;
                ASSERT_TRUE(m.stands_at(at)) << "message " << n << " of " << m.length;
                ++n;
                ++taken;
                post_receive(taken + kReceives - 1);
            }
            if (total_ != UINT64_MAX && appends()) {
                while (n < total_ && arrives_otherwise(n))
                    ++n;
            }
        }
    }
    [[nodiscard]] bool arrives_otherwise(std::uint64_t n) const {
        return message(n).kind == Message::Kind::append;
    }
    [[nodiscard]] const std::byte* target_bytes(std::uint64_t id) const {
        return static_cast<const std::byte*>(target_.data()) + id % kReceives * kLargest;
    }

    const std::uint64_t seed_;
    const Wait how_;
    const char* const executor_;
    Partition from_, to_;
    Region source_, target_, window_, log_;
    CompletionQueue from_queue_, to_queue_;
    QueuePair from_pair_, to_pair_;
    Listener listener_;
    std::uint64_t consuming_ = 0;  // of the sender: receives used so far
    std::atomic<std::uint64_t> appended_{0};
    std::map<std::uint64_t, Message> places_;
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> sent_{0};
    std::atomic<std::uint64_t> total_{UINT64_MAX};
    std::thread sender_, receiver_;
};

// Kills the adapter when every stream has moved on since the last time.
void kill_under(LiveAdapter& adapter, const std::vector<std::unique_ptr<Stream>>& streams,
                int rounds, Random& random) {
    for (int round = 0; round < rounds; ++round) {
        for (const auto& stream : streams) {
            const std::uint64_t before = stream->sent();
            for (int waited = 0; stream->sent() < before + 50; ++waited) {
                ASSERT_LT(waited, 30'000) << "a stream stands still in round " << round;
                ::usleep(1000);
            }
        }
        ::usleep(static_cast<useconds_t>(random.below(5000)));
        adapter.kill();
        ::usleep(static_cast<useconds_t>(random.below(20'000)));
        adapter.start_again();
    }
}

class ResumeCrash : public testing::TestWithParam<const char*> {};

TEST_P(ResumeCrash, EveryDescriptorEndsOnceAndEveryByteIsRight) {
    LiveAdapter adapter(LiveAdapter::Kind::program);
    Random random(7);
    std::vector<std::unique_ptr<Stream>> streams;
    streams.push_back(std::make_unique<Stream>(adapter.socket(), adapter.socket(), "block",
                                               GetParam(), 1, Wait::block));
    streams.push_back(std::make_unique<Stream>(adapter.socket(), adapter.socket(), "adaptive",
                                               GetParam(), 2, Wait::adaptive));
    kill_under(adapter, streams, 20, random);
    for (auto& stream : streams)
        stream->finish();
}

INSTANTIATE_TEST_SUITE_P(Executors, ResumeCrash, testing::Values("adapter", "direct"),
                         [](const auto& param) { return std::string(param.param); });

TEST(Resume, ByNamedEntrances) {
    LiveAdapter adapter(LiveAdapter::Kind::program, {"named"});
    Random random(8);
    std::vector<std::unique_ptr<Stream>> streams;
    streams.push_back(std::make_unique<Stream>(adapter.entrance("named") + "/fabric.sock",
                                               adapter.socket(), "across", "adapter", 3,
                                               Wait::block));
    kill_under(adapter, streams, 10, random);
    streams[0]->finish();
}

// Connections are made, used and ended all the while.
TEST(Resume, WhileConnectionsComeAndGo) {
    LiveAdapter adapter(LiveAdapter::Kind::program);
    auto server = Partition::attach("server", {adapter.socket(), kLong}).value();
    auto client = Partition::attach("client", {adapter.socket(), kLong}).value();
    auto listener = server.listen("door").value();
    // The movers' doorbells come with the first queue pair and stay.
    for (Partition* partition : {&server, &client}) {
        auto queue = partition->create_completion_queue(16).value();
        (void)partition->create_queue_pair({.completions = queue}).value();
    }
    const Holdings before = adapter.settled();
    std::atomic<bool> stop{false};
    std::atomic<int> served{0};
    std::thread serving([&] {
        auto memory = server.allocate(4096).value();
        while (!stop) {
            auto queue = server.create_completion_queue(16).value();
            auto pair =
                server.create_queue_pair({.completions = queue, .executor = "adapter"}).value();
            ASSERT_TRUE(pair.post_receive(memory.slice(0, 4096), 1).has_value());
            const auto accepted = listener.accept(pair, 100ms);
            if (!accepted.has_value()) {
                ASSERT_TRUE(accepted.error().code == ErrorCode::timed_out ||
                            accepted.error().code == ErrorCode::peer_gone)
                    << accepted.error().text;
                continue;
            }
            const CompletionBatch batch = queue.wait(kLong, Wait::block);
            ASSERT_EQ(batch.size(), 1U) << name(batch.error());
            if (batch.front().ok()) {
                ASSERT_EQ(batch.front().length(), 1000U);
                ASSERT_EQ(static_cast<char>(memory.data()[999]), 'x');
                std::memset(memory.data(), 0, 4096);
                ++served;
            }
        }
    });
    std::thread calling([&] {
        auto memory = client.allocate(4096).value();
        std::memset(memory.data(), 'x', 4096);
        while (!stop) {
            auto queue = client.create_completion_queue(16).value();
            auto pair =
                client.create_queue_pair({.completions = queue, .executor = "adapter"}).value();
            const auto connected = pair.connect("server/door", 30s);
            if (!connected.has_value()) {
                ASSERT_TRUE(connected.error().code == ErrorCode::peer_gone || stop)
                    << connected.error().text;
                continue;
            }
            if (!pair.post_send(memory.slice(0, 1000), 1).has_value())
                continue;
            const CompletionBatch batch = queue.wait(kLong, Wait::block);
            ASSERT_EQ(batch.size(), 1U) << name(batch.error());
        }
    });
    Random random(9);
    for (int round = 0; round < 20; ++round) {
        const int until = served + 5;
        for (int waited = 0; served < until; ++waited) {
            ASSERT_LT(waited, 30'000) << "nobody is served any more, round " << round;
            ::usleep(1000);
        }
        ::usleep(static_cast<useconds_t>(random.below(2000)));
        adapter.kill();
        ::usleep(static_cast<useconds_t>(random.below(10'000)));
        adapter.start_again();
    }
    stop = true;
    serving.join();
    calling.join();
    // What ended while the adapter was away it hears of in the next calls.
    for (int waited = 0; waited < 30'000 && !(holdings_of(adapter.pid()) == before); ++waited) {
        for (Partition* partition : {&server, &client})
            ASSERT_TRUE(partition->process_events().has_value());
        ::usleep(1000);
    }
    const Holdings after = adapter.settled_to(before);
    EXPECT_EQ(after, before) << text_of(after) << " now, before " << text_of(before);
}

// ---- executor direct, and nobody there

struct DirectWorld {
    DirectWorld(const std::string& socket, std::chrono::nanoseconds patience)
        : a(Partition::attach("a", {socket, patience}).value()),
          b(Partition::attach("b", {socket, patience}).value()),
          a_memory(a.allocate(1 << 20, kOpen).value()),
          b_memory(b.allocate(1 << 20, kOpen).value()),
          unnamed(b.allocate(1 << 16, kOpen).value()),
          a_queue(a.create_completion_queue(64).value()),
          b_queue(b.create_completion_queue(64).value()),
          a_pair(a.create_queue_pair({.completions = a_queue, .executor = "direct"}).value()),
          b_pair(b.create_queue_pair({.completions = b_queue, .executor = "direct"}).value()) {
        auto listener = b.listen("door").value();
        a_pair.connect("b/door", 0ns).value();
        listener.accept(b_pair, 30s).value();
    }
    void exchange(int messages, Wait how) {
        for (int i = 0; i < messages; ++i) {
            const auto id = static_cast<std::uint64_t>(i);
            const std::uint32_t length = i % 2 == 0 ? 16 : 8192;
            std::memset(a_memory.data(), i, length);
            b_pair.post_receive(b_memory.slice(0, 8192), id).value();
            a_pair.post_send(a_memory.slice(0, length), id).value();
            const CompletionBatch received = b_queue.wait(kLong, how);
            ASSERT_EQ(received.size(), 1U) << name(received.error());
            ASSERT_TRUE(received.front().ok()) << name(received.front().status());
            ASSERT_EQ(std::memcmp(a_memory.data(), b_memory.data(), length), 0);
            const CompletionBatch sent = a_queue.wait(kLong, how);
            ASSERT_EQ(sent.size(), 1U) << name(sent.error());
            ASSERT_TRUE(sent.front().ok());
        }
    }
    Partition a, b;
    Region a_memory, b_memory, unnamed;
    CompletionQueue a_queue, b_queue;
    QueuePair a_pair, b_pair;
};

TEST(Resume, DirectConnectionsGoOnWhileNobodyIsThere) {
    LiveAdapter adapter(LiveAdapter::Kind::program);
    DirectWorld world(adapter.socket(), kLong);
    world.exchange(10, Wait::adaptive);
    adapter.kill();
    for (const Wait how : {Wait::adaptive, Wait::block, Wait::spin})
        world.exchange(500, how);
    // What was never named before has to be asked for: it waits, and then goes.
    world.a_pair.post_write(world.a_memory.slice(0, 8192), world.unnamed.remote(), 77).value();
    EXPECT_TRUE(world.a_queue.wait(50ms, Wait::block).empty());
    adapter.start_again();
    CompletionBatch written = world.a_queue.wait(10ms, Wait::block);
    for (int waited = 0; written.empty() && waited < 3000; ++waited) {
        (void)world.b_queue.poll();  // its owner comes back inside its own calls
        written = world.a_queue.wait(10ms, Wait::block);
    }
    ASSERT_EQ(written.size(), 1U) << name(written.error());
    EXPECT_TRUE(written.front().ok()) << name(written.front().status());
    EXPECT_EQ(std::memcmp(world.a_memory.data(), world.unnamed.data(), 8192), 0);
}

// Silent sends free their entries by a count that the end itself keeps: a new adapter, which has
// executed nothing there, must not begin it anew.
TEST(Resume, SilentSendsOfADirectConnectionFreeTheirEntriesAfterwards) {
    LiveAdapter adapter(LiveAdapter::Kind::program);
    DirectWorld world(adapter.socket(), kLong);
    Random random(5);
    const auto write_silently = [&](int lists) {
        for (int i = 0; i < lists; ++i) {
            const std::vector<Slice> slices(random.between(1, 8), world.a_memory.slice(0, 64));
            const auto post = [&] {
                return world.a_pair.post_write(slices, world.b_memory.remote(), 0,
                                               {.signaled = false});
            };
            Result<void> posted = post();
            for (int waited = 0; !posted.has_value() && waited < 500; ++waited) {
                ASSERT_EQ(posted.error().code, ErrorCode::again) << posted.error().text;
                (void)world.a_queue.wait(5ms, Wait::block);
                (void)world.b_queue.poll();
                posted = post();
            }
            ASSERT_TRUE(posted.has_value()) << posted.error().text;
        }
    };
    for (int death = 0; death < 24 && !HasFailure(); ++death) {
        write_silently(static_cast<int>(random.between(1, 60)));
        adapter.kill();
        adapter.start_again();
        for (Partition* partition : {&world.a, &world.b})
            (void)partition->allocate(4096).value();  // waits for its return
    }
    write_silently(500);
    EXPECT_EQ(world.a_pair.state(), QueuePair::State::connected);
}

TEST(Resume, DirectConnectionsOutliveAnAdapterThatStaysAway) {
    LiveAdapter adapter(LiveAdapter::Kind::program);
    for (const auto patience : {0ms, 50ms}) {
        DirectWorld world(adapter.socket(), patience);
        world.exchange(10, Wait::adaptive);
        adapter.kill();
        ::usleep(100'000);
        for (const Wait how : {Wait::adaptive, Wait::block})
            world.exchange(200, how);
        Result<void> events = world.a.process_events();
        for (int waited = 0; events.has_value() && waited < 10'000; ++waited) {
            ::usleep(1000);
            events = world.a.process_events();
        }
        ASSERT_FALSE(events.has_value());
        EXPECT_EQ(events.error().code, ErrorCode::adapter_gone);
        EXPECT_EQ(world.a_pair.state(), QueuePair::State::connected);
        adapter.start_again();
    }
}

}  // namespace
}  // namespace causeway::test
