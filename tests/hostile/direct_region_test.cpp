// A granted peer abuses regions: those that it was granted, by writing, punching and sealing, and
// its own, which the victim maps.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "support/direct_hostile.hpp"

namespace causeway::test {
namespace {

class DirectRegion : public DirectHostile {
protected:
    void SetUp() override {
        DirectHostile::SetUp();
        renew();
    }
    // Whatever of the victim's can be had, by trying handles.
    [[nodiscard]] std::vector<RawGrant> everything() {
        std::vector<RawGrant> grants;
        for (std::uint32_t handle = 1; handle <= 64; ++handle) {
            if (auto grant = direct.resolve(handle))
                grants.push_back(std::move(*grant));
        }
        return grants;
    }
    static void punch(int fd, std::uint64_t offset, std::uint64_t length) {
        (void)::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                          static_cast<off_t>(offset), static_cast<off_t>(length));
    }
};

TEST_F(DirectRegion, GetsWhatIsExportableAndNothingElse) {
    const auto grants = everything();
    // The victim has four regions, of which two are exportable; the friend's are not to be had.
    ASSERT_EQ(grants.size(), 2u);
    for (const RawGrant& grant : grants)
        EXPECT_NE(grant.terms.rights & abi::right::kExportable, 0u);
}

// What was granted is the attacker's to harm. What was not, and who does not use it, stays whole.
TEST_F(DirectRegion, ScribblesOverEverythingThatItWasGranted) {
    const auto grants = everything();
    ASSERT_FALSE(grants.empty());
    by_direct->set(DirectFriend::Content::whatever);
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> written{0};
    std::thread scribbler([&] {
        Random random(5);
        while (!stop.load(std::memory_order_relaxed)) {
            const auto bytes = grants[random.below(grants.size())].bytes();
            put(bytes[random.below(bytes.size())], static_cast<std::uint8_t>(random.next()));
            written.fetch_add(1, std::memory_order_relaxed);
        }
    });
    const auto reached = [&] { return victim->received() > 50; };
    for (std::uint64_t n = 0; due(n, 400, reached); ++n) {
        converse(n);
        if (!linger())
            renew();
    }
    expect_undisturbed(20);
    stop.store(true);
    scribbler.join();
    EXPECT_GT(written.load(), 10'000u);
    EXPECT_TRUE(reached());
}

// The pages of the victim's regions and of the attacker's own, while the victim copies between
// them: they come back as zeros, and nobody's session ends for it. The adapter deregisters such a
// region when it notices, which whoever else was granted it cannot but notice: so the friend whose
// messages go through it is not there.
TEST_F(DirectRegion, PunchesHolesWhileTheVictimCopies) {
    const auto grants = everything();
    ASSERT_FALSE(grants.empty());
    by_direct.reset();
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> punched{0};
    std::thread puncher([&] {
        Random random(9);
        while (!stop.load(std::memory_order_relaxed)) {
            const RawGrant& grant = grants[random.below(grants.size())];
            const std::uint64_t pages = grant.memory.size() / 4096;
            punch(grant.file.get(), random.below(pages) * 4096, 16 * 4096);
            punch(region.file.get(), random.below(kRegion / 4096) * 4096, 16 * 4096);
            punch(log.file.get(), random.below(kRegion / 4096) * 4096, 16 * 4096);
            punched.fetch_add(1, std::memory_order_relaxed);
        }
    });
    for (std::uint64_t n = 0; n < 600; ++n) {
        victim->aim(n % 2 == 0 ? place(region, 64 << 10) : place(log, 0));
        converse(n);
        if (!linger())
            renew();
    }
    EXPECT_TRUE(awaits([&] { return victim->sent(); }, 20));
    expect_undisturbed(20);
    stop.store(true);
    puncher.join();
    EXPECT_GT(punched.load(), 100u);
    EXPECT_FALSE(attacker->evicted());
}

TEST_F(DirectRegion, CannotSealOrResizeWhatItWasGranted) {
    auto grants = everything();
    grants.push_back({});
    grants.back().file = std::move(direct.peer_file);
    for (const RawGrant& grant : grants) {
        EXPECT_NE(::ftruncate(grant.file.get(), 0), 0);
        EXPECT_NE(::ftruncate(grant.file.get(), 1 << 30), 0);
        EXPECT_NE(::fcntl(grant.file.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
        EXPECT_NE(::fcntl(grant.file.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
    }
}

// Garbage where the victim appends: every Append ends, and none outside the log.
TEST_F(DirectRegion, ScribblesIntoTheHeadersOfItsLog) {
    std::atomic<bool> stop{false};
    std::thread scribbler([&] {
        Random random(17);
        auto* const words = reinterpret_cast<std::uint64_t*>(log.bytes().data());
        while (!stop.load(std::memory_order_relaxed)) {
            const std::uint64_t header =
                random.one_in(3) ? 0 : random.next() & 0xff00'0000'0000'1fff;
            __atomic_store_n(words + random.below(kRegion / 8), header, __ATOMIC_RELAXED);
        }
    });
    victim->aim(place(log, 0));
    for (std::uint64_t n = 0; n < 300; ++n) {
        converse(n);
        if (!linger())
            renew();
        victim->aim(place(log, 0));
    }
    EXPECT_TRUE(awaits([&] { return victim->sent() + victim->failed(); }, 20));
    stop.store(true);
    scribbler.join();
}

// A log of the shortest records there are: the way to its end is long, and others go on meanwhile.
TEST_F(DirectRegion, ALogWithoutEndHoldsNobodyUp) {
    const RawRegion long_log =
        attacker->allocate(abi::kRegionPart, abi::right::kAppend | abi::right::kExportable);
    auto* const words = reinterpret_cast<std::uint64_t*>(long_log.bytes().data());
    for (std::uint64_t i = 0; i < long_log.bytes().size() / 8; ++i)
        words[i] = std::uint64_t{2} << 56;
    victim->aim(place(long_log, 0));
    EXPECT_TRUE(awaits([&] { return victim->failed(); }, 5));
    expect_undisturbed();
}

// Regions come and go while the victim copies from and to them.
TEST_F(DirectRegion, DeregistersWhatTheVictimUses) {
    for (std::uint64_t round = 0; round < 100; ++round) {
        const RawRegion passing = attacker->allocate(64 << 10, kEverything);
        victim->aim(place(passing, 16 << 10));
        for (std::uint64_t n = 0; n < 3; ++n) {
            (void)direct.post_receive(passing.piece(n * 16384, 16384));
            direct.ring();
            (void)linger();
        }
        attacker->deregister(passing);
        if (pair.ended() || round % 8 == 7)
            renew();
    }
    EXPECT_TRUE(awaits([&] { return victim->rounds(); }, 10));
    expect_undisturbed();
    victim->aim(place(region, 64 << 10));
    renew();
    converse(0);
    EXPECT_TRUE(awaits([&] { return victim->sent(); }, 2));
}

// Receives with handles out of thin air: each is a question to the adapter at most once, and after
// some of them the victim has seen enough.
TEST_F(DirectRegion, GuessedHandlesEndTheConnection) {
    for (int round = 0; round < 3; ++round) {
        const std::uint64_t closed = victim->closed();
        std::uint32_t handle = 0x40000000;
        EXPECT_TRUE(eventually([&] {
            abi::DataSegment segment = region.piece(0, 16384);
            segment.handle = handle + 1;
            handle += direct.post_receive(segment) ? 1 : 0;
            direct.ring();
            (void)direct.take_receives();
            return victim->closed() > closed;
        }));
        EXPECT_LT(handle, 0x40000000u + 2000);
        expect_undisturbed();
        renew();
    }
}

}  // namespace
}  // namespace causeway::test
