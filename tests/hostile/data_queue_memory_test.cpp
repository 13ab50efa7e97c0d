// A partition writes garbage into every byte of its queue memory, while descriptors are in flight
// and while the adapter reads.
#include <fcntl.h>

#include <thread>

#include "support/holes.hpp"
#include "support/hostile_world.hpp"

namespace causeway::test {
namespace {

// Bytes that the peer or the adapter may look at at the same moment.
void flip(std::byte& byte, std::uint8_t mask) {
    __atomic_fetch_xor(reinterpret_cast<std::uint8_t*>(&byte), mask, __ATOMIC_RELAXED);
}
void put(std::byte& byte, std::uint8_t value) {
    __atomic_store_n(reinterpret_cast<std::uint8_t*>(&byte), value, __ATOMIC_RELAXED);
}

class QueueMemoryHostile : public DataHostile {
protected:
    static constexpr std::uint64_t kRegion = 64 << 10;

    void SetUp() override {
        DataHostile::SetUp();
        region = attacker->allocate(kRegion, abi::right::kRemoteRead);
        renew();
    }
    void TearDown() override {
        pair = {};
        DataHostile::TearDown();
    }

    void renew(const abi::QueuePairShape& shape = kSmallShape) {
        if (pair.memory.valid())
            attacker->disconnect(pair);
        pair = {};
        pair = connected(shape);
        ++pairs;
    }
    // One of each kind, none of which is wrong by itself.
    void post(std::uint64_t n) {
        constexpr std::uint8_t kSignaled = abi::descriptor_flag::kSignaled;
        const Remote window = victim->window();
        abi::Descriptor descriptor = make_descriptor(abi::Opcode::send, kSignaled);
        switch (n % 4) {
            case 0:
                descriptor.control.segments = 1;
                descriptor.data[0] = region.piece(0, 200);
                break;
            case 1:
                descriptor = make_descriptor(abi::Opcode::write, kSignaled);
                descriptor.control.segments = 2;
                descriptor.address = {window.handle, window.generation, window.address};
                descriptor.data[0] = region.piece(0, 1024);
                descriptor.data[1] = region.piece(4096, 1024);
                break;
            case 2:
                descriptor = make_descriptor(abi::Opcode::read, kSignaled);
                descriptor.control.segments = 1;
                descriptor.address = {window.handle, window.generation, window.address + 8};
                descriptor.data[0] = region.piece(8192, 8192);
                break;
            default:
                descriptor = make_descriptor(abi::Opcode::append, kSignaled);
                descriptor.control.segments = 1;
                descriptor.address = {window.handle, window.generation, 0};
                descriptor.data[0] = region.piece(0, 64);
        }
        pair.sends.publish(descriptor);
        abi::Descriptor receive = make_descriptor(abi::Opcode::receive, 0);
        receive.control.segments = 1;
        receive.data[0] = region.piece(16384, 512);
        if (n % 2 == 0)
            pair.receives.publish(receive);
    }
    // Gives the adapter a moment with what stands there now; whether anything completed.
    bool linger() {
        for (int i = 0; i < 40; ++i) {
            if (pair.send_completions.ready() || pair.ended())
                return !pair.ended();
            std::this_thread::yield();
        }
        return false;
    }

    RawRegion region;
    RawPair pair;
    std::uint64_t pairs = 0;
};

TEST_F(QueueMemoryHostile, FlipsEveryByteWhileDescriptorsAreInFlight) {
    for (const std::uint8_t mask : std::initializer_list<std::uint8_t>{0xff, 0x01, 0x80}) {
        for (std::size_t position = 0; position < pair.bytes().size(); ++position) {
            post(position);
            if (position % 2 == 0)
                attacker->ring(pair);
            flip(pair.bytes()[position], mask);
            attacker->ring(pair);
            const bool moved = linger();
            flip(pair.bytes()[position], mask);
            (void)pair.take_all();
            if (!moved || position % 64 == 0)
                renew();
        }
        ASSERT_TRUE(bystanders->go_on()) << bystanders->trouble();
        ASSERT_EQ(victim->check(), "");
    }
    // The attack reached the adapter: connections were made and used all along.
    EXPECT_GT(pairs, 64u);
    EXPECT_GT(victim->received(), 0u);
}

TEST_F(QueueMemoryHostile, WritesRandomPairsOfBytes) {
    Random random(20011);
    for (int round = 0; round < 4000; ++round) {
        post(random.next());
        const std::size_t used = abi::queue_pair_offsets(kSmallShape).receive_completions;
        for (int i = 0; i < 2; ++i)
            put(pair.bytes()[random.below(used)], static_cast<std::uint8_t>(random.next()));
        attacker->ring(pair);
        if (!linger() || round % 16 == 0)
            renew();
        else
            (void)pair.take_all();
    }
    EXPECT_GT(pairs, 250u);
}

TEST_F(QueueMemoryHostile, MutatesWhileItIsBeingRead) {
    // A queue pair seldom survives long: many short lives, each with its own mutator.
    const std::size_t rings = abi::queue_pair_offsets(kSmallShape).receive_completions - 64;
    std::atomic<std::uint64_t> mutations{0};
    for (std::uint64_t round = 0; round < 250; ++round) {
        std::atomic<bool> stop{false};
        std::thread mutator([&, memory = pair.bytes().subspan(64, rings)] {
            Random random(round);
            while (!stop.load(std::memory_order_relaxed)) {
                put(memory[random.below(rings)], static_cast<std::uint8_t>(random.next()));
                // On a busy machine the others are to have their turns.
                if (mutations.fetch_add(1, std::memory_order_relaxed) % 256 == 255)
                    std::this_thread::yield();
            }
        });
        for (std::uint64_t n = 0; n < 24; ++n) {
            post(n + round);
            if (n % 4 == 0)
                attacker->ring(pair);
            std::this_thread::yield();
            (void)pair.take_all();
        }
        stop.store(true);
        mutator.join();
        renew();
    }
    EXPECT_GT(mutations.load(), 5'000u);
    EXPECT_TRUE(bystanders->go_on(20)) << bystanders->trouble();
}

// The descriptor of its queue memory is for writing and no seal forbids holes, so it can take pages
// away under the adapter at any time; they come back as zeros.
TEST_F(QueueMemoryHostile, PunchesHolesIntoItsQueueMemory) {
    for (int round = 0; round < 200; ++round) {
        post(static_cast<std::uint64_t>(round));
        ASSERT_EQ(::fallocate(pair.file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                              static_cast<off_t>(pair.memory.size())),
                  0);
        attacker->ring(pair);
        (void)linger();
        renew();
    }
}

// A fault waits while a hole is being punched where it is: without end, here.
TEST_F(QueueMemoryHostile, PunchesHolesWhileItIsBeingServed) {
    constexpr std::uint32_t kEntries = 1024;
    std::uint64_t punched = 0;
    for (std::uint64_t round = 0; round < 20; ++round) {
        renew({kEntries, kEntries, kEntries, kEntries});
        const Holes holes(pair.file.get(), pair.memory.size(), round);
        for (std::uint64_t n = 0; n < 200; ++n) {
            post(n + round);
            attacker->ring(pair);
            std::this_thread::yield();
            (void)pair.take_all();
        }
        ASSERT_TRUE(bystanders->go_on(2)) << bystanders->trouble();
        punched += holes.count();
    }
    EXPECT_GT(punched, 1000u);
}

TEST_F(QueueMemoryHostile, ClaimsToHaveReadWhatItHasNot) {
    // Published indices from behind the beginning to far beyond the end.
    Random random(7);
    for (const std::uint64_t claim :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 31, std::uint64_t{1} << 32,
          ~std::uint64_t{0}, ~std::uint64_t{0} - 3, std::uint64_t{1} << 63}) {
        for (int i = 0; i < 20; ++i) {
            pair.view.layout().send_completions_read.store(claim + random.below(4));
            pair.view.layout().receive_completions_read.store(claim - random.below(4));
            pair.view.layout().polled.store(static_cast<std::uint32_t>(random.next()));
            post(static_cast<std::uint64_t>(i));
            attacker->ring(pair);
            std::this_thread::yield();
        }
        renew();
    }
}

}  // namespace
}  // namespace causeway::test
