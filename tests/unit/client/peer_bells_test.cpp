// The bells of direct peers at one completion queue, with an adapter that the test plays.
#include "client/peer_bells.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <set>

#include "platform/membarrier.hpp"
#include "support/fake_adapter.hpp"
#include "support/own_holdings.hpp"

namespace causeway::client {
namespace {

class PeerBellsTest : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(bells.open(-1).has_value() &&
                    add_to_set(bells.fd(), own.peer_end.get()).has_value());
    }
    void TearDown() override { bells.close(*partition); }

    void add(std::uint32_t number) {
        const auto added = bells.add(*partition, number);
        ASSERT_TRUE(added.has_value()) << added.error().text;
    }
    // The other side of it.
    std::shared_ptr<test::FakeBell> peer(std::uint32_t number) {
        return adapter.peer_bell(abi::DoorbellKind::bell_in, number);
    }
    int opened() { return adapter.count(abi::Request::open_doorbell) - opened_before; }
    int closed() { return adapter.count(abi::Request::close_doorbell); }
    std::set<std::uint32_t> take() {
        std::set<std::uint32_t> bits;
        bells.take([&](std::uint32_t bit) { bits.insert(bit); });
        return bits;
    }
    [[nodiscard]] bool readable() const {
        pollfd look{bells.fd(), POLLIN, 0};
        return ::poll(&look, 1, 0) > 0;
    }

    test::FakeAdapter adapter;
    std::shared_ptr<Partition> partition = Partition::attach(adapter.socket(), "tester").value();
    int opened_before = adapter.count(abi::Request::open_doorbell);
    test::FakeBell own;  // the completion queue's own
    PeerBells bells;
};

TEST_F(PeerBellsTest, BringsTheBitsOfEveryPeer) {
    add(1);
    add(2);
    EXPECT_FALSE(bells.rung());
    peer(1)->ring(5);
    peer(2)->ring(4095);
    peer(2)->ring(64);
    EXPECT_TRUE(bells.rung());
    EXPECT_EQ(take(), (std::set<std::uint32_t>{5, 64, 4095}));
    EXPECT_FALSE(bells.rung());
    EXPECT_TRUE(take().empty());
}

TEST_F(PeerBellsTest, OneLookIsAtAFewBells) {
    constexpr std::uint32_t kBells = 3 * PeerBells::kBellsPerLook;
    for (std::uint32_t i = 0; i < kBells; ++i) {
        add(i);
        peer(i)->ring(i);
    }
    std::set<std::uint32_t> all;
    for (int look = 0; look < 3; ++look) {
        EXPECT_TRUE(bells.rung());
        const auto bits = take();
        EXPECT_EQ(bits.size(), PeerBells::kBellsPerLook);
        all.insert(bits.begin(), bits.end());
    }
    EXPECT_EQ(all.size(), kBells);
    EXPECT_FALSE(bells.rung());
}

TEST_F(PeerBellsTest, WakesWhoSleepsAndOnlyThen) {
    add(1);
    peer(1)->ring(3);
    EXPECT_FALSE(readable());
    bells.announce_sleep();
    peer(1)->ring(4);
    EXPECT_TRUE(readable());
    bells.announce_awake();
    EXPECT_FALSE(bells.drain()) << "nothing came to the adapter's socket";
    EXPECT_FALSE(readable());
    peer(1)->ring(5);
    EXPECT_FALSE(readable());
    own.kick();
    EXPECT_TRUE(readable()) << "the completion queue's own socket shows there, too";
    EXPECT_TRUE(bells.drain()) << "and is left to the completion queue";
    EXPECT_TRUE(readable());
}

TEST_F(PeerBellsTest, SharesOpenABellOnce) {
    add(1);
    add(1);
    EXPECT_EQ(opened(), 1);
    bells.remove(*partition, {0, 1});
    peer(1)->ring(3);
    EXPECT_EQ(take(), (std::set<std::uint32_t>{3}));
    bells.remove(*partition, {0, 7});  // not there: nothing
    EXPECT_EQ(closed(), 0);
}

// Between two connections with the same peer there may be none for a moment.
TEST_F(PeerBellsTest, ABellWithoutSharesIsTheNextConnections) {
    add(1);
    bells.remove(*partition, {0, 1});
    EXPECT_EQ(closed(), 0);
    add(1);
    EXPECT_EQ(opened(), 1);
    peer(1)->ring(3);
    EXPECT_EQ(take(), (std::set<std::uint32_t>{3}));
}

TEST_F(PeerBellsTest, OfAPeerThatHasGoneNothingStays) {
    const std::size_t files = test::open_files();
    const std::size_t mappings = test::shared_mappings();
    add(1);
    add(2);
    peer(1)->socket() = platform::WakeupSocket();
    EXPECT_TRUE(readable());
    EXPECT_FALSE(bells.drain()) << "nothing came to the adapter's socket";
    EXPECT_FALSE(readable()) << "it would be readable for ever";
    EXPECT_EQ(closed(), 0) << "a connection still has a share in it";
    bells.remove(*partition, {0, 1});
    EXPECT_EQ(closed(), 1);
    bells.remove(*partition, {0, 2});
    EXPECT_EQ(closed(), 1);
    // One that goes while it has no share is noticed with the next that comes.
    peer(2)->socket() = platform::WakeupSocket();
    add(3);
    EXPECT_EQ(closed(), 2);
    bells.close(*partition);
    EXPECT_EQ(closed(), 3);
    EXPECT_TRUE(bells.empty());
    // The fake adapter keeps its sides: per bell two descriptors and a page, and a socket of the
    // one whose peer has not gone.
    EXPECT_EQ(test::shared_mappings(), mappings + 3);
    EXPECT_EQ(test::open_files(), files + 3 + 1);
}

TEST_F(PeerBellsTest, ABellThatIsNotThereIsAnError) {
    adapter.die();
    EXPECT_FALSE(bells.add(*partition, 1).has_value());
    EXPECT_TRUE(bells.empty());
}

}  // namespace
}  // namespace causeway::client
