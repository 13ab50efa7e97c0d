#include "engine/format.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "support/engine_world.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Descriptor;
using engine::Taken;
using engine::Work;

enum class Queue { send, receive };

constexpr std::uint32_t kMostEntries = 32;

// Memory for one ring of at most kMostEntries, zeroed.
std::byte* fresh_ring() {
    static const GuardedArea memory(std::size_t{kMostEntries} * 64, GuardedArea::Place::at_start);
    std::memset(memory.data(), 0, memory.size());
    return memory.data();
}

// A ring with these descriptors published, and what the engine makes of it.
struct Attempt {
    explicit Attempt(std::vector<Descriptor> chain, Queue queue = Queue::send,
                     std::uint32_t entries = kMostEntries)
        : memory(fresh_ring()) {
        shm::DescriptorProducer producer(memory, entries);
        producer.publish(std::span(chain));
        const shm::DescriptorConsumer consumer(memory, entries);
        taken = queue == Queue::send ? engine::take_send(consumer, work)
                                     : engine::take_receive(consumer, work);
    }
    std::byte* memory;
    Work work;
    Taken taken;
};

Descriptor plain(std::uint8_t opcode, std::uint8_t flags, std::uint8_t segments = 0) {
    Descriptor d{};
    d.control.opcode = opcode;
    d.control.flags = flags;
    d.control.segments = segments;
    return d;
}

TEST(Format, NothingPublishedIsNothing) {
    const GuardedArea memory(64 * 4, GuardedArea::Place::at_start);
    const shm::DescriptorConsumer ring(memory.data(), 4);
    Work work;
    EXPECT_EQ(engine::take_send(ring, work), Taken::none);
    EXPECT_EQ(engine::take_receive(ring, work), Taken::none);
}

// Every opcode with every flag byte, on both queues: exactly the combinations listed here pass.
TEST(Format, EveryOpcodeWithEveryFlagByte) {
    constexpr std::uint8_t kSigFence = flag::kSignaled | flag::kFence;
    const std::map<int, std::uint8_t> may = {
        {1, kSigFence | flag::kImmediate | flag::kInline},  // send
        {3, kSigFence | flag::kImmediate | flag::kInline},  // write
        {4, kSigFence},                                     // read
        {5, kSigFence | flag::kInline},                     // append
        {6, kSigFence},                                     // nop
    };
    for (int opcode = 0; opcode < 256; ++opcode) {
        for (int flags = 0; flags < 256; ++flags) {
            const Descriptor d =
                plain(static_cast<std::uint8_t>(opcode), static_cast<std::uint8_t>(flags));
            const auto allowed = may.find(opcode);
            // kMore alone is refused as well: nothing follows.
            const bool good = allowed != may.end() && (flags & ~allowed->second) == 0;
            ASSERT_EQ(Attempt({d}).taken, good ? Taken::work : Taken::bad)
                << opcode << " " << flags;
            ASSERT_EQ(Attempt({d}, Queue::receive).taken,
                      opcode == 2 && flags == 0 ? Taken::work : Taken::bad)
                << opcode << " " << flags;
        }
    }
}

TEST(Format, EverySegmentCount) {
    for (int opcode = 1; opcode <= 6; ++opcode) {
        const Queue queue = opcode == 2 ? Queue::receive : Queue::send;
        for (int segments = 0; segments < 256; ++segments) {
            const auto o = static_cast<std::uint8_t>(opcode);
            const auto s = static_cast<std::uint8_t>(segments);
            const int most = opcode == 6 ? 0 : 2;
            EXPECT_EQ(Attempt({plain(o, 0, s)}, queue).taken,
                      segments <= most ? Taken::work : Taken::bad)
                << opcode << " " << segments;
            if (opcode == 1 || opcode == 3 || opcode == 5) {
                const Attempt in_line({plain(o, flag::kInline, s)});
                EXPECT_EQ(in_line.taken, segments <= 32 ? Taken::work : Taken::bad) << segments;
                if (segments <= 32) {
                    EXPECT_EQ(in_line.work.length, static_cast<std::uint64_t>(segments));
                    EXPECT_EQ(in_line.work.segments, 0U);
                }
            }
        }
    }
}

// Golden list: which single bytes, set in an otherwise empty descriptor, are refused. Phase (byte
// 3) and id (8-15) are free; immediate needs its flag; the rest depends on what is used.
TEST(Format, EveryByteThatIsNotUsedMustBeZero) {
    struct Case {
        const char* name;
        Descriptor base;
        Queue queue;
        std::set<int> free;  // bytes that may be anything
    };
    const auto range = [](std::initializer_list<std::pair<int, int>> parts) {
        std::set<int> bytes;
        for (const auto& [from, to] : parts) {
            for (int i = from; i < to; ++i)
                bytes.insert(i);
        }
        return bytes;
    };
    const Case cases[] = {
        {"send, no segment", plain(1, 0), Queue::send, range({{8, 16}})},
        {"send with immediate", plain(1, flag::kImmediate), Queue::send, range({{4, 16}})},
        {"send, one segment", plain(1, 0, 1), Queue::send, range({{8, 16}, {32, 48}})},
        {"send, two segments", plain(1, 0, 2), Queue::send, range({{8, 16}, {32, 64}})},
        {"send, 5 inline bytes", plain(1, flag::kInline, 5), Queue::send,
         range({{8, 16}, {32, 37}})},
        {"write, one segment", plain(3, 0, 1), Queue::send, range({{8, 48}})},
        {"read, two segments", plain(4, 0, 2), Queue::send, range({{8, 64}})},
        {"append, 32 inline bytes", plain(5, flag::kInline, 32), Queue::send, range({{8, 64}})},
        {"append, no segment", plain(5, 0), Queue::send, range({{8, 32}})},
        {"nop", plain(6, 0), Queue::send, range({{8, 16}})},
        {"receive, no segment", plain(2, 0), Queue::receive, range({{8, 16}})},
        {"receive, one segment", plain(2, 0, 1), Queue::receive, range({{8, 16}, {32, 48}})},
    };
    for (const Case& c : cases) {
        ASSERT_EQ(Attempt({c.base}, c.queue).taken, Taken::work) << c.name;
        for (int byte = 4; byte < 64; ++byte) {
            for (const int value : {1, 0x80, 0xff}) {
                Descriptor d = c.base;
                reinterpret_cast<std::uint8_t*>(&d)[byte] = static_cast<std::uint8_t>(value);
                EXPECT_EQ(Attempt({d}, c.queue).taken,
                          c.free.count(byte) != 0 ? Taken::work : Taken::bad)
                    << c.name << ", byte " << byte << " = " << value;
            }
        }
    }
}

std::vector<Descriptor> chain_of(std::uint32_t descriptors, std::uint8_t opcode = 1) {
    Post post{.opcode = static_cast<abi::Opcode>(opcode), .segments = {}, .flags = 0};
    for (std::uint32_t i = 0; i < descriptors * 2; ++i)
        post.segments.push_back({i + 1, 7, i});
    return post.build();
}

TEST(Format, TakesChainsOfUpTo16) {
    for (const Queue queue : {Queue::send, Queue::receive}) {
        const std::uint8_t opcode = queue == Queue::send ? 1 : 2;
        for (std::uint32_t n = 1; n <= 20; ++n) {
            const Attempt attempt(chain_of(n, opcode), queue);
            if (n > abi::kMaxChain) {
                EXPECT_EQ(attempt.taken, Taken::bad) << n;
                continue;
            }
            ASSERT_EQ(attempt.taken, Taken::work) << n;
            EXPECT_EQ(attempt.work.descriptors, n);
            EXPECT_EQ(attempt.work.segments, 2 * n);
            EXPECT_EQ(attempt.work.length, std::uint64_t{2} * n * (2 * n + 1) / 2);
            for (std::uint32_t i = 0; i < 2 * n; ++i) {
                EXPECT_EQ(attempt.work.list[i].length, i + 1);
                EXPECT_EQ(attempt.work.list[i].address, i);
            }
        }
    }
}

TEST(Format, ChainMayFillARingButNotGoAroundIt) {
    EXPECT_EQ(Attempt(chain_of(8), Queue::send, 8).taken, Taken::work);
    // All four slots say "more": the fifth would be the head again.
    auto endless = chain_of(4);
    endless.back().control.flags |= flag::kMore;
    EXPECT_EQ(Attempt(endless, Queue::send, 4).taken, Taken::bad);
}

TEST(Format, ContinuationMustBeThereAndPlain) {
    const auto with = [](const std::function<void(Descriptor&)>& change) {
        auto chain = chain_of(3);
        change(chain[1]);
        return Attempt(chain).taken;
    };
    EXPECT_EQ(with([](Descriptor&) {}), Taken::work);
    EXPECT_EQ(with([](Descriptor& d) {
                  d.control.segments = 1;
                  d.data[1] = {};
              }),
              Taken::work);
    EXPECT_EQ(with([](Descriptor& d) { d.control.opcode = 3; }), Taken::bad);
    EXPECT_EQ(with([](Descriptor& d) { d.control.opcode = 2; }), Taken::bad);
    EXPECT_EQ(with([](Descriptor& d) { d.control.segments = 3; }), Taken::bad);
    EXPECT_EQ(with([](Descriptor& d) { d.control.segments = 1; }), Taken::bad);
    EXPECT_EQ(with([](Descriptor& d) { d.control.immediate = 1; }), Taken::bad);
    EXPECT_EQ(with([](Descriptor& d) { d.control.id = 1; }), Taken::bad);
    EXPECT_EQ(with([](Descriptor& d) { d.address.handle = 1; }), Taken::bad);
    EXPECT_EQ(with([](Descriptor& d) { d.address.generation = 1; }), Taken::bad);
    EXPECT_EQ(with([](Descriptor& d) { d.address.address = 1; }), Taken::bad);
    for (int bit = 0; bit < 8; ++bit) {
        const auto one = static_cast<std::uint8_t>(1 << bit);
        if (one == flag::kMore)
            continue;
        EXPECT_EQ(with([&](Descriptor& d) { d.control.flags |= one; }), Taken::bad) << bit;
    }
    // A head that promises more than was published.
    auto cut = chain_of(3);
    cut.pop_back();
    EXPECT_EQ(Attempt(cut).taken, Taken::bad);
}

TEST(Format, LengthsAddUpTo32BitsAndNoFurther) {
    const auto sum = [](std::uint32_t first, std::uint32_t second) {
        Descriptor d = plain(1, 0, 2);
        d.data[0].length = first;
        d.data[1].length = second;
        return Attempt({d});
    };
    EXPECT_EQ(sum(UINT32_MAX, 0).taken, Taken::work);
    EXPECT_EQ(sum(UINT32_MAX - 1, 1).work.length, UINT32_MAX);
    EXPECT_EQ(sum(UINT32_MAX, 1).taken, Taken::too_long);
    EXPECT_EQ(sum(UINT32_MAX, UINT32_MAX).taken, Taken::too_long);
    // As much as a chain can hold: 32 segments of 2^32-1.
    Post most{.opcode = abi::Opcode::write, .segments = {}, .flags = 0};
    for (int i = 0; i < 32; ++i)
        most.segments.push_back({UINT32_MAX, 1, 0});
    const Attempt attempt(most.build());
    EXPECT_EQ(attempt.taken, Taken::too_long);
    EXPECT_EQ(attempt.work.descriptors, 16U);
}

TEST(Format, TheSnapshotDoesNotChangeWithTheRing) {
    auto chain = chain_of(2);
    Attempt attempt(chain);
    ASSERT_EQ(attempt.taken, Taken::work);
    std::memset(attempt.memory, 0xff, 64 * 2);
    EXPECT_EQ(attempt.work.control.opcode, 1);
    EXPECT_EQ(attempt.work.list[3].length, 4U);
}

}  // namespace
}  // namespace causeway::test
