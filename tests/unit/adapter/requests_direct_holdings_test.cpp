// Executor direct at a live adapter: what the adapter holds for connections whose sides have
// fetched their memory, have not, or have gone.
#include <gtest/gtest.h>

#include "unit/adapter/direct_requests.hpp"

namespace causeway::adapter {
namespace {

TEST_F(DirectRequests, WhatBothHaveFetchedTheAdapterHoldsNoMore) {
    have_had_queue_pairs();
    const std::size_t before = settled().files;
    const Joined pair = join();
    EXPECT_GT(test::open_files(), before);
    std::uint32_t bells[2] = {0, 0};
    for (const RawEnd* end : {pair.a.get(), pair.b.get()}) {
        for (const auto side : {abi::DirectSide::own, abi::DirectSide::peer}) {
            const auto reply = end->open(side).as<abi::OpenDirectReply>();
            bells[end == pair.a.get() ? 0 : 1] = reply.bell_in;
        }
    }
    for (const std::uint32_t number : bells) {
        RawSession& waiter = number == bells[0] ? *orders : *billing;
        RawSession& waker = number == bells[0] ? *billing : *orders;
        (void)socket_of(waiter, open_bell(waiter, abi::DoorbellKind::bell_in, number));
        (void)socket_of(waker, open_bell(waker, abi::DoorbellKind::bell_out, number));
    }
    // Of the two ends themselves it holds mappings only.
    EXPECT_TRUE(eventually([&] { return test::open_files() == before; })) << test::open_files();
}

TEST_F(DirectRequests, NothingRemainsOfWhatNobodyFetched) {
    have_had_queue_pairs();
    const Held before = settled();
    {
        const Joined unopened = join();
        const Joined half = join();
        (void)half.a->open(abi::DirectSide::own);
        disconnect(*unopened.a);
        disconnect(*unopened.b);
        disconnect(*half.b);
        disconnect(*half.a);
    }
    // Bells stay while both partitions are there, for their next connection.
    constexpr std::size_t kBells = 8;
    EXPECT_TRUE(eventually([&] { return test::open_files() == before.files + kBells; }))
        << test::open_files() << " of " << before.files;
    EXPECT_TRUE(eventually([&] { return test::shared_mappings() == before.mappings; }));
}

TEST_F(DirectRequests, NothingRemainsOfPartitionsThatLeaveInTheMiddle) {
    detach();
    const Held before = settled();
    for (int round = 0; round < 3; ++round) {
        attach();
        {
            const Joined pair = join();
            (void)pair.b->open(abi::DirectSide::peer);
            if (round != 0)
                detach();
        }
        if (round == 0)
            detach();
        EXPECT_TRUE(eventually([&] { return Held{} == before; }))
            << test::open_files() << " of " << before.files;
        RawSession observer = RawSession::observer(adapter.socket());
        EXPECT_TRUE(eventually([&] {
            const auto reply =
                observer.client.call(test::stats_request(abi::StatsKind::queue_pairs));
            return reply->as<abi::StatsReply>().rows == 0;
        }));
    }
}

// The connector goes while the adapter makes the memory of both.
TEST_F(DirectRequests, APeerThatGoesWhileItIsJoined) {
    have_had_queue_pairs();
    const std::size_t mappings = settled().mappings;
    for (int round = 0; round < 30; ++round) {
        const RawEnd a(*orders, orders_queue, kOrders);
        const RawEnd b(*billing, billing_queue, kBilling);
        auto connect = connect_request(a.id(), "billing/invoices");
        connect.executor = static_cast<std::uint32_t>(abi::Executor::direct);
        ASSERT_TRUE(orders->client.call(connect)->ok());
        auto accept = accept_request(listener, b.id());
        accept.executor = static_cast<std::uint32_t>(abi::Executor::direct);
        ASSERT_TRUE(billing->client.send(control::bytes_of(accept)));
        ASSERT_TRUE(orders->client.call(disconnect_request(a.id()))->ok());
        const auto accepted = billing->client.receive();
        ASSERT_TRUE(accepted.has_value());
        // Either nobody waited any more, or the connection was made and has ended.
        if (accepted->ok()) {
            EXPECT_TRUE(b.becomes(abi::QueuePairState::closed));
        } else {
            EXPECT_EQ(accepted->code(), ErrorCode::again) << accepted->text();
        }
        disconnect(b);
    }
    EXPECT_TRUE(eventually([&] { return test::shared_mappings() == mappings; }));
    const Joined after = join();
    EXPECT_TRUE(after.a->open(abi::DirectSide::own).ok());
}

}  // namespace
}  // namespace causeway::adapter
