// The engine against one end of a queue pair that writes anything into every byte it can write: its
// header, its rings, its indices, at any moment. Deterministic: every failure names its seed or
// byte.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/engine_siege.hpp"

namespace causeway::test {
namespace {

using Side = EngineSiege::Side;

Side other(Side side) { return side == EngineSiege::left ? EngineSiege::right : EngineSiege::left; }

class EngineHostile : public testing::TestWithParam<Side> {
protected:
    Side attacker() const { return GetParam(); }
    Side honest() const { return other(attacker()); }

    // A round of honest work on both sides; the attacker's end does not mind what it hears.
    void work() {
        for (const Side side : {attacker(), honest()})
            siege.post_some(side);
        for (int i = 0; i < 4; ++i)
            siege.turn();
        (void)siege.take_some(attacker());
        const std::string heard = siege.take_some(honest());
        ASSERT_EQ(heard, "");
    }
    void expect_unharmed() {
        ASSERT_EQ(siege.damage(attacker()), "");
        ASSERT_EQ(siege.witness(), "");
        ASSERT_NE(siege.blamed(), honest()) << "the honest end was blamed";
    }

    EngineSiege siege;
};
INSTANTIATE_TEST_SUITE_P(Attackers, EngineHostile,
                         testing::Values(EngineSiege::left, EngineSiege::right),
                         [](const testing::TestParamInfo<Side>& side) {
                             return side.param == EngineSiege::left ? "Left" : "Right";
                         });

TEST_P(EngineHostile, HonestWorkHarmsNobody) {
    for (int i = 0; i < 500; ++i) {
        ASSERT_NO_FATAL_FAILURE(work());
        ASSERT_FALSE(siege.closed());
        for (const Side side : {attacker(), honest()}) {  // or the logs would be full
            auto& log = siege.regions(side).log->region;
            if (log.append_lock == 0)
                log.append_offset = 0;
        }
    }
    for (const Side side : {attacker(), honest()}) {
        EXPECT_GT(siege.end(side).endpoint.counters.operations.load(), 500U);
        EXPECT_EQ(siege.end(side).endpoint.counters.errors.load(), 0U);
    }
    expect_unharmed();
}

// Every byte of the queue memory, alone, turned in five ways, with work before and after.
TEST_P(EngineHostile, EveryByteFlipped) {
    const std::size_t size = siege.memory(attacker()).size();
    std::uint64_t broken = 0;
    for (std::size_t at = 0; at < size; ++at) {
        for (const unsigned mask : {0x01U, 0x10U, 0x80U, 0x7fU, 0xffU}) {
            siege.reset();
            siege.post_some(attacker());
            siege.post_some(honest());
            siege.turn();  // something is under way
            siege.memory(attacker()).data()[at] ^= static_cast<std::byte>(mask);
            for (int i = 0; i < 2 && !siege.closed(); ++i)
                ASSERT_NO_FATAL_FAILURE(work());
            broken += siege.closed() ? 1 : 0;
            ASSERT_NE(siege.blamed(), honest()) << at << " " << mask;
        }
        if (at % 16 == 15) {
            ASSERT_NO_FATAL_FAILURE(expect_unharmed()) << "byte " << at;
        }
    }
    EXPECT_GT(broken, 100U) << "the flips did not reach what is executed";
}

// Values that mean something to the engine: handles of everybody's regions, edges of numbers.
class Mischief {
public:
    Mischief(EngineSiege& siege, Side attacker, std::uint64_t seed)
        : random_(seed), at_(abi::queue_pair_offsets(EngineSiege::kShape)) {
        for (const Side side : {EngineSiege::left, EngineSiege::right}) {
            const auto& r = siege.regions(side);
            for (const TestRegion* region : {r.window, r.read_only, r.log, r.buffer, r.secret}) {
                known_.push_back(&region->region);
            }
        }
        memory_ = siege.memory(attacker).data();
    }

    // One write somewhere into the queue memory, whole and aligned as a partition's own would be.
    void strike() {
        if (random_.one_in(12)) {  // header and indices
            store(random_.below(24) * 8, edge());
        } else if (random_.one_in(6)) {  // anything, one byte
            const std::uint64_t where = random_.below(at_.total);
            std::uint64_t word = load(where & ~std::uint64_t{7});
            word ^= (random_.below(255) + 1) << (where % 8 * 8);
            store(where & ~std::uint64_t{7}, word);
        } else {  // a field of a descriptor that may be next
            const std::uint64_t ring = random_.one_in(3) ? at_.receive : at_.send;
            field(ring + random_.below(8) * 64);
        }
    }

private:
    void field(std::uint64_t slot) {
        const engine::Region& region = *known_[random_.below(known_.size())];
        switch (random_.below(6)) {
            case 0: {  // control: keep the phase most of the time
                const std::uint64_t first = load(slot);
                const std::uint64_t phase =
                    random_.one_in(4) ? first + (random_.below(3) << 24) : first;
                store(slot, random_.below(8) | random_.below(32) << 8 | random_.below(4) << 16 |
                                (phase & 0xff000000) | random_.below(2) << 32);
                break;
            }
            case 1:
                store(slot + 16, region.handle | std::uint64_t{region.generation} << 32);
                break;
            case 2:
                store(slot + 24, region.address + place());
                break;
            case 3:
                store(slot + 32 + random_.below(2) * 16,
                      length() | std::uint64_t{region.handle} << 32);
                break;
            case 4:
                store(slot + 40 + random_.below(2) * 16, region.address + place());
                break;
            default:
                store(slot + random_.below(8) * 8, edge());
                break;
        }
    }
    std::uint64_t place() {
        const std::uint64_t edges[] = {0, 1, 4096, 8191, 8192, 8193, UINT64_MAX, 4095};
        return random_.one_in(2) ? random_.pick(edges) : random_.below(8300);
    }
    std::uint64_t length() {
        const std::uint64_t edges[] = {0, 1, 31, 32, 33, 4096, 8192, 8193, UINT32_MAX, 0x80000000};
        return random_.one_in(2) ? random_.pick(edges) : random_.below(8300);
    }
    std::uint64_t edge() {
        const std::uint64_t edges[] = {0, 1,          7,          8,
                                       9, UINT32_MAX, UINT64_MAX, std::uint64_t{1} << 63};
        return random_.one_in(2) ? random_.pick(edges) : random_.next();
    }
    std::uint64_t load(std::uint64_t at) const {
        return __atomic_load_n(reinterpret_cast<std::uint64_t*>(memory_ + at), __ATOMIC_RELAXED);
    }
    void store(std::uint64_t at, std::uint64_t value) const {
        __atomic_store_n(reinterpret_cast<std::uint64_t*>(memory_ + at), value, __ATOMIC_RELAXED);
    }

    Random random_;
    abi::QueuePairOffsets at_;
    std::vector<const engine::Region*> known_;
    std::byte* memory_ = nullptr;
};

// Several writes at random moments of the work, with values that mean something.
TEST_P(EngineHostile, RandomWritesAtRandomMoments) {
    std::uint64_t broken = 0;
    for (std::uint64_t seed = 1; seed <= 6000; ++seed) {
        siege.reset();
        Mischief mischief(siege, attacker(), seed);
        Random moments(seed * 31);
        for (int round = 0; round < 4 && !siege.closed(); ++round) {
            for (const Side side : {attacker(), honest()})
                siege.post_some(side);
            for (int i = 0; i < 4; ++i) {
                for (auto n = moments.below(4); n-- > 0;)
                    mischief.strike();
                siege.turn();
            }
            (void)siege.take_some(attacker());
            ASSERT_EQ(siege.take_some(honest()), "") << "seed " << seed;
        }
        broken += siege.closed() ? 1 : 0;
        ASSERT_NO_FATAL_FAILURE(expect_unharmed()) << "seed " << seed;
    }
    EXPECT_GT(broken, 100U);
    EXPECT_LT(broken, 6000U);
}

// A thread that writes into the rings while the engine takes descriptors out of them.
TEST_P(EngineHostile, WritesWhileTheEngineReads) {
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> strikes{0};
    std::thread mutator([&] {
        Mischief mischief(siege, attacker(), 4711);
        while (!stop.load(std::memory_order_relaxed)) {
            mischief.strike();
            strikes.fetch_add(1, std::memory_order_relaxed);
        }
    });
    std::string trouble;
    std::uint64_t broken = 0;
    std::uint64_t operations = 0;
    // Until something was hit: on a busy machine the two threads may long not meet.
    const auto unmet = [&] { return broken == 0 && strikes.load() < 50'000'000; };
    for (int round = 0; (round < 20'000 || strikes.load() < 20'000 || unmet()) && trouble.empty();
         ++round) {
        for (const Side side : {attacker(), honest()})
            siege.post_some(side);
        for (int i = 0; i < 4; ++i)
            siege.turn();
        (void)siege.take_some(attacker());
        trouble = siege.take_some(honest());
        broken += siege.closed() ? 1 : 0;
        if (siege.blamed() == honest())
            trouble = "the honest end was blamed";
        operations += siege.end(honest()).endpoint.counters.operations.load();
        if (siege.closed() || round % 8 == 7)
            siege.reset();
        if (round % 64 == 0 && trouble.empty())
            trouble = siege.witness();
        if (round % 512 == 0 && trouble.empty())
            trouble = siege.damage(attacker());
    }
    stop = true;
    mutator.join();
    ASSERT_EQ(trouble, "");
    EXPECT_GT(broken, 0U);
    EXPECT_GT(operations, 0U);
    expect_unharmed();
}

}  // namespace
}  // namespace causeway::test
