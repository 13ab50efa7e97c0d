// Descriptors of every kind that nobody honest posts. Each ends: by a completion with the status
// that it deserves, or with its queue pair. None does more than its poster may.
#include <poll.h>

#include <limits>

#include "support/hostile_world.hpp"

namespace causeway::test {
namespace {

namespace flag = abi::descriptor_flag;
using abi::Opcode;

constexpr abi::QueuePairShape kShape{32, 32, 32, 32};
constexpr std::uint64_t kRegion = 64 << 10;

class DescriptorHostile : public DataHostile {
protected:
    enum class End { completed, closed, nothing };
    struct Outcome {
        End end = End::nothing;
        Status status = Status::success;
    };

    void SetUp() override {
        DataHostile::SetUp();
        region = attacker->allocate(kRegion, 0);
        pair = connected(kShape);
    }
    void TearDown() override {
        pair = {};
        DataHostile::TearDown();
    }

    void renew() {
        attacker->disconnect(pair);
        pair = {};
        pair = connected(kShape);
        ++closed;
    }
    // Posts the chain and a marker behind it; how the chain ended. A closed pair is made anew.
    Outcome end_of(std::span<abi::Descriptor> chain) {
        const auto opcode = chain[0].control.opcode;
        pair.sends.publish(chain);
        pair.sends.publish(make_descriptor(Opcode::nop, flag::kSignaled));
        attacker->ring(pair);
        Outcome outcome{End::completed, Status::success};
        for (int waited = 0; waited < 30'000;) {
            if (const auto completion = pair.take_send()) {
                if (completion->opcode == static_cast<std::uint8_t>(Opcode::nop) &&
                    completion->opcode != opcode)
                    return outcome;  // the marker: what was before it has ended
                outcome.status = static_cast<Status>(completion->status);
                if (opcode == static_cast<std::uint8_t>(Opcode::nop))
                    return outcome;
                continue;
            }
            if (pair.ended() && !pair.send_completions.ready()) {
                outcome.end = End::closed;
                renew();
                return outcome;
            }
            waited += ::poll(nullptr, 0, waited < 50 ? 0 : 1) + 1;
        }
        return {};
    }
    Outcome end_of(abi::Descriptor descriptor) { return end_of(std::span(&descriptor, 1)); }

    RawRegion region;
    RawPair pair;
    std::uint64_t closed = 0;
};

TEST_F(DescriptorHostile, TriesEveryOpcodeWithEveryFlag) {
    const Remote window = victim->window();
    Random random(3);
    std::uint64_t completed = 0;
    for (unsigned opcode = 0; opcode < 256; opcode += opcode < 8 ? 1 : 61) {
        for (unsigned flags = 0; flags < 256; flags += flags < 32 ? 1 : 37) {
            for (const unsigned segments : {0U, 1U, 2U, 3U, 33U, 255U}) {
                abi::Descriptor descriptor{};
                descriptor.control.opcode = static_cast<std::uint8_t>(opcode);
                descriptor.control.flags = static_cast<std::uint8_t>(flags);
                descriptor.control.segments = static_cast<std::uint8_t>(segments);
                if (random.one_in(2))
                    descriptor.address = {window.handle, window.generation, window.address};
                if (segments >= 1 && segments <= 2)
                    descriptor.data[0] = region.piece(0, 16);
                if (segments == 2)
                    descriptor.data[1] = region.piece(16, 16);
                const Outcome outcome = end_of(descriptor);
                ASSERT_NE(outcome.end, End::nothing)
                    << "opcode " << opcode << " flags " << flags << " segments " << segments;
                completed += outcome.end == End::completed ? 1 : 0;
            }
        }
    }
    // Both kinds of answer occurred, so both were tested.
    EXPECT_GT(completed, 50u);
    EXPECT_GT(closed, 500u);
}

// The oracle is the specification, computed here in wider numbers.
TEST_F(DescriptorHostile, ReachesNothingWithExtremeLengthsAndAddresses) {
    __extension__ using Wide = unsigned __int128;
    const auto inside = [](std::uint64_t base, std::uint64_t size, std::uint64_t address,
                           std::uint64_t length) {
        return address >= base && Wide(address) + length <= Wide(base) + size;
    };
    const std::uint64_t top = std::numeric_limits<std::uint64_t>::max();
    Remote stale = victim->window();
    stale.generation ^= 1;
    Remote blank = victim->window();
    blank.generation = 0;
    const Remote remotes[] = {victim->window(),
                              victim->read_only(),
                              victim->secret(),
                              {0, 0, 0},
                              {~0U, ~0U, top},
                              stale,
                              blank};
    const std::uint32_t lengths[] = {0,     1,          33,         4096,       65536,
                                     65537, 0x7fffffff, 0x80000000, 0xffffff00, 0xffffffff};
    Random random(11);
    std::uint64_t successes = 0;
    std::uint64_t refusals = 0;
    for (int round = 0; round < 6000; ++round) {
        const Opcode opcodes[] = {Opcode::write, Opcode::read, Opcode::append, Opcode::send};
        const Opcode opcode = random.pick(opcodes);
        const Remote remote = random.pick(remotes);
        const std::uint32_t length = random.pick(lengths);
        const std::uint64_t bases[] = {region.address(), remote.address, 0, top,
                                       std::uint64_t{1} << 63};
        const std::uint64_t deltas[] = {
            0, 1, kRegion - 1, kRegion, 0 - std::uint64_t{1}, 0 - std::uint64_t{length}};
        const std::uint32_t handles[] = {region.handle, region.handle, 0,
                                         ~0U,           remote.handle, victim->receive_handle()};
        // Every other one is right at its own side, so that the other side decides.
        const bool honest = random.one_in(2);
        abi::Descriptor descriptor = make_descriptor(opcode, flag::kSignaled);
        descriptor.control.segments = 1;
        descriptor.data[0] = {length, honest ? region.handle : random.pick(handles),
                              honest ? region.address() : random.pick(bases) + random.pick(deltas)};
        if (opcode != Opcode::send) {
            descriptor.address = {
                remote.handle, remote.generation,
                opcode == Opcode::append ? 0 : remote.address + random.pick(deltas)};
        }
        const Outcome outcome = end_of(descriptor);
        ASSERT_EQ(outcome.end, End::completed) << "round " << round;
        const bool own_side =
            length == 0 || (descriptor.data[0].handle == region.handle &&
                            inside(region.address(), kRegion, descriptor.data[0].address, length));
        const bool window = remote.handle == victim->window().handle &&
                            remote.generation == victim->window().generation;
        const bool readable = window || remote.handle == victim->read_only().handle;
        bool other_side = false;
        if (opcode == Opcode::send)
            other_side = length <= Victim::kReceive;
        else if (opcode == Opcode::append)
            other_side = window && length <= Victim::kWindow;  // the offset may refuse it, too
        else
            other_side =
                (opcode == Opcode::write ? window : readable) &&
                inside(remote.address, Victim::kWindow, descriptor.address.address, length);
        const bool ok = outcome.status == Status::success;
        if (!own_side || !other_side) {
            ASSERT_FALSE(ok) << "round " << round << " opcode " << int(descriptor.control.opcode)
                             << " length " << length << " handle " << descriptor.data[0].handle;
        }
        if (own_side && other_side && (opcode == Opcode::write || opcode == Opcode::read)) {
            ASSERT_TRUE(ok) << "round " << round << ": " << cw_status_name(int(outcome.status));
        }
        ++(ok ? successes : refusals);
    }
    EXPECT_GT(successes, 100u);
    EXPECT_GT(refusals, 1000u);
    EXPECT_EQ(closed, 0u);  // not one of them breaks the format
}

TEST_F(DescriptorHostile, SumsOfSegmentsBeyondTheLengthOfAMessageAreRefused) {
    std::vector<abi::Descriptor> chain;
    for (int i = 0; i < 4; ++i) {
        auto part = make_descriptor(Opcode::write, i == 0 ? flag::kSignaled : std::uint8_t{0});
        part.control.flags |= i < 3 ? flag::kMore : std::uint8_t{0};
        part.control.segments = 2;
        part.data[0] = region.piece(0, 0xffffffff);
        part.data[1] = region.piece(0, 0xffffffff);
        chain.push_back(part);
    }
    const Remote window = victim->window();
    chain[0].address = {window.handle, window.generation, window.address};
    const Outcome outcome = end_of(chain);
    EXPECT_EQ(outcome.end, End::completed);
    EXPECT_EQ(outcome.status, Status::local_length);
}

TEST_F(DescriptorHostile, ChainsOfEveryLengthEnd) {
    const Remote window = victim->window();
    for (std::size_t length = 1; length <= 20; ++length) {
        std::vector<abi::Descriptor> chain(length);
        for (std::size_t i = 0; i < length; ++i) {
            chain[i] = make_descriptor(Opcode::write, i == 0 ? flag::kSignaled : std::uint8_t{0});
            chain[i].control.flags |= i + 1 < length ? flag::kMore : std::uint8_t{0};
            chain[i].control.segments = 1;
            chain[i].data[0] = region.piece(i * 64, 64);
        }
        chain[0].address = {window.handle, window.generation, window.address};
        const Outcome outcome = end_of(chain);
        EXPECT_EQ(outcome.end, length <= abi::kMaxChain ? End::completed : End::closed) << length;
        EXPECT_EQ(outcome.status,
                  length <= abi::kMaxChain ? Status::success : Status::bad_descriptor);
        // One link of another kind, or with what only a head may have.
        if (length < 2)
            continue;
        for (int kind = 0; kind < 4; ++kind) {
            std::vector<abi::Descriptor> broken = chain;
            abi::Descriptor& link = broken[1];
            if (kind == 0)
                link.control.opcode = static_cast<std::uint8_t>(Opcode::send);
            else if (kind == 1)
                link.control.id = 1;
            else if (kind == 2)
                link.address = chain[0].address;
            else
                link.control.flags |= flag::kSignaled;
            EXPECT_EQ(end_of(broken).end, End::closed) << length << " kind " << kind;
        }
    }
}

TEST_F(DescriptorHostile, RandomDescriptorsEnd) {
    Random random(5);
    for (int round = 0; round < 2000; ++round) {
        abi::Descriptor descriptor;
        random.fill(std::as_writable_bytes(std::span(&descriptor, 1)));
        // Mostly near what is valid, or everything ends at the first check.
        if (!random.one_in(4)) {
            descriptor.control.opcode = static_cast<std::uint8_t>(random.between(1, 6));
            descriptor.control.flags &= flag::kSignaled | flag::kFence | flag::kInline;
            descriptor.control.segments = static_cast<std::uint8_t>(random.below(3));
            descriptor.control.immediate = 0;
        }
        ASSERT_NE(end_of(descriptor).end, End::nothing) << "round " << round;
    }
}

}  // namespace
}  // namespace causeway::test
