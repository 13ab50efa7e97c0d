// Doorbells, queue pairs, listeners and connections of a live adapter, seen through raw requests.
#include <gtest/gtest.h>

#include <memory>

#include "platform/mapping.hpp"
#include "shm/doorbell.hpp"
#include "support/in_process_adapter.hpp"
#include "support/raw_client.hpp"

namespace causeway::adapter {
namespace {

using test::accept_request;
using test::connect_request;
using test::create_request;
using test::disconnect_request;
using test::doorbell_request;
using test::InProcessAdapter;
using test::RawSession;

// A queue pair as its partition sees it.
struct Pair {
    explicit Pair(RawSession& session, std::uint32_t completions) {
        auto reply = session.client.call(create_request(completions)).value();
        created = reply.as<abi::CreateQueuePairReply>();
        memory = platform::Mapping::map(reply.descriptor.get(), created.memory_size).value();
    }
    [[nodiscard]] std::uint32_t id() const { return created.queue_pair; }
    [[nodiscard]] abi::QueuePairLayout& layout() const {
        return *memory.at<abi::QueuePairLayout>();
    }
    [[nodiscard]] bool becomes(abi::QueuePairState state) const {
        return test::eventually(
            [&] { return layout().state.load() == static_cast<std::uint32_t>(state); });
    }
    [[nodiscard]] abi::Error reason() const {
        return static_cast<abi::Error>(layout().reason.load());
    }

    abi::CreateQueuePairReply created;
    platform::Mapping memory;
};

class Connections : public testing::TestWithParam<std::uint32_t> {
protected:
    InProcessAdapter adapter{[](ServerOptions& options) { options.fabric.movers = GetParam(); }};
    std::unique_ptr<RawSession> orders = std::make_unique<RawSession>(adapter.socket(), "orders");
    std::unique_ptr<RawSession> billing = std::make_unique<RawSession>(adapter.socket("a"), "a");
    std::uint32_t orders_queue = orders->open_completions();
    std::uint32_t billing_queue = billing->open_completions();

    ErrorCode code(RawSession& session, const auto& request) {
        const auto reply = session.client.call(request);
        return reply ? reply->code() : ErrorCode::adapter_gone;
    }
};

TEST_P(Connections, ConnectsToAServiceAndSaysWho) {
    const std::uint32_t listener = billing->listen("invoices");
    const Pair client(*orders, orders_queue);
    const Pair server(*billing, billing_queue);
    EXPECT_EQ(code(*billing, accept_request(listener, server.id())), ErrorCode::again);
    const auto connected =
        orders->client.call(connect_request(client.id(), "a/invoices"))->as<abi::ConnectReply>();
    EXPECT_EQ(connected.executor, static_cast<std::uint32_t>(abi::Executor::adapter));
    EXPECT_TRUE(client.becomes(abi::QueuePairState::connecting));
    const auto accepted =
        billing->client.call(accept_request(listener, server.id()))->as<abi::AcceptReply>();
    EXPECT_STREQ(accepted.peer, "orders");
    EXPECT_TRUE(client.becomes(abi::QueuePairState::connected));
    EXPECT_TRUE(server.becomes(abi::QueuePairState::connected));
}

TEST_P(Connections, DisconnectTellsThePeerAndFreesTheQuota) {
    const std::uint32_t listener = billing->listen("invoices");
    for (int round = 0; round < 20; ++round) {
        const Pair client(*orders, orders_queue);
        const Pair server(*billing, billing_queue);
        EXPECT_EQ(client.created.ready_bit, 0u) << "bits come back";
        ASSERT_TRUE(orders->client.call(connect_request(client.id(), "a/invoices"))->ok());
        ASSERT_TRUE(billing->client.call(accept_request(listener, server.id()))->ok());
        ASSERT_EQ(code(*orders, disconnect_request(client.id())), ErrorCode::none);
        EXPECT_TRUE(server.becomes(abi::QueuePairState::closed));
        EXPECT_EQ(server.reason(), abi::Error::peer_gone);
        ASSERT_EQ(code(*orders, disconnect_request(client.id())), ErrorCode::not_found);
        ASSERT_EQ(code(*billing, disconnect_request(server.id())), ErrorCode::none);
    }
}

TEST_P(Connections, DeathTellsThePeer) {
    const std::uint32_t listener = billing->listen("invoices");
    const Pair client(*orders, orders_queue);
    const Pair server(*billing, billing_queue);
    ASSERT_TRUE(orders->client.call(connect_request(client.id(), "a/invoices"))->ok());
    ASSERT_TRUE(billing->client.call(accept_request(listener, server.id()))->ok());
    orders.reset();
    EXPECT_TRUE(server.becomes(abi::QueuePairState::closed));
    EXPECT_EQ(server.reason(), abi::Error::peer_gone);
}

TEST_P(Connections, DeathOfTheListenerRefusesWhoWaits) {
    billing->listen("invoices");
    const Pair client(*orders, orders_queue);
    ASSERT_TRUE(orders->client.call(connect_request(client.id(), "a/invoices"))->ok());
    billing.reset();
    EXPECT_TRUE(client.becomes(abi::QueuePairState::refused));
    EXPECT_EQ(client.reason(), abi::Error::peer_gone);
    EXPECT_EQ(code(*orders, connect_request(client.id(), "a/invoices")), ErrorCode::wrong_state);
    EXPECT_EQ(code(*orders, disconnect_request(client.id())), ErrorCode::none);
}

TEST_P(Connections, ClosingTheListenerRefusesWhoWaits) {
    const std::uint32_t listener = billing->listen("invoices");
    const Pair client(*orders, orders_queue);
    ASSERT_TRUE(orders->client.call(connect_request(client.id(), "a/invoices"))->ok());
    auto close = control::make<abi::CloseListenerRequest>(abi::Request::close_listener);
    close.listener = listener;
    EXPECT_EQ(code(*billing, close), ErrorCode::none);
    EXPECT_TRUE(client.becomes(abi::QueuePairState::refused));
    EXPECT_EQ(client.reason(), abi::Error::not_found);
    EXPECT_EQ(code(*billing, close), ErrorCode::not_found);
    EXPECT_NO_THROW(billing->listen("invoices")) << "the name is free";
}

TEST_P(Connections, AcceptPassesOverConnectorsThatHaveGone) {
    const std::uint32_t listener = billing->listen("invoices");
    RawSession third(adapter.socket(), "third");
    const std::uint32_t third_pair = third.create_queue_pair(third.open_completions());
    ASSERT_TRUE(third.client.call(connect_request(third_pair, "a/invoices"))->ok());
    const Pair gone(*orders, orders_queue);
    ASSERT_TRUE(orders->client.call(connect_request(gone.id(), "a/invoices"))->ok());
    ASSERT_TRUE(orders->client.call(disconnect_request(gone.id()))->ok());
    const Pair client(*orders, orders_queue);
    ASSERT_TRUE(orders->client.call(connect_request(client.id(), "a/invoices"))->ok());
    third.client.close();
    const Pair server(*billing, billing_queue);
    EXPECT_TRUE(test::eventually([&] {
        const auto reply = billing->client.call(accept_request(listener, server.id()));
        if (!reply->ok())
            return false;
        const auto accepted = reply->as<abi::AcceptReply>();
        if (std::string(accepted.peer) == "orders")
            return true;
        ADD_FAILURE() << "accepted " << accepted.peer;  // unless the adapter has not noticed yet
        return true;
    }));
}

TEST_P(Connections, BacklogIsALimit) {
    billing->listen("invoices", 2);
    const Pair first(*orders, orders_queue);
    const Pair second(*orders, orders_queue);
    const Pair third(*orders, orders_queue);
    EXPECT_EQ(code(*orders, connect_request(first.id(), "a/invoices")), ErrorCode::none);
    EXPECT_EQ(code(*orders, connect_request(second.id(), "a/invoices")), ErrorCode::none);
    EXPECT_EQ(code(*orders, connect_request(third.id(), "a/invoices")), ErrorCode::limit_reached);
    EXPECT_EQ(code(*orders, disconnect_request(first.id())), ErrorCode::none);
    EXPECT_EQ(code(*orders, connect_request(third.id(), "a/invoices")), ErrorCode::none);
}

TEST_P(Connections, RefusesUnknownTargetsWithoutNamingOthers) {
    billing->listen("invoices");
    const Pair client(*orders, orders_queue);
    const auto nobody = orders->client.call(connect_request(client.id(), "nobody/x"));
    EXPECT_EQ(nobody->code(), ErrorCode::not_found);
    EXPECT_NE(nobody->text().find("nobody"), std::string::npos);
    const auto no_service = orders->client.call(connect_request(client.id(), "a/other"));
    EXPECT_EQ(no_service->code(), ErrorCode::not_found);
    EXPECT_EQ(no_service->text().find("invoices"), std::string::npos) << "not leaked";
    for (const char* bad : {"", "a", "a/", "/invoices", "a/b/c", "a/in voices"})
        EXPECT_EQ(code(*orders, connect_request(client.id(), bad)), ErrorCode::invalid_argument);
    EXPECT_EQ(code(*orders, connect_request(client.id(), "a/invoices")), ErrorCode::none)
        << "a refused connect leaves the queue pair idle";
}

TEST_P(Connections, ExecutorsThatAreNotThereAreSaidToBe) {
    billing->listen("invoices");
    const Pair client(*orders, orders_queue);
    auto request = connect_request(client.id(), "a/invoices");
    request.executor = static_cast<std::uint32_t>(abi::Executor::direct);
    const auto direct = orders->client.call(request);
    EXPECT_EQ(direct->code(), ErrorCode::denied);  // between named entrances, see policy_test.cpp
    EXPECT_NE(direct->text().find("open entrance"), std::string::npos) << direct->text();
    request.executor = static_cast<std::uint32_t>(abi::Executor::link);
    EXPECT_EQ(code(*orders, request), ErrorCode::unsupported);
    request.executor = 4;
    EXPECT_EQ(code(*orders, request), ErrorCode::invalid_argument);
    request.executor = static_cast<std::uint32_t>(abi::Executor::adapter);
    EXPECT_EQ(code(*orders, request), ErrorCode::none);
}

TEST_P(Connections, OnlyOnesOwnObjectsCanBeUsed) {
    const std::uint32_t listener = billing->listen("invoices");
    const Pair client(*orders, orders_queue);
    const Pair server(*billing, billing_queue);
    EXPECT_EQ(code(*billing, connect_request(client.id(), "a/invoices")), ErrorCode::not_found);
    EXPECT_EQ(code(*billing, disconnect_request(client.id())), ErrorCode::not_found);
    ASSERT_TRUE(orders->client.call(connect_request(client.id(), "a/invoices"))->ok());
    EXPECT_EQ(code(*billing, accept_request(listener, client.id())), ErrorCode::not_found);
    EXPECT_EQ(code(*orders, accept_request(listener, client.id())), ErrorCode::not_found);
    ASSERT_EQ(code(*billing, accept_request(listener, server.id())), ErrorCode::none);
    EXPECT_EQ(code(*billing, accept_request(listener, server.id())), ErrorCode::wrong_state);
}

TEST_P(Connections, APartitionMayCallItself) {
    const std::uint32_t listener = billing->listen("invoices");
    const Pair client(*billing, billing_queue);
    const Pair server(*billing, billing_queue);
    ASSERT_EQ(code(*billing, connect_request(client.id(), "a/invoices")), ErrorCode::none);
    ASSERT_EQ(code(*billing, accept_request(listener, server.id())), ErrorCode::none);
    EXPECT_TRUE(client.becomes(abi::QueuePairState::connected));
    EXPECT_TRUE(server.becomes(abi::QueuePairState::connected));
}

INSTANTIATE_TEST_SUITE_P(Movers, Connections, testing::Values(1u, 3u));

TEST(QueuePairs, AreCheckedBeforeAnythingIsMade) {
    const InProcessAdapter adapter(
        [](ServerOptions& options) { options.fabric.quota.max_queue_pairs = 2; });
    RawSession session(adapter.socket(), "orders");
    const std::uint32_t queue = session.open_completions();
    const auto code = [&](auto change) {
        auto request = create_request(queue);
        change(request);
        return session.client.call(request)->code();
    };
    EXPECT_EQ(code([](auto& r) { r.shape.send_entries = 3; }), ErrorCode::invalid_argument);
    EXPECT_EQ(code([](auto& r) { r.shape.receive_entries = 0; }), ErrorCode::invalid_argument);
    EXPECT_EQ(code([](auto& r) { r.shape.send_entries = 1 << 17; }), ErrorCode::invalid_argument);
    EXPECT_EQ(code([](auto& r) { r.shape.send_completion_entries = 8; }),
              ErrorCode::invalid_argument);
    EXPECT_EQ(code([](auto& r) { r.completions += 1; }), ErrorCode::not_found);
    EXPECT_EQ(code([](auto& r) { r.patience = 3; }), ErrorCode::invalid_argument);
    EXPECT_EQ(code([](auto&) {}), ErrorCode::none);
    EXPECT_EQ(code([](auto&) {}), ErrorCode::none);
    EXPECT_EQ(code([](auto&) {}), ErrorCode::limit_reached);
}

TEST(QueuePairs, MemoryOfTheirRingsIsLimited) {
    const InProcessAdapter adapter(
        [](ServerOptions& options) { options.fabric.quota.max_queue_bytes = 1 << 20; });
    RawSession session(adapter.socket(), "orders");
    auto request = create_request(session.open_completions());
    request.shape = {1 << 16, 1 << 16, 1 << 16, 1 << 16};
    EXPECT_EQ(session.client.call(request)->code(), ErrorCode::limit_reached);
}

TEST(Doorbells, AreOpenedOnceWhereThereIsOne) {
    const InProcessAdapter adapter;
    RawSession session(adapter.socket(), "orders");
    auto events = session.client.call(doorbell_request(abi::DoorbellKind::events)).value();
    EXPECT_TRUE(events.ok());
    EXPECT_TRUE(events.descriptor.valid());
    EXPECT_EQ(session.client.call(doorbell_request(abi::DoorbellKind::events))->code(),
              ErrorCode::wrong_state);
    auto mover = doorbell_request(abi::DoorbellKind::mover);
    EXPECT_TRUE(session.client.call(mover)->ok());
    EXPECT_EQ(session.client.call(mover)->code(), ErrorCode::wrong_state);
    mover.index = 1;
    EXPECT_EQ(session.client.call(mover)->code(), ErrorCode::invalid_argument);
    mover.kind = 5;
    EXPECT_EQ(session.client.call(mover)->code(), ErrorCode::invalid_argument);
    // Bells between direct peers have numbers that the adapter gave out; this partition has none.
    for (const auto kind : {abi::DoorbellKind::bell_in, abi::DoorbellKind::bell_out}) {
        mover.kind = static_cast<std::uint32_t>(kind);
        EXPECT_EQ(session.client.call(mover)->code(), ErrorCode::not_found);
    }

    auto socket = control::make<abi::DoorbellRequest>(abi::Request::wakeup_socket);
    socket.doorbell = events.as<abi::OpenDoorbellReply>().doorbell;
    auto first = session.client.call(socket).value();
    EXPECT_TRUE(first.descriptor.valid());
    EXPECT_EQ(session.client.call(socket)->code(), ErrorCode::wrong_state);
    socket.header.type = static_cast<std::uint16_t>(abi::Request::close_doorbell);
    EXPECT_EQ(session.client.call(socket)->code(), ErrorCode::wrong_state);
}

TEST(Doorbells, OfCompletionQueuesCloseWhenNoQueuePairUsesThem) {
    const InProcessAdapter adapter(
        [](ServerOptions& options) { options.fabric.quota.max_completion_queues = 1; });
    RawSession session(adapter.socket(), "orders");
    const std::uint32_t queue = session.open_completions();
    EXPECT_EQ(session.client.call(doorbell_request(abi::DoorbellKind::completions))->code(),
              ErrorCode::limit_reached);
    const std::uint32_t pair = session.create_queue_pair(queue);
    auto close = control::make<abi::DoorbellRequest>(abi::Request::close_doorbell);
    close.doorbell = queue;
    EXPECT_EQ(session.client.call(close)->code(), ErrorCode::wrong_state);
    EXPECT_TRUE(session.client.call(disconnect_request(pair))->ok());
    EXPECT_TRUE(session.client.call(close)->ok());
    EXPECT_EQ(session.client.call(close)->code(), ErrorCode::not_found);
    EXPECT_NO_THROW(session.open_completions());
}

TEST(Doorbells, TellOfConnectionsThatAreWanted) {
    const InProcessAdapter adapter;
    RawSession server(adapter.socket(), "server");
    auto events = server.client.call(doorbell_request(abi::DoorbellKind::events)).value();
    const auto page = platform::Mapping::map(events.descriptor.get(), 4096).value();
    const shm::DoorbellWaiter waiter(page.at<abi::DoorbellLayout>());
    server.listen("service");
    EXPECT_FALSE(waiter.rung());
    RawSession client(adapter.socket(), "client");
    const std::uint32_t pair = client.create_queue_pair(client.open_completions());
    ASSERT_TRUE(client.client.call(connect_request(pair, "server/service"))->ok());
    std::vector<std::uint32_t> bits;
    waiter.take([&](std::uint32_t bit) { bits.push_back(bit); });
    EXPECT_EQ(bits, (std::vector<std::uint32_t>{
                        static_cast<std::uint32_t>(abi::DoorbellEvent::connection_wanted)}));
}

TEST(Listeners, AreCheckedAndLimited) {
    const InProcessAdapter adapter([](ServerOptions& o) { o.fabric.quota.max_listeners = 2; });
    RawSession session(adapter.socket(), "orders");
    EXPECT_EQ(session.client.call(test::listen_request("s", 0))->code(),
              ErrorCode::invalid_argument);
    EXPECT_EQ(session.client.call(test::listen_request("s", 100'000))->code(),
              ErrorCode::invalid_argument);
    EXPECT_EQ(session.client.call(test::listen_request("", 1))->code(),
              ErrorCode::invalid_argument);
    EXPECT_EQ(session.client.call(test::listen_request("s", 1))->code(), ErrorCode::none);
    EXPECT_EQ(session.client.call(test::listen_request("s", 1))->code(), ErrorCode::name_in_use);
    EXPECT_EQ(session.client.call(test::listen_request("t", 1))->code(), ErrorCode::none);
    EXPECT_EQ(session.client.call(test::listen_request("u", 1))->code(), ErrorCode::limit_reached);
}

}  // namespace
}  // namespace causeway::adapter
