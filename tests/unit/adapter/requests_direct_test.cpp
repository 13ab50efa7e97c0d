// Executor direct at a live adapter, seen through raw requests: what is granted, to whom, and how
// often.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <optional>

#include "platform/mapping.hpp"
#include "platform/wakeup.hpp"
#include "shm/doorbell.hpp"
#include "unit/adapter/direct_requests.hpp"

namespace causeway::adapter {
namespace {

ino_t inode_of(const platform::UniqueFd& fd) {
    struct stat facts {};
    return ::fstat(fd.get(), &facts) == 0 ? facts.st_ino : 0;
}

TEST_F(DirectRequests, InboundMemoryIsOneFileForBothSides) {
    const Joined pair = join();
    const RawReply own = pair.a->open(abi::DirectSide::own);
    const RawReply peer = pair.b->open(abi::DirectSide::peer);
    ASSERT_TRUE(own.ok()) << own.text();
    ASSERT_TRUE(peer.ok()) << peer.text();
    EXPECT_EQ(inode_of(own.descriptor), inode_of(peer.descriptor));
    const auto size = abi::queue_pair_offsets({0, 8, 0, 16}).total;
    for (const auto& reply : {own.as<abi::OpenDirectReply>(), peer.as<abi::OpenDirectReply>()}) {
        EXPECT_EQ(reply.memory_size, size);
        EXPECT_EQ(reply.receive_entries, 8u);
        EXPECT_EQ(reply.receive_completion_entries, 16u);
    }
    const auto mapping = platform::Mapping::map(own.descriptor.get(), size).value();
    const auto& layout = *mapping.at<abi::QueuePairLayout>();
    EXPECT_EQ(layout.magic, abi::kQueuePairMagic);
    EXPECT_EQ(layout.total_size, size);
    EXPECT_EQ(layout.send_entries, 0u);
    EXPECT_EQ(layout.receive_entries, 8u);
    EXPECT_EQ(layout.ready_bit, pair.a->created.ready_bit);
    EXPECT_EQ(layout.id, pair.a->id());
    EXPECT_EQ(layout.attention.load(), abi::attention::kPolled);
    EXPECT_EQ(layout.open.load(), 0u);
    // Nobody can shrink or grow it, nor seal it against the other's writing.
    EXPECT_NE(::ftruncate(own.descriptor.get(), 0), 0);
    EXPECT_NE(::ftruncate(own.descriptor.get(), static_cast<off_t>(2 * size)), 0);
    EXPECT_NE(::fcntl(own.descriptor.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
}

TEST_F(DirectRequests, InboundMemoryIsHandedOutOnceToEachSide) {
    const Joined pair = join();
    for (const RawEnd* end : {pair.a.get(), pair.b.get()}) {
        for (const auto side : {abi::DirectSide::own, abi::DirectSide::peer}) {
            EXPECT_TRUE(end->open(side).descriptor.valid());
            EXPECT_EQ(end->open(side).code(), ErrorCode::wrong_state);
        }
        EXPECT_EQ(end->open(2).code(), ErrorCode::invalid_argument);
        EXPECT_EQ(end->open(UINT32_MAX).code(), ErrorCode::invalid_argument);
    }
}

TEST_F(DirectRequests, BothSidesAreToldTheSameOfEachOther) {
    const Joined pair = join();
    const auto a = pair.a->open(abi::DirectSide::own).as<abi::OpenDirectReply>();
    const auto b = pair.b->open(abi::DirectSide::own).as<abi::OpenDirectReply>();
    EXPECT_EQ(a.bell_in, b.bell_out);
    EXPECT_EQ(a.bell_out, b.bell_in);
    EXPECT_NE(a.bell_in, a.bell_out);
    EXPECT_EQ(a.peer_session, billing->attached.session);
    EXPECT_EQ(b.peer_session, orders->attached.session);
    EXPECT_EQ(a.peer_ready_bit, pair.b->created.ready_bit);
    EXPECT_EQ(b.peer_ready_bit, pair.a->created.ready_bit);
    const auto again = pair.a->open(abi::DirectSide::peer).as<abi::OpenDirectReply>();
    EXPECT_EQ(again.bell_in, a.bell_in);
    EXPECT_EQ(again.bell_out, a.bell_out);
}

TEST_F(DirectRequests, NothingIsGrantedThroughOtherQueuePairs) {
    const RawMemory exported(*billing, 4096, kExported);
    const auto denied = [&](const RawEnd& end, ErrorCode code) {
        EXPECT_EQ(end.open(abi::DirectSide::own).code(), code);
        EXPECT_EQ(end.open(abi::DirectSide::peer).code(), code);
        EXPECT_EQ(end.resolve(exported.reply.handle).code(), code);
    };
    const RawEnd idle(*orders, orders_queue, kOrders);
    denied(idle, ErrorCode::denied);
    ASSERT_TRUE(orders->client.call(connect_request(idle.id(), "billing/invoices"))->ok());
    denied(idle, ErrorCode::denied);  // connecting
    disconnect(idle);
    denied(idle, ErrorCode::not_found);

    const Joined by_adapter = join(abi::Executor::adapter);
    denied(*by_adapter.a, ErrorCode::denied);
    denied(*by_adapter.b, ErrorCode::denied);

    // A third partition names a queue pair that is not its own.
    const Joined direct = join();
    RawSession third(adapter.socket(), "third");
    RawEnd foreign(third, third.open_completions(), kOrders);
    foreign.created.queue_pair = direct.a->id();
    denied(foreign, ErrorCode::not_found);
}

TEST_F(DirectRequests, ResolveGivesTheMemoryOfAnExportableRegion) {
    const RawMemory exported(*billing, 8192, kExported);
    const Joined pair = join();
    const RawReply granted = pair.a->resolve(exported.reply.handle);
    ASSERT_TRUE(granted.ok()) << granted.text();
    EXPECT_EQ(inode_of(granted.descriptor), inode_of(exported.files[0]));
    const auto reply = granted.as<abi::ResolveReply>();
    EXPECT_EQ(reply.size, 8192u);
    EXPECT_EQ(reply.address, test::register_request(0).address);
    EXPECT_EQ(reply.generation, exported.reply.generation);
    EXPECT_EQ(reply.rights, kExported);
    EXPECT_EQ(reply.parts, 1u);
    EXPECT_EQ(reply.network_id, exported.reply.network_id);
    EXPECT_TRUE(pair.a->resolve(exported.reply.handle).ok()) << "as often as it asks";
}

TEST_F(DirectRequests, ResolveRefusesWhatIsNotExported) {
    const RawMemory kept(*billing, 4096, abi::right::kRemoteWrite | abi::right::kRemoteRead);
    const RawMemory exported(*billing, 4096, kExported);
    const RawMemory mine(*orders, 4096, kExported);
    const Joined pair = join();
    const RawReply denied = pair.a->resolve(kept.reply.handle);
    EXPECT_EQ(denied.code(), ErrorCode::denied);
    EXPECT_NE(denied.text().find("not exportable"), std::string::npos) << denied.text();
    for (const std::uint32_t handle : {0u, 999u, UINT32_MAX})
        EXPECT_EQ(pair.a->resolve(handle).code(), ErrorCode::not_found);
    // Only what is the peer's: the same number may stand for something of one's own.
    EXPECT_EQ(mine.reply.handle, kept.reply.handle);
    EXPECT_EQ(pair.a->resolve(exported.reply.handle, 1).code(), ErrorCode::invalid_argument);
    EXPECT_EQ(pair.a->resolve(exported.reply.handle, UINT32_MAX).code(),
              ErrorCode::invalid_argument);
    auto request = control::make<abi::ResolveRequest>(abi::Request::resolve);
    request.queue_pair = pair.a->id();
    request.handle = exported.reply.handle;
    request.reserved = 1;
    EXPECT_EQ(orders->client.call(request)->code(), ErrorCode::invalid_argument);
}

TEST_F(DirectRequests, ResolveGivesALargeRegionPartByPart) {
    const std::uint64_t size = abi::kRegionPart + 8192;
    const RawMemory exported(*billing, size, kExported);
    const Joined pair = join();
    for (std::uint32_t part = 0; part < 2; ++part) {
        const RawReply granted = pair.a->resolve(exported.reply.handle, part);
        ASSERT_TRUE(granted.ok()) << granted.text();
        EXPECT_EQ(inode_of(granted.descriptor), inode_of(exported.files[part]));
        EXPECT_EQ(granted.as<abi::ResolveReply>().size, size);
        EXPECT_EQ(granted.as<abi::ResolveReply>().parts, 2u);
    }
    EXPECT_EQ(pair.a->resolve(exported.reply.handle, 2).code(), ErrorCode::invalid_argument);
}

// Or its holder could keep the region from everybody else to whom it is granted.
TEST_F(DirectRequests, WhatIsGrantedCannotBeSealedByWhoHoldsIt) {
    const RawMemory exported(*billing, 4096, kExported);
    const Joined pair = join();
    const RawReply granted = pair.a->resolve(exported.reply.handle);
    ASSERT_TRUE(granted.ok());
    EXPECT_NE(::fcntl(granted.descriptor.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
    const RawReply again = pair.a->resolve(exported.reply.handle);
    EXPECT_TRUE(platform::Mapping::map(again.descriptor.get(), 4096).has_value());
}

TEST_F(DirectRequests, APeerThatHasGoneGrantsNothing) {
    const RawMemory exported(*billing, 4096, kExported);
    const Joined pair = join();
    disconnect(*pair.b);
    EXPECT_TRUE(pair.a->becomes(abi::QueuePairState::closed));
    EXPECT_EQ(pair.a->open(abi::DirectSide::own).code(), ErrorCode::peer_gone);
    EXPECT_EQ(pair.a->resolve(exported.reply.handle).code(), ErrorCode::peer_gone);
    const Joined another = join();
    billing.reset();
    EXPECT_TRUE(another.a->becomes(abi::QueuePairState::closed));
    EXPECT_EQ(another.a->open(abi::DirectSide::peer).code(), ErrorCode::peer_gone);
    EXPECT_EQ(another.a->resolve(exported.reply.handle).code(), ErrorCode::peer_gone);
}

// --- bells

TEST_F(DirectRequests, BellsAreOpenedOnceByTheSideWhoseTheyAre) {
    const Joined pair = join();
    const auto terms = pair.a->open(abi::DirectSide::own).as<abi::OpenDirectReply>();
    using Kind = abi::DoorbellKind;
    EXPECT_EQ(open_bell(*orders, Kind::bell_out, terms.bell_in).code(), ErrorCode::not_found);
    EXPECT_EQ(open_bell(*orders, Kind::bell_in, terms.bell_out).code(), ErrorCode::not_found);
    RawSession third(adapter.socket(), "third");
    for (const std::uint32_t number : {terms.bell_in, terms.bell_out, 0u, 77u}) {
        EXPECT_EQ(open_bell(third, Kind::bell_in, number).code(), ErrorCode::not_found);
        EXPECT_EQ(open_bell(third, Kind::bell_out, number).code(), ErrorCode::not_found);
    }
    const RawReply waits = open_bell(*orders, Kind::bell_in, terms.bell_in);
    const RawReply wakes = open_bell(*billing, Kind::bell_out, terms.bell_in);
    ASSERT_TRUE(waits.ok()) << waits.text();
    ASSERT_TRUE(wakes.ok()) << wakes.text();
    EXPECT_EQ(inode_of(waits.descriptor), inode_of(wakes.descriptor));
    EXPECT_NE(::fcntl(wakes.descriptor.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
    EXPECT_EQ(open_bell(*orders, Kind::bell_in, terms.bell_in).code(), ErrorCode::wrong_state);
    EXPECT_EQ(open_bell(*billing, Kind::bell_out, terms.bell_in).code(), ErrorCode::wrong_state);

    RawReply waiting = socket_of(*orders, waits);
    RawReply waking = socket_of(*billing, wakes);
    EXPECT_EQ(socket_of(*orders, waits).code(), ErrorCode::wrong_state);
    EXPECT_EQ(socket_of(*billing, wakes).code(), ErrorCode::wrong_state);
    platform::WakeupSocket sleeper(std::move(waiting.descriptor));
    platform::WakeupSocket waker(std::move(waking.descriptor));
    EXPECT_EQ(waker.notify(), platform::WakeupSocket::Notified::sent);
    EXPECT_EQ(sleeper.drain(), platform::WakeupSocket::Drained::some);
    // The adapter keeps no end of it: each side notices when the other lets go.
    waker = platform::WakeupSocket();
    EXPECT_EQ(sleeper.drain(), platform::WakeupSocket::Drained::peer_gone);
}

TEST_F(DirectRequests, ConnectionsOfTheSameTwoShareTheirBells) {
    const Joined one = join();
    const Joined two = join();
    const auto first = one.a->open(abi::DirectSide::own).as<abi::OpenDirectReply>();
    const auto second = two.a->open(abi::DirectSide::own).as<abi::OpenDirectReply>();
    EXPECT_EQ(first.bell_in, second.bell_in);
    EXPECT_EQ(first.bell_out, second.bell_out);
    orders_queue = orders->open_completions();
    const Joined three = join();
    const auto third = three.a->open(abi::DirectSide::own).as<abi::OpenDirectReply>();
    EXPECT_NE(third.bell_in, first.bell_in) << "another completion queue is woken";
    EXPECT_EQ(third.bell_out, first.bell_out) << "the same one is woken";
}

TEST_F(DirectRequests, ABellThatIsClosedIsMadeAnew) {
    const Joined one = join();
    const auto first = one.a->open(abi::DirectSide::own).as<abi::OpenDirectReply>();
    const RawReply bell = open_bell(*orders, abi::DoorbellKind::bell_in, first.bell_in);
    EXPECT_TRUE(close_bell(*orders, bell).ok());
    EXPECT_EQ(close_bell(*orders, bell).code(), ErrorCode::not_found);
    const Joined two = join();
    const auto second = two.a->open(abi::DirectSide::own).as<abi::OpenDirectReply>();
    EXPECT_NE(second.bell_in, first.bell_in);
    EXPECT_TRUE(open_bell(*orders, abi::DoorbellKind::bell_in, second.bell_in).ok());
    EXPECT_TRUE(open_bell(*billing, abi::DoorbellKind::bell_out, second.bell_in).ok());
}

// --- revocations

TEST_F(DirectRequests, DeregisteringWhatWasGrantedIsCountedBeforeTheReply) {
    const RawMemory granted(*billing, 4096, kExported);
    const RawMemory not_granted(*billing, 4096, kExported);
    const Joined pair = join();
    const Joined other = join();
    const Joined by_adapter = join(abi::Executor::adapter);
    ASSERT_TRUE(pair.a->resolve(granted.reply.handle).ok());
    const auto deregister = [&](const RawMemory& memory) {
        EXPECT_TRUE(billing->client
                        .call(test::region_request(abi::Request::deregister_region, memory.reply))
                        ->ok());
    };
    deregister(not_granted);
    EXPECT_EQ(pair.a->layout().revocations.load(), 0u);
    deregister(granted);
    EXPECT_EQ(pair.a->layout().revocations.load(), 1u);
    EXPECT_EQ(other.a->layout().revocations.load(), 1u) << "it may have been granted there, too";
    EXPECT_EQ(pair.b->layout().revocations.load(), 0u);
    EXPECT_EQ(by_adapter.a->layout().revocations.load(), 0u);
    EXPECT_EQ(pair.a->resolve(granted.reply.handle).code(), ErrorCode::not_found);
}

// --- who gets which executor

TEST_F(DirectRequests, WithoutAWishBothMustExportEverything) {
    const auto executor_of = [&]() -> abi::Executor {
        const RawEnd a(*orders, orders_queue, kOrders);
        const RawEnd b(*billing, billing_queue, kBilling);
        EXPECT_TRUE(orders->client.call(connect_request(a.id(), "billing/invoices"))->ok());
        const auto reply = billing->client.call(accept_request(listener, b.id())).value();
        disconnect(a);
        disconnect(b);
        return static_cast<abi::Executor>(reply.as<abi::AcceptReply>().executor);
    };
    EXPECT_EQ(executor_of(), abi::Executor::adapter) << "nobody has agreed";
    const RawMemory one(*orders, 4096, kExported);
    EXPECT_EQ(executor_of(), abi::Executor::adapter) << "one side has agreed";
    const RawMemory two(*billing, 4096, kExported);
    EXPECT_EQ(executor_of(), abi::Executor::direct);
    const RawMemory three(*billing, 4096, abi::right::kRemoteWrite);
    EXPECT_EQ(executor_of(), abi::Executor::adapter) << "one region is kept back";
}

TEST_F(DirectRequests, WhoInsistsOnWhatTheOtherDeclinesIsRefused) {
    const RawEnd a(*orders, orders_queue, kOrders);
    const RawEnd b(*billing, billing_queue, kBilling);
    auto connect = connect_request(a.id(), "billing/invoices");
    connect.executor = static_cast<std::uint32_t>(abi::Executor::direct);
    ASSERT_TRUE(orders->client.call(connect)->ok());
    auto accept = accept_request(listener, b.id());
    accept.executor = static_cast<std::uint32_t>(abi::Executor::adapter);
    const auto refused = billing->client.call(accept).value();
    EXPECT_EQ(refused.code(), ErrorCode::denied);
    EXPECT_NE(refused.text().find("accepting partition wants adapter"), std::string::npos);
    EXPECT_TRUE(a.becomes(abi::QueuePairState::refused));
    EXPECT_EQ(static_cast<abi::Error>(a.layout().reason.load()), abi::Error::denied);
    EXPECT_EQ(b.layout().state.load(), static_cast<std::uint32_t>(abi::QueuePairState::idle));
    accept.reserved = 1;
    EXPECT_EQ(billing->client.call(accept)->code(), ErrorCode::invalid_argument);
    accept.reserved = 0;
    accept.executor = 4;
    EXPECT_EQ(billing->client.call(accept)->code(), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace causeway::adapter
