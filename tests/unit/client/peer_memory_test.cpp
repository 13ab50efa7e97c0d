// The regions of a direct peer, with an adapter that the test plays.
#include "client/peer_memory.hpp"

#include <gtest/gtest.h>

#include "support/fake_adapter.hpp"
#include "support/own_holdings.hpp"

namespace causeway::client {
namespace {

using abi::Status;
using engine::Claim;
using test::FakeGrant;

class PeerMemoryTest : public testing::Test {
protected:
    static constexpr std::uint32_t kRights = abi::right::kRemoteWrite | abi::right::kExportable;
    static constexpr std::uint32_t kPair = 9;

    Status obtain(std::uint32_t handle, Claim claim = Claim::own) {
        return memory.obtain(*partition, kPair, handle, claim).value_or(Status::flushed);
    }
    int questions() { return adapter.count(abi::Request::resolve); }
    [[nodiscard]] const engine::Region* region(std::uint32_t handle) const {
        return memory.table().find(handle);
    }

    test::FakeAdapter adapter;
    std::shared_ptr<Partition> partition = Partition::attach(adapter.socket(), "tester").value();
    std::size_t files = test::open_files();
    std::size_t mappings = test::shared_mappings();
    PeerMemory memory;
};

TEST_F(PeerMemoryTest, MapsWhatIsGranted) {
    FakeGrant grant(3 * 4096, kRights);
    const auto file = platform::Mapping::map(grant.parts[0].get(), 3 * 4096).value();
    adapter.grant(0x10005, std::move(grant));
    ASSERT_EQ(obtain(0x10005), Status::success);
    const engine::Region* const granted = region(0x10005);
    ASSERT_NE(granted, nullptr);
    EXPECT_EQ(granted->length, 3u * 4096);
    EXPECT_EQ(granted->address, 0x10000u);
    EXPECT_EQ(granted->generation, 7u);
    EXPECT_EQ(granted->rights, kRights);
    EXPECT_EQ(granted->network_id, 3u);
    file.data()[5000] = std::byte{42};
    EXPECT_EQ(granted->base[5000], std::byte{42}) << "the same memory";
    EXPECT_EQ(region(0x10006), nullptr);
    EXPECT_EQ(region(5), nullptr) << "another use of the slot";
}

TEST_F(PeerMemoryTest, LaysPartsSideBySide) {
    const std::uint64_t size = abi::kRegionPart + 4096;
    FakeGrant grant(size, kRights);
    const auto second = platform::Mapping::map(grant.parts[1].get(), 4096).value();
    adapter.grant(1, std::move(grant));
    ASSERT_EQ(obtain(1), Status::success);
    EXPECT_EQ(questions(), 2);
    second.data()[7] = std::byte{9};
    EXPECT_EQ(region(1)->base[abi::kRegionPart + 7], std::byte{9});
    engine::Translation at;
    EXPECT_TRUE(memory.table().translate_local(1, 0x10000 + abi::kRegionPart - 8, 16, at));
    EXPECT_FALSE(memory.table().translate_local(1, 0x10000 + size - 8, 9, at));
}

TEST_F(PeerMemoryTest, KeepsNothingOfWhatItForgets) {
    for (std::uint32_t handle = 1; handle <= 5; ++handle) {
        adapter.grant(handle, FakeGrant(4096, kRights));
        ASSERT_EQ(obtain(handle), Status::success);
    }
    EXPECT_EQ(test::shared_mappings(), mappings + 5);
    memory.forget();
    EXPECT_EQ(test::shared_mappings(), mappings);
    for (std::uint32_t handle = 1; handle <= 5; ++handle)
        EXPECT_EQ(region(handle), nullptr);
    ASSERT_EQ(obtain(2), Status::success) << "it can be had again";
}

TEST_F(PeerMemoryTest, KeepsNoDescriptors) {
    adapter.grant(1, FakeGrant(4096, kRights));
    const std::size_t with_grant = test::open_files();  // the fake adapter's own
    ASSERT_EQ(obtain(1), Status::success);
    EXPECT_EQ(test::open_files(), with_grant);
}

TEST_F(PeerMemoryTest, SaysWhyNot) {
    EXPECT_EQ(obtain(5), Status::remote_access);
    adapter.refuse_grant(6, abi::Error::denied);
    EXPECT_EQ(obtain(6), Status::denied);
    adapter.refuse_grant(7, abi::Error::limit_reached);
    EXPECT_EQ(obtain(7), Status::remote_access);
    adapter.refuse_grant(8, abi::Error::peer_gone);
    EXPECT_EQ(obtain(8), Status::peer_gone);
}

// The connection by which it asked has ended; the next one of the same two may ask at once.
TEST_F(PeerMemoryTest, APeerThatHasGoneHasRefusedNothing) {
    adapter.refuse_grant(5, abi::Error::peer_gone);
    EXPECT_EQ(obtain(5, Claim::peers), Status::peer_gone);
    adapter.grant(5, FakeGrant(4096, kRights));
    EXPECT_EQ(obtain(5, Claim::peers), Status::success);
}

// An adapter that does not do what it says.
TEST_F(PeerMemoryTest, TakesNothingThatDoesNotFit) {
    const auto misfit = [&](auto&& change) {
        FakeGrant grant(8192, kRights);
        change(grant);
        adapter.grant(1, std::move(grant));
        return obtain(1);
    };
    EXPECT_EQ(misfit([](FakeGrant& g) { g.terms.size = 0; }), Status::remote_access);
    EXPECT_EQ(misfit([](FakeGrant& g) { g.terms.size = UINT64_MAX; }), Status::remote_access);
    EXPECT_EQ(misfit([](FakeGrant& g) { g.terms.size = abi::kMaxRegion + 4096; }),
              Status::remote_access);
    EXPECT_EQ(misfit([](FakeGrant& g) { g.terms.size = 4096; }), Status::remote_access);
    EXPECT_EQ(misfit([](FakeGrant& g) { g.terms.size = 12288; }), Status::remote_access);
    EXPECT_EQ(misfit([](FakeGrant& g) { g.terms.parts = 0; }), Status::remote_access);
    EXPECT_EQ(misfit([](FakeGrant& g) { g.terms.parts = 2; }), Status::remote_access);
    EXPECT_EQ(region(1), nullptr);
    // A handle that no table gives out.
    for (const std::uint32_t handle : {0u, 0xffffu, engine::RegionTable::kSlots + 1}) {
        adapter.grant(handle, FakeGrant(4096, kRights));
        EXPECT_EQ(obtain(handle), Status::remote_access) << handle;
    }
    EXPECT_EQ(test::shared_mappings(), mappings);
}

// --- what a peer makes up

TEST_F(PeerMemoryTest, APeersClaimIsAskedAboutOnce) {
    EXPECT_EQ(obtain(5, Claim::peers), Status::remote_access);
    EXPECT_EQ(questions(), 1);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(obtain(5, Claim::peers), Status::remote_access);
    EXPECT_EQ(questions(), 1);
    EXPECT_FALSE(memory.overdone());
    // What this side names itself it may ask about as often as it likes.
    EXPECT_EQ(obtain(5), Status::remote_access);
    adapter.grant(5, FakeGrant(4096, kRights));
    EXPECT_EQ(obtain(5), Status::success);
    EXPECT_EQ(questions(), 3);
}

TEST_F(PeerMemoryTest, APeerThatMakesHandlesUpIsNoticed) {
    std::uint32_t handle = 1;
    for (; !memory.overdone(); ++handle) {
        ASSERT_LE(handle, 2 * RefusedClaims::kMost);
        EXPECT_EQ(obtain(handle, Claim::peers), Status::remote_access);
    }
    const int asked = questions();
    EXPECT_EQ(asked, static_cast<int>(RefusedClaims::kMost) + 1);
    adapter.grant(500, FakeGrant(4096, kRights));
    EXPECT_EQ(obtain(500, Claim::peers), Status::remote_access) << "it is not listened to any more";
    EXPECT_EQ(questions(), asked);
    EXPECT_EQ(obtain(500), Status::success);
}

TEST_F(PeerMemoryTest, OnesOwnMistakesAreNotThePeers) {
    for (std::uint32_t handle = 1; handle < 100; ++handle)
        EXPECT_EQ(obtain(handle), Status::remote_access);
    EXPECT_FALSE(memory.overdone());
}

}  // namespace
}  // namespace causeway::client
