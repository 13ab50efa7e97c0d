// A direct peer is killed at named points: in the middle of a copy, with a reserved record, asleep.
// The survivor hears of each of its descriptors exactly once, and nothing of the dead remains: not
// in the adapter, not in the survivor.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <causeway/append_log.hpp>
#include <causeway/causeway.hpp>
#include <cstring>
#include <functional>
#include <map>
#include <thread>

#include "support/in_process_adapter.hpp"
#include "support/live_adapter.hpp"
#include "support/mortal.hpp"
#include "support/own_holdings.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kLarge = 48 << 20;  // a copy of some milliseconds
constexpr Access kOpen = Access::exportable | Access::remote_write | Access::remote_read;

QueuePairOptions direct_options(CompletionQueue& queue) {
    QueuePairOptions options{.completions = queue};
    options.executor = "direct";
    return options;
}

// The mortal's side: connected, with memory of its own.
struct Caller {
    Caller(const std::string& socket, std::size_t size)
        : partition(Partition::attach("mortal", {socket}).value()),
          memory(partition.allocate(size, kOpen).value()),
          queue(partition.create_completion_queue(64).value()),
          pair(partition.create_queue_pair(direct_options(queue)).value()) {}
    void connect() { pair.connect("survivor/door", 30s).value(); }

    Partition partition;
    Region memory;
    CompletionQueue queue;
    QueuePair pair;
};

class DirectCrash : public testing::Test {
protected:
    DirectCrash()
        : adapter(LiveAdapter::Kind::program),
          partition(Partition::attach("survivor", {adapter.socket()}).value()),
          memory(partition.allocate(kLarge, kOpen).value()),
          queue(partition.create_completion_queue(64).value()),
          listener(partition.listen("door").value()) {
        // The mover's doorbell comes with the first queue pair and stays.
        (void)partition.create_queue_pair(direct_options(queue)).value();
        before = adapter.settled();
        files = open_files();
        mappings = shared_mappings();
    }
    void TearDown() override {
        EXPECT_EQ(open_files(), files);
        EXPECT_EQ(shared_mappings(), mappings);
        const Holdings after = adapter.settled_to(before);
        EXPECT_EQ(after, before) << text_of(after) << " now, before " << text_of(before);
    }

    [[nodiscard]] QueuePair accept() {
        QueuePair pair = partition.create_queue_pair(direct_options(queue)).value();
        listener.accept(pair, 30s).value();
        EXPECT_EQ(pair.executor(), "direct");
        return pair;
    }
    // Until `count` descriptors have ended; each id exactly once.
    [[nodiscard]] std::map<std::uint64_t, Status> await_ends(std::size_t count, Wait how) {
        std::map<std::uint64_t, Status> ends;
        while (ends.size() < count) {
            const CompletionBatch batch = queue.wait(60s, how);
            if (batch.empty()) {
                ADD_FAILURE() << ends.size() << " of " << count << " descriptors ended";
                break;
            }
            for (const Completion& done : batch)
                EXPECT_TRUE(ends.emplace(done.id(), done.status()).second) << done.id();
        }
        EXPECT_TRUE(queue.poll().empty());
        return ends;
    }
    static std::uint64_t word(const Region& region, std::size_t offset) {
        return __atomic_load_n(reinterpret_cast<std::uint64_t*>(region.data() + offset),
                               __ATOMIC_ACQUIRE);
    }
    static void spin_until(const std::function<bool()>& condition) {
        for (std::uint64_t i = 0; !condition(); ++i) {
            if (i % 1024 == 0)
                std::this_thread::yield();
        }
    }

    LiveAdapter adapter;
    Partition partition;
    Region memory;
    CompletionQueue queue;
    Listener listener;
    Holdings before;
    std::size_t files = 0;
    std::size_t mappings = 0;
};

TEST_F(DirectCrash, InTheMiddleOfACopyIntoTheSurvivor) {
    int in_the_middle = 0;
    for (int round = 0; round < 20 && in_the_middle < 4; ++round) {
        std::memset(memory.data(), 0, memory.size());
        Mortal mortal([&] {
            Caller caller(adapter.socket(), kLarge);
            std::memset(caller.memory.data(), 0x77, kLarge);
            caller.connect();
            (void)caller.pair.post_send(caller.memory.slice(0, kLarge), 1);
            for (;;)
                (void)caller.queue.wait(1s);
        });
        QueuePair pair = partition.create_queue_pair(direct_options(queue)).value();
        pair.post_receive(memory.slice(0, kLarge), 1).value();
        pair.post_receive(memory.slice(0, 64), 2).value();
        listener.accept(pair, 30s).value();
        spin_until([&] { return word(memory, 0) != 0; });
        ASSERT_TRUE(mortal.kill());
        const bool middle = word(memory, kLarge - 8) == 0;
        const auto ends = await_ends(2, Wait::block);
        EXPECT_EQ(ends.at(2), Status::peer_gone);
        // A whole message may have been completed before the kill; a part of one never is.
        EXPECT_TRUE(ends.at(1) == Status::peer_gone || (!middle && ends.at(1) == Status::success));
        in_the_middle += middle ? 1 : 0;
    }
    EXPECT_GT(in_the_middle, 0);
}

// The survivor copies into memory of a process that is no more: it stays as long as it is mapped.
TEST_F(DirectCrash, InTheMiddleOfACopyOutOfTheSurvivor) {
    for (int round = 0; round < 4; ++round) {
        Mortal mortal([&] {
            Caller caller(adapter.socket(), kLarge);
            caller.pair.post_receive(caller.memory.slice(0, kLarge), 1).value();
            caller.connect();
            for (;;)
                ::pause();
        });
        QueuePair pair = accept();
        std::atomic<bool> copying{false};
        std::thread killer([&] {
            spin_until([&] { return copying.load(); });
            std::this_thread::sleep_for(500us);
            EXPECT_TRUE(mortal.kill());
        });
        copying = true;
        pair.post_send(memory.slice(0, kLarge), 1).value();
        const bool second = pair.post_send(memory.slice(0, kLarge), 2).has_value();
        killer.join();
        for (const auto& [id, status] : await_ends(second ? 2 : 1, Wait::adaptive)) {
            EXPECT_TRUE(status == Status::peer_gone || (id == 1 && status == Status::success))
                << name(status);
        }
        spin_until([&] { return pair.state() == QueuePair::State::closed; });
        EXPECT_FALSE(pair.post_send(memory.slice(0, 8), 3).has_value());
    }
}

TEST_F(DirectCrash, WithAReservedRecord) {
    constexpr std::uint64_t kSecond = abi::record_size(100);
    constexpr std::uint64_t kThird = kSecond + abi::record_size(kLarge);
    bool reserved = false;
    for (int round = 0; round < 20 && !reserved; ++round) {
        Region log =
            partition.allocate(kLarge + (1 << 20), Access::exportable | Access::append).value();
        const Remote target = log.remote();
        Mortal mortal([&] {
            Caller caller(adapter.socket(), kLarge);
            caller.connect();
            (void)caller.pair.post_append(caller.memory.slice(0, 100), target, 1);
            (void)caller.pair.post_append(caller.memory.slice(0, kLarge), target, 2);
            for (;;)
                (void)caller.queue.wait(1s);
        });
        {
            QueuePair pair = accept();
            pair.post_receive(memory.slice(0, 64), 1).value();
            spin_until([&] { return word(log, kSecond) != 0; });
            // The copy behind that header takes its time: the writer is dead before it is whole,
            // unless this thread was kept from killing it.
            ASSERT_TRUE(mortal.kill());
            EXPECT_EQ(await_ends(1, Wait::block).at(1), Status::peer_gone);
        }
        reserved = abi::record_state(word(log, kSecond)) == abi::RecordState::reserved;
        LogReader reader(log.bytes());
        EXPECT_EQ(reader.next().value().size(), 100u);
        EXPECT_EQ(reader.next().has_value(), !reserved);
        EXPECT_EQ(reader.blocked(), reserved);

        // The next writer goes on behind it, dead or not.
        Mortal another([&] {
            Caller caller(adapter.socket(), 4096);
            caller.connect();
            std::memset(caller.memory.data(), 5, 77);
            caller.pair.post_append(caller.memory.slice(0, 77), target, 1).value();
            for (;;)
                (void)caller.queue.wait(1s);
        });
        QueuePair pair = accept();
        spin_until(
            [&] { return abi::record_state(word(log, kThird)) == abi::RecordState::committed; });
        EXPECT_EQ(reader.close(), reserved);
        const auto record = reader.next();
        ASSERT_TRUE(record.has_value());
        EXPECT_EQ(record->size(), 77u);
        EXPECT_EQ(record->front(), std::byte{5});
        ASSERT_TRUE(another.kill());
        spin_until([&] { return pair.state() == QueuePair::State::closed; });
    }
    EXPECT_TRUE(reserved) << "no kill hit the copy";
}

TEST_F(DirectCrash, BothAsleep) {
    for (int round = 0; round < 5; ++round) {
        Mortal mortal([&] {
            Caller caller(adapter.socket(), 4096);
            caller.connect();
            caller.pair.post_receive(caller.memory.slice(0, 64), 1).value();
            (void)caller.pair.post_send(caller.memory.slice(0, 64), 2);  // waits for a receive
            (void)caller.queue.wait(60s, Wait::block);
            for (;;)
                (void)caller.queue.wait(60s, Wait::block);
        });
        QueuePair pair = accept();
        pair.post_send(memory.slice(0, 64), 1).value();
        EXPECT_EQ(await_ends(1, Wait::block).at(1), Status::success);
        // What waits: a message for which nobody posts a receive.
        pair.post_send(memory.slice(0, 64), 2).value();
        pair.post_send(memory.slice(0, 4096), 3).value();
        std::thread killer([&] {
            std::this_thread::sleep_for(20ms);
            EXPECT_TRUE(mortal.kill());
        });
        const auto ends = await_ends(2, Wait::block);
        killer.join();
        EXPECT_EQ(ends.at(2), Status::peer_gone);
        EXPECT_EQ(ends.at(3), Status::peer_gone);
    }
}

// Between accept and the first message: while it fetches what the adapter made for it.
TEST_F(DirectCrash, WhileItConnects) {
    for (int round = 0; round < 30; ++round) {
        Mortal mortal([&] {
            Caller caller(adapter.socket(), 4096);
            (void)caller.pair.connect("survivor/door", 0ns);
            for (;;)
                (void)caller.queue.wait(1ms);
        });
        QueuePair pair = partition.create_queue_pair(direct_options(queue)).value();
        pair.post_receive(memory.slice(0, 64), 1).value();
        std::thread killer([&] {
            std::this_thread::sleep_for(std::chrono::microseconds(200 * round));
            EXPECT_TRUE(mortal.kill());
        });
        const auto accepted = listener.accept(pair, 200ms);
        killer.join();
        if (!accepted.has_value() && pair.state() == QueuePair::State::idle)
            continue;  // it died before it asked
        EXPECT_NE(await_ends(1, Wait::block).at(1), Status::success);
        EXPECT_EQ(pair.state(), QueuePair::State::closed);
    }
}

}  // namespace
}  // namespace causeway::test
