#include "shm/ring.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <causeway/abi/queue_pair.hpp>
#include <span>
#include <thread>
#include <vector>

#include "shm/queue_pair_view.hpp"
#include "support/guarded_area.hpp"
#include "support/random.hpp"

namespace causeway::test {
namespace {

using abi::Completion;
using abi::Descriptor;

Descriptor descriptor(std::uint64_t id) {
    Descriptor d{};
    d.control.opcode = 1;
    d.control.id = id;
    d.address.address = ~id;
    d.data[1].address = id * 3;
    return d;
}

bool is(const Descriptor& d, std::uint64_t id) {
    return d.control.id == id && d.address.address == ~id && d.data[1].address == id * 3;
}

template<typename Entry>
struct Ring {
    explicit Ring(std::uint32_t entries)
        : memory(std::size_t{entries} * 64, GuardedArea::Place::at_start),
          producer(memory.data(), entries),
          consumer(memory.data(), entries) {}
    GuardedArea memory;
    shm::Producer<Entry> producer;
    shm::Consumer<Entry> consumer;
};

TEST(Ring, ZeroedMemoryHoldsNothing) {
    const Ring<Descriptor> ring(8);
    Descriptor out;
    EXPECT_FALSE(ring.consumer.ready());
    EXPECT_FALSE(ring.consumer.peek(out));
    EXPECT_FALSE(ring.consumer.ready());
}

TEST(Ring, KeepsOrderOver600Laps) {
    Ring<Descriptor> ring(4);
    Random random(1);
    std::uint64_t in = 0;
    std::uint64_t out = 0;
    while (out < 600 * 4) {
        for (auto n = random.between(0, ring.producer.room(out)); n-- > 0;) {
            ring.producer.publish(descriptor(in++));
        }
        EXPECT_EQ(ring.consumer.ready(), in != out);
        if (in != out) {
            EXPECT_TRUE(ring.consumer.ready(static_cast<std::uint32_t>(in - out) - 1));
        }
        for (auto n = random.between(0, in - out); n-- > 0; ++out) {
            Descriptor d;
            ASSERT_EQ(ring.consumer.next_slot(), out % 4);
            ASSERT_TRUE(ring.consumer.peek(d));
            ASSERT_TRUE(is(d, out)) << out;
            ring.consumer.advance();
        }
        Descriptor beyond;
        ASSERT_FALSE(ring.consumer.peek(beyond, static_cast<std::uint32_t>(in - out)) &&
                     in - out < 4);
    }
    EXPECT_TRUE(ring.memory.intact());
}

TEST(Ring, RoomBelievesNoFalseIndex) {
    Ring<Descriptor> ring(8);
    for (std::uint64_t i = 0; i < 5; ++i)
        ring.producer.publish(descriptor(i));
    EXPECT_EQ(ring.producer.room(0), 3U);
    EXPECT_EQ(ring.producer.room(5), 8U);
    EXPECT_EQ(ring.producer.room(6), 0U);  // ahead of what was produced
    EXPECT_EQ(ring.producer.room(13), 0U);
    EXPECT_EQ(ring.producer.room(std::uint64_t{1} << 32), 0U);
    EXPECT_EQ(ring.producer.room(UINT64_MAX), 2U);  // one behind zero: six in use, by its word
    EXPECT_EQ(ring.producer.room(UINT64_MAX - 2), 0U);
}

TEST(Ring, ProducerSetsThePhaseWhateverTheEntrySays) {
    Ring<Completion> ring(4);
    for (std::uint64_t i = 0; i < 10; ++i) {
        Completion c{};
        c.phase = 0x55;
        c.sequence = i;
        ring.producer.publish(c);
        ASSERT_TRUE(ring.consumer.peek(c));
        EXPECT_EQ(c.phase, abi::phase_of_lap(i, 4));
        EXPECT_EQ(c.sequence, i);
        ring.consumer.advance();
    }
}

TEST(Ring, ChainGoesAroundTheEnd) {
    Ring<Descriptor> ring(8);
    std::uint64_t next = 0;
    for (int lap = 0; lap < 100; ++lap) {
        std::vector<Descriptor> chain;
        for (int i = 0; i < 5; ++i)
            chain.push_back(descriptor(next + chain.size()));
        ring.producer.publish(std::span(chain));
        for (std::uint32_t i = 0; i < 5; ++i) {
            Descriptor d;
            ASSERT_TRUE(ring.consumer.peek(d, i));
            ASSERT_TRUE(is(d, next + i));
        }
        EXPECT_FALSE(ring.consumer.ready(5));
        ring.consumer.advance(5);
        next += 5;
    }
}

// A reader that sees the head of a chain sees the whole chain, and a slot's body is that of its
// phase: one thread writes chains of random length, another takes them apart at the same time.
TEST(Ring, ReaderThreadSeesWholeChainsOnly) {
    constexpr std::uint32_t kEntries = 32;
    constexpr std::uint64_t kTotal = 400'000;
    Ring<Descriptor> ring(kEntries);
    std::atomic<std::uint64_t> read{0};
    std::atomic<bool> stop{false};
    std::thread writer([&] {
        Random random(7);
        std::uint64_t next = 0;
        while (next < kTotal) {
            std::array<Descriptor, 16> chain;
            const auto size = static_cast<std::uint32_t>(random.between(1, 16));
            while (ring.producer.room(read.load(std::memory_order_acquire)) < size) {
                if (stop.load(std::memory_order_relaxed))
                    return;
                std::this_thread::yield();
            }
            for (std::uint32_t i = 0; i < size; ++i) {
                chain[i] = descriptor(next + i);
                chain[i].control.immediate = size - i;
            }
            ring.producer.publish(std::span(chain).first(size));
            next += size;
        }
    });
    std::uint64_t next = 0;
    std::uint64_t wrong = 0;
    while (next < kTotal && wrong == 0) {
        Descriptor head;
        if (!ring.consumer.peek(head)) {
            std::this_thread::yield();
            continue;
        }
        const std::uint32_t size = head.control.immediate;
        wrong += size >= 1 && size <= 16 && is(head, next) ? 0 : 1;
        for (std::uint32_t i = 1; i < size && wrong == 0; ++i) {
            Descriptor d;
            wrong += ring.consumer.peek(d, i) && is(d, next + i) ? 0 : 1;
        }
        ring.consumer.advance(size);
        next += size;
        read.store(next, std::memory_order_release);
    }
    stop.store(true, std::memory_order_relaxed);
    writer.join();
    EXPECT_EQ(wrong, 0U) << "at entry " << next;
}

TEST(QueuePairView, BothSidesSeeTheSameRings) {
    const abi::QueuePairShape shape{4, 8, 16, 32};
    GuardedArea memory(abi::queue_pair_offsets(shape).total, GuardedArea::Place::at_start);
    const shm::QueuePairView view(memory.data(), shape);
    auto sends = view.send_producer();
    auto receives = view.receive_producer();
    auto send_done = view.send_completer();
    auto receive_done = view.receive_completer();
    // Fill every slot: rings that overlapped, or lay past the end, would show.
    for (std::uint64_t i = 0; i < 4; ++i)
        sends.publish(descriptor(100 + i));
    for (std::uint64_t i = 0; i < 8; ++i)
        receives.publish(descriptor(200 + i));
    for (std::uint32_t i = 0; i < 16; ++i) {
        Completion c{};
        c.slot = 300 + i;
        send_done.publish(c);
    }
    for (std::uint32_t i = 0; i < 32; ++i) {
        Completion c{};
        c.slot = 400 + i;
        receive_done.publish(c);
    }
    const auto sends_in = view.send_consumer();
    const auto receives_in = view.receive_consumer();
    const auto send_done_in = view.send_completions();
    const auto receive_done_in = view.receive_completions();
    Descriptor d;
    Completion c;
    for (std::uint32_t i = 0; i < 4; ++i)
        EXPECT_TRUE(sends_in.peek(d, i) && is(d, 100 + i));
    for (std::uint32_t i = 0; i < 8; ++i)
        EXPECT_TRUE(receives_in.peek(d, i) && is(d, 200 + i));
    for (std::uint32_t i = 0; i < 16; ++i) {
        EXPECT_TRUE(send_done_in.peek(c, i) && c.slot == 300 + i);
    }
    for (std::uint32_t i = 0; i < 32; ++i) {
        EXPECT_TRUE(receive_done_in.peek(c, i) && c.slot == 400 + i);
    }
    for (std::size_t i = 0; i < sizeof(abi::QueuePairLayout); ++i) {
        ASSERT_EQ(memory.bytes()[i], std::byte{0}) << "a ring reaches into the header at " << i;
    }
    EXPECT_TRUE(memory.intact());
}

}  // namespace
}  // namespace causeway::test
