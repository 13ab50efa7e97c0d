// A granted peer writes garbage into all the queue memory that it can reach: its own inbound
// memory, from which the victim takes receives, and the victim's, in which the victim finds
// completions.
#include <fcntl.h>

#include <algorithm>
#include <cstring>

#include "support/direct_hostile.hpp"

namespace causeway::test {
namespace {

class DirectQueueMemory : public DirectHostile {
protected:
    // Header and rings; what lies behind them nobody looks at.
    static constexpr std::size_t kUsed =
        abi::queue_pair_offsets({0, 4, 0, 4}).receive_completions + 4 * abi::kCacheLine;

    void SetUp() override {
        DirectHostile::SetUp();
        renew();
    }
    [[nodiscard]] std::span<std::byte> memory(bool own) const {
        return own ? direct.own_bytes() : direct.peer_bytes();
    }
};

TEST_F(DirectQueueMemory, AnHonestPeerIsServed) {
    const auto reached = [&] { return victim->received() > 50; };
    for (std::uint64_t n = 0; due(n, 200, reached); ++n) {
        converse(n);
        if (!linger())
            break;
    }
    EXPECT_FALSE(pair.ended());
    EXPECT_TRUE(reached());
    EXPECT_TRUE(awaits([&] { return victim->sent(); }));
}

TEST_F(DirectQueueMemory, FlipsEveryByteWhileMessagesAreUnderWay) {
    for (const std::uint8_t mask : std::initializer_list<std::uint8_t>{0xff, 0x01, 0x80}) {
        for (const bool own : {true, false}) {
            ASSERT_LE(kUsed, memory(own).size());
            for (std::size_t position = 0; position < kUsed; ++position) {
                converse(position);
                flip(memory(own)[position], mask);
                direct.ring();
                const bool lives = linger();
                flip(memory(own)[position], mask);
                (void)direct.take_receives();
                if (!lives || position % 64 == 0)
                    renew();
            }
            expect_undisturbed();
        }
    }
    // The attack reached the victim: connections were made and used all along.
    EXPECT_GT(connections, 60u);
    EXPECT_GT(victim->received(), 100u);
    EXPECT_GT(victim->sent(), 100u);
}

TEST_F(DirectQueueMemory, WritesRandomBytes) {
    Random random(20011);
    for (std::uint64_t round = 0; round < 3000; ++round) {
        converse(round);
        for (int i = 0; i < 2; ++i) {
            const auto bytes = memory(random.one_in(2)).subspan(64, kUsed - 64);
            put(bytes[random.below(bytes.size())], static_cast<std::uint8_t>(random.next()));
        }
        direct.ring();
        if (!linger() || round % 16 == 0)
            renew();
    }
    EXPECT_GT(connections, 180u);
}

TEST_F(DirectQueueMemory, MutatesWhileItIsBeingRead) {
    std::atomic<std::uint64_t> mutations{0};
    for (std::uint64_t round = 0; round < 150; ++round) {
        std::atomic<bool> stop{false};
        std::thread mutator([&, one = direct.own_bytes().subspan(64, kUsed - 64),
                             two = direct.peer_bytes().subspan(64, kUsed - 64)] {
            Random random(round);
            while (!stop.load(std::memory_order_relaxed)) {
                const auto bytes = random.one_in(2) ? one : two;
                put(bytes[random.below(bytes.size())], static_cast<std::uint8_t>(random.next()));
                // On a busy machine the others are to have their turns.
                if (mutations.fetch_add(1, std::memory_order_relaxed) % 256 == 255)
                    std::this_thread::yield();
            }
        });
        for (std::uint64_t n = 0; n < 16; ++n) {
            converse(n + round);
            (void)linger();
        }
        stop.store(true);
        mutator.join();
        renew();
    }
    EXPECT_GT(mutations.load(), 5'000u);
    expect_undisturbed(20);
}

// The pages come back as zeros: nothing that the victim relies on stands there.
TEST_F(DirectQueueMemory, PunchesHolesIntoInboundMemoryAndPages) {
    for (std::uint64_t round = 0; round < 200; ++round) {
        converse(round);
        for (const int fd : {direct.own_file.get(), direct.peer_file.get(),
                             direct.bell_in->file.get(), direct.bell_out->file.get()}) {
            ASSERT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
        }
        direct.ring();
        (void)linger();
        if (round % 4 == 3)
            renew();
    }
}

TEST_F(DirectQueueMemory, ClaimsImpossibleIndicesAndStates) {
    Random random(7);
    for (const std::uint64_t claim :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 31, std::uint64_t{1} << 32,
          ~std::uint64_t{0}, ~std::uint64_t{0} - 3, std::uint64_t{1} << 63}) {
        for (std::uint64_t i = 0; i < 20; ++i) {
            for (abi::QueuePairLayout* layout : {&direct.own.layout(), &direct.peer.layout()}) {
                layout->receive_completions_read.store(claim + random.below(4));
                layout->send_completions_read.store(claim);
                layout->send_taken.store(claim);
                const auto small = static_cast<std::uint32_t>(claim + random.below(4));
                layout->attention.store(small);
                layout->polled.store(small);
                layout->open.store(small);
                layout->state.store(small);
                layout->executor.store(small);
                layout->revocations.store(small);
                layout->simple_receives.store(claim + random.below(4));
                layout->simple_room.store(small);
            }
            (void)direct.post_receive(region.piece(0, 16384));
            direct.ring();
            std::this_thread::yield();
        }
        // Its state is not its peer's to say.
        EXPECT_FALSE(pair.ended());
        renew();
    }
}

// Each of these says something of a receive that is not so.
TEST_F(DirectQueueMemory, CompletionsThatAreNotTrueEndTheConnection) {
    using abi::Opcode;
    namespace flag = abi::completion_flag;
    const auto completion = [](Opcode opcode, std::uint32_t slot, std::uint32_t length,
                               std::uint8_t flags = 0, std::uint8_t status = 0) {
        abi::Completion c{};
        c.opcode = static_cast<std::uint8_t>(opcode);
        c.slot = slot;
        c.length = length;
        c.flags = flags;
        c.status = status;
        return c;
    };
    const abi::Completion lies[] = {
        completion(Opcode::receive, 4, 1),           // beyond the ring
        completion(Opcode::receive, UINT32_MAX, 1),  //
        completion(Opcode::receive, 0, DirectVictim::kSlot + 1),
        completion(Opcode::receive, 0, UINT32_MAX),
        completion(Opcode::receive, 0, 33, flag::kPayload),
        completion(Opcode::receive, 0, UINT32_MAX, flag::kPayload),
        completion(Opcode::write, 0, 8, flag::kPayload),
        completion(Opcode::send, 0, 8),
        completion(Opcode::append, 0, 8),
        completion(Opcode{0}, 0, 8),
        completion(Opcode{255}, 0, 8),
        completion(Opcode::receive, 0, 8, 0x80),
        completion(Opcode::receive, 0, 8, 0, abi::kStatusCount),
        completion(Opcode::receive, 0, 8, 0, 255),
        completion(Opcode::receive, 0, 8, flag::kPayload, 1),
    };
    for (const abi::Completion& lie : lies) {
        ASSERT_TRUE(eventually([&] { return direct.peer_receives.ready(); }));
        const std::uint64_t closed = victim->closed();
        direct.complete(lie);
        direct.ring();
        EXPECT_TRUE(eventually([&] { return victim->closed() > closed; }))
            << "opcode " << int(lie.opcode) << " slot " << lie.slot << " length " << lie.length;
        renew();
    }
    // And the same slot twice.
    ASSERT_TRUE(eventually([&] { return direct.peer_receives.ready(); }));
    const std::uint64_t closed = victim->closed();
    direct.complete(completion(Opcode::receive, 1, 8, flag::kPayload));
    direct.complete(completion(Opcode::receive, 1, 8, flag::kPayload));
    direct.ring();
    EXPECT_TRUE(eventually([&] { return victim->closed() > closed; }));
}

// A receive that breaks the format: the victim, which executes it, ends the connection.
TEST_F(DirectQueueMemory, ReceivesThatBreakTheFormatEndTheConnection) {
    const auto receive = [&](auto&& change) {
        abi::Descriptor d = make_descriptor(abi::Opcode::receive, 0);
        d.control.segments = 1;
        d.data[0] = region.piece(0, 16384);
        change(d);
        return d;
    };
    const abi::Descriptor bad[] = {
        receive([](auto& d) { d.control.opcode = 1; }),
        receive([](auto& d) { d.control.opcode = 0; }),
        receive([](auto& d) { d.control.flags = abi::descriptor_flag::kInline; }),
        receive([](auto& d) { d.control.flags = 0xff; }),
        receive([](auto& d) { d.control.segments = 3; }),
        receive([](auto& d) { d.control.segments = 0; }),
        receive([](auto& d) { d.control.immediate = 1; }),
        receive([](auto& d) { d.address.handle = 1; }),
        receive([](auto& d) { d.control.flags = abi::descriptor_flag::kMore; }),
    };
    for (const abi::Descriptor& descriptor : bad) {
        const std::uint64_t closed = victim->closed();
        direct.receives.publish(descriptor);
        direct.ring();
        EXPECT_TRUE(eventually([&] { return victim->closed() > closed; }))
            << "opcode " << int(descriptor.control.opcode) << " flags "
            << int(descriptor.control.flags);
        renew();
    }
}

}  // namespace
}  // namespace causeway::test
