// Movers with ends whose partitions are played by the test: who wakes whom, waits, closing, and
// ends that are rung for at one mover and served by another.
#include "adapter/mover.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "platform/memfd.hpp"
#include "support/random.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;
using adapter::Doorbell;
using adapter::End;
using adapter::Mover;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kWatchdog = 60s;

template<typename F>
[[nodiscard]] bool eventually(F&& holds) {
    const auto end = Clock::now() + kWatchdog;
    while (!holds()) {
        if (Clock::now() > end)
            return false;
        std::this_thread::yield();
    }
    return true;
}

// A partition's end of a queue pair, and the protocol by which it posts.
struct Played {
    std::shared_ptr<End> end;
    abi::DoorbellLayout* page = nullptr;  // of the doorbell by which it rings its mover
    platform::WakeupSocket socket;        // its end of that one's socketpair
    shm::DescriptorProducer sends;
    shm::DescriptorProducer receives;
    shm::CompletionConsumer send_completions;
    shm::CompletionConsumer receive_completions;

    void send(std::uint8_t byte, abi::Opcode opcode = abi::Opcode::send) {
        abi::Descriptor d{};
        d.control.opcode = static_cast<std::uint8_t>(opcode);
        d.control.flags = flag::kSignaled;
        if (opcode == abi::Opcode::send) {
            d.control.flags |= flag::kInline;
            d.control.segments = 1;
            d.payload[0] = byte;
        }
        sends.publish(d);
        ring_if_wanted(true);
    }
    void receive() {
        abi::Descriptor d{};
        d.control.opcode = static_cast<std::uint8_t>(abi::Opcode::receive);
        d.control.segments = 1;
        d.data[0].length = 100;  // small messages come in the completion
        receives.publish(d);
        ring_if_wanted(false);
    }
    void ring_if_wanted(bool send) {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        const auto attention = end->layout().attention.load(std::memory_order_relaxed);
        if ((attention & abi::attention::kPolled) != 0)
            return;
        if (send || (attention & abi::attention::kWantsReceive) != 0)
            ring();
    }
    // As the partition does it: the bit in the page, the byte from its own end of the socketpair.
    void ring() {
        if (shm::DoorbellWaker(page).ring(end->options().doorbell_bit) == shm::Kick::yes)
            (void)socket.notify();
    }
    std::optional<abi::Completion> take_send() {
        return take(send_completions, end->layout().send_completions_read);
    }
    std::optional<abi::Completion> take_receive() {
        return take(receive_completions, end->layout().receive_completions_read);
    }
    abi::Completion await_send() {
        return await([this] { return take_send(); });
    }
    abi::Completion await_receive() {
        return await([this] { return take_receive(); });
    }

private:
    static std::optional<abi::Completion> take(shm::CompletionConsumer& ring,
                                               std::atomic<std::uint64_t>& read) {
        abi::Completion c;
        if (!ring.peek(c))
            return std::nullopt;
        ring.advance();
        read.store(ring.consumed(), std::memory_order_release);
        return c;
    }
    template<typename F>
    static abi::Completion await(F&& take_one) {
        std::optional<abi::Completion> c;
        EXPECT_TRUE(eventually([&] { return (c = take_one()).has_value(); })) << "no completion";
        abi::Completion none{};
        none.status = 255;
        return c.value_or(none);
    }
};

class MoverTest : public testing::Test {
protected:
    MoverTest() {
        for (std::uint32_t i = 0; i < 2; ++i) {
            adapter::MoverOptions options;
            options.index = i;
            movers.push_back(Mover::start(std::move(options)).value());
        }
    }
    ~MoverTest() override {
        for (auto& mover : movers)
            mover->stop();
    }
    // An end of session `session`, known to mover `mover`.
    Played make_end(std::uint32_t session, std::uint32_t mover, engine::Patience patience = {}) {
        adapter::EndOptions options;
        options.id = ++ids;
        options.session = session;
        options.mover = mover;
        options.doorbell_bit = bits[session]++;
        options.ready_bit = ids;
        options.shape = {8, 8, 8, 8};
        options.patience = patience;
        options.regions = regions;
        options.completions = Doorbell::create([](platform::UniqueFd) {}).value();
        options.events = Doorbell::create([](platform::UniqueFd) {}).value();
        if (bells[session] == nullptr) {
            bells[session] = Doorbell::create([](platform::UniqueFd) {}).value();
            pages[session] =
                platform::Mapping::map(bells[session]->page_fd.get(), platform::kPage).value();
            movers[mover]->open_doorbell(session, bells[session]);
        }
        Played played;
        played.end = End::create(std::move(options)).value();
        played.page = pages[session].at<abi::DoorbellLayout>();
        played.socket = platform::WakeupSocket(
            platform::UniqueFd(::fcntl(bells[session]->peer_socket_fd.get(), F_DUPFD_CLOEXEC, 0)));
        const shm::QueuePairView view(reinterpret_cast<std::byte*>(&played.end->layout()),
                                      played.end->options().shape);
        played.sends = view.send_producer();
        played.receives = view.receive_producer();
        played.send_completions = view.send_completions();
        played.receive_completions = view.receive_completions();
        movers[mover]->add(played.end);
        return played;
    }
    void connect(Mover& mover, Played& a, Played& b) {
        mover.connect(a.end, b.end);
        ASSERT_TRUE(eventually([&] {
            return a.end->state() == abi::QueuePairState::connected &&
                   b.end->state() == abi::QueuePairState::connected;
        }));
    }
    // Waits until the mover has given up polling the end.
    static void await_cold(const Played& played) {
        ASSERT_TRUE(eventually([&] {
            return (played.end->layout().attention.load() & abi::attention::kPolled) == 0;
        })) << "an idle connection is polled for ever";
    }
    // Everything that was asked of the mover before has been done.
    static void sync(Mover& mover) {
        std::promise<void> done;
        mover.run([&] { done.set_value(); });
        done.get_future().wait();
    }
    void remove(std::uint32_t mover, Played& played) {
        movers[mover]->remove(played.end, nullptr);
        sync(*movers[mover]);
    }

    std::shared_ptr<engine::RegionTable> regions = std::make_shared<engine::RegionTable>();
    std::shared_ptr<Doorbell> bells[8];
    platform::Mapping pages[8];
    std::uint32_t bits[8] = {};
    std::uint32_t ids = 0;
    std::vector<std::unique_ptr<Mover>> movers;
};

TEST_F(MoverTest, ServesWhatWasPostedBeforeTheConnection) {
    Played a = make_end(1, 0);
    Played b = make_end(2, 0);
    b.receive();
    a.send(7);
    connect(*movers[0], a, b);
    EXPECT_EQ(b.await_receive().payload[0], 7);
    EXPECT_EQ(a.await_send().status, 0);
}

// The attention protocol under fire: posts at every distance from the moment at which the mover
// goes to sleep. A lost wake-up hangs until the watchdog.
TEST_F(MoverTest, LosesNoPostWhileItFallsAsleep) {
    Played a = make_end(1, 0);
    Played b = make_end(2, 0);
    connect(*movers[0], a, b);
    Random random(3);
    for (std::uint32_t i = 0; i < 1500; ++i) {
        const auto pause = random.below(120'000);  // ns: around the mover's 50 us of spinning
        const auto until = Clock::now() + std::chrono::nanoseconds(pause);
        while (Clock::now() < until) {}
        if (random.one_in(2)) {
            b.receive();
            a.send(static_cast<std::uint8_t>(i));
        } else {  // the sender waits, and the receive wakes the mover
            a.send(static_cast<std::uint8_t>(i));
            const auto later = Clock::now() + std::chrono::nanoseconds(random.below(120'000));
            while (Clock::now() < later) {}
            b.receive();
        }
        ASSERT_EQ(b.await_receive().payload[0], static_cast<std::uint8_t>(i)) << i;
        ASSERT_EQ(a.await_send().sequence, i);
    }
}

// Ends whose partitions ring mover 0, on a connection that mover 1 serves.
TEST_F(MoverTest, PassesOnWhatIsRungForAtAnother) {
    Played a = make_end(1, 0);
    Played b = make_end(2, 0);
    connect(*movers[1], a, b);
    for (std::uint8_t i = 0; i < 50; ++i) {
        await_cold(a);
        b.receive();
        a.send(i);
        ASSERT_EQ(b.await_receive().payload[0], i);
        ASSERT_EQ(a.await_send().status, 0);
    }
}

// What was rung for before the mover got round to its commands is not forgotten.
TEST_F(MoverTest, KnowsWhatIsRungForBeforeItWasAdded) {
    for (int i = 0; i < 20; ++i) {
        std::promise<void> release;
        movers[0]->run([&] { release.get_future().wait(); });
        Played a = make_end(static_cast<std::uint32_t>(1 + i % 4), 0);
        Played b = make_end(static_cast<std::uint32_t>(1 + i % 4), 0);
        connect(*movers[1], a, b);
        await_cold(a);
        b.receive();
        a.send(5);
        release.set_value();
        EXPECT_EQ(b.await_receive().payload[0], 5);
    }
}

// The same where the doorbell is looked at while the addition waits: in the same batch of commands
// as the doorbell's opening, or in a later one.
TEST_F(MoverTest, KnowsWhatWasAnsweredBeforeItWasAdded) {
    std::promise<void> first, second;
    std::atomic<bool> in_second{false};
    movers[0]->run([&] { first.get_future().wait(); });
    (void)make_end(1, 0);  // opens the session's doorbell
    movers[0]->run([&] {
        in_second = true;
        second.get_future().wait();
    });
    first.set_value();
    ASSERT_TRUE(eventually([&] { return in_second.load(); }));
    Played a = make_end(1, 0);
    Played b = make_end(2, 0);
    connect(*movers[1], a, b);
    await_cold(a);
    await_cold(b);
    b.receive();
    a.send(5);
    second.set_value();
    EXPECT_EQ(b.await_receive().payload[0], 5);
}

// A partition that rings without end while the serving mover is busy fills no queue of that mover:
// one poke is on its way at most.
TEST_F(MoverTest, RingingWithoutEndIsOnePoke) {
    Played a = make_end(1, 0);
    Played b = make_end(2, 0);
    connect(*movers[1], a, b);
    await_cold(a);
    std::promise<void> release;
    std::atomic<bool> held{false};
    movers[1]->run([&] {
        held = true;
        release.get_future().wait();
    });
    ASSERT_TRUE(eventually([&] { return held.load(); }));
    for (int i = 0; i < 2000; ++i) {
        a.ring();
        if (i % 100 == 0)
            sync(*movers[0]);
    }
    ASSERT_TRUE(eventually([&] { return a.end->poke_pending.load(); }));
    b.receive();
    a.send(9);
    a.ring();
    release.set_value();
    EXPECT_EQ(b.await_receive().payload[0], 9);
    EXPECT_TRUE(eventually([&] { return !a.end->poke_pending.load(); }));
    await_cold(a);
    b.receive();
    a.send(10);  // the next one pokes anew
    EXPECT_EQ(b.await_receive().payload[0], 10);
}

TEST_F(MoverTest, BoundedPatienceEndsOnAColdConnection) {
    Played a = make_end(1, 0, {abi::Patience::bounded, 20'000'000});
    Played b = make_end(2, 0);
    connect(*movers[0], a, b);
    const auto start = Clock::now();
    a.send(1);
    EXPECT_EQ(static_cast<abi::Status>(a.await_send().status), abi::Status::receiver_not_ready);
    EXPECT_GE(Clock::now() - start, 20ms);
}

// Who takes no completions for a while gets all of them, in order, once he does.
TEST_F(MoverTest, GoesOnWhereItWaitedForRoom) {
    Played a = make_end(1, 0);
    Played b = make_end(2, 0);
    connect(*movers[0], a, b);
    for (int i = 0; i < 8; ++i)
        a.send(0, abi::Opcode::nop);
    ASSERT_TRUE(eventually([&] { return a.send_completions.ready(7); }));
    for (int i = 0; i < 8; ++i)
        a.send(0, abi::Opcode::nop);
    await_cold(a);
    for (std::uint64_t i = 0; i < 16; ++i)
        ASSERT_EQ(a.await_send().sequence, i);
}

TEST_F(MoverTest, BrokenFormatClosesWithTheGuiltyNamed) {
    for (const bool sender_is_guilty : {true, false}) {
        Played a = make_end(1, 0);
        Played b = make_end(2, 0);
        Played other_a = make_end(1, 0);
        Played other_b = make_end(2, 0);
        connect(*movers[0], a, b);
        connect(*movers[0], other_a, other_b);
        abi::Descriptor bad{};
        bad.control.opcode = 77;
        if (sender_is_guilty) {
            a.sends.publish(bad);
        } else {
            b.receives.publish(bad);
            a.send(1);
        }
        a.ring();
        Played& guilty = sender_is_guilty ? a : b;
        Played& innocent = sender_is_guilty ? b : a;
        const auto closed = [](const Played& p) {
            return p.end->layout().state.load() ==
                   static_cast<std::uint32_t>(abi::QueuePairState::closed);
        };
        ASSERT_TRUE(eventually([&] { return closed(guilty) && closed(innocent); }));
        EXPECT_EQ(guilty.end->reason(), abi::Error::protocol);
        EXPECT_EQ(innocent.end->reason(), abi::Error::peer_gone);
        other_b.receive();
        other_a.send(3);
        EXPECT_EQ(other_b.await_receive().payload[0], 3);
    }
}

TEST_F(MoverTest, ClosingAndRingingAtTheSameTime) {
    for (int i = 0; i < 200; ++i) {
        Mover& serving = *movers[static_cast<std::size_t>(i % 2)];
        Played a = make_end(1, 0);
        Played b = make_end(2, 0);
        connect(serving, a, b);
        std::thread partition([&] {
            for (std::uint8_t n = 0; n < 8; ++n) {
                b.receive();
                a.send(n);
                a.ring();
                b.ring();
            }
        });
        serving.close(a.end, abi::QueuePairState::closed, abi::Error::none, abi::Error::peer_gone);
        partition.join();
        ASSERT_TRUE(eventually([&] { return b.end->state() == abi::QueuePairState::closed; }));
        EXPECT_EQ(b.end->reason(), abi::Error::peer_gone);
        // As the adapter removes: the serving mover lets go of the connection, then the ends' own
        // mover forgets them. A poke that this one had sent before holds its end until the serving
        // mover has come to it.
        sync(serving);
        remove(0, a);
        remove(0, b);
        sync(serving);
        EXPECT_EQ(a.end.use_count(), 1) << "a mover holds what was removed";
        EXPECT_EQ(b.end.use_count(), 1) << "a mover holds what was removed";
        bits[1] = bits[2] = 0;
    }
}

TEST_F(MoverTest, MayBeRungForAfterItHasStopped) {
    Played a = make_end(1, 0);
    Played b = make_end(2, 0);
    connect(*movers[1], a, b);
    await_cold(a);
    movers[1]->stop();
    a.ring();
    ASSERT_TRUE(eventually([&] { return a.end->poke_pending.load(); }));
    sync(*movers[0]);
    movers[1]->stop();  // again: harmless
}

}  // namespace
}  // namespace causeway::test
