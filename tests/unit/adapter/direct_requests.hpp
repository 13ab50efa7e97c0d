// What the tests of the requests of executor direct stand on: a live adapter in this process, and
// two raw sessions, "orders" and "billing", of which the second listens.
//
// Threading: one thread. Ownership: the fixture's.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>

#include "support/direct_sessions.hpp"
#include "support/in_process_adapter.hpp"
#include "support/own_holdings.hpp"
#include "support/raw_client.hpp"

namespace causeway::adapter {

using test::accept_request;
using test::connect_request;
using test::create_request;
using test::disconnect_request;
using test::eventually;
using test::InProcessAdapter;
using test::RawEnd;
using test::RawMemory;
using test::RawReply;
using test::RawSession;

class DirectRequests : public testing::Test {
protected:
    static constexpr std::uint32_t kExported =
        abi::right::kExportable | abi::right::kRemoteWrite | abi::right::kAppend;
    static constexpr abi::QueuePairShape kOrders{4, 8, 4, 16};
    static constexpr abi::QueuePairShape kBilling{16, 32, 16, 32};

    struct Joined {
        std::unique_ptr<RawEnd> a;  // orders, connected
        std::unique_ptr<RawEnd> b;  // billing, accepted
    };
    Joined join(abi::Executor wanted = abi::Executor::direct) {
        Joined joined{std::make_unique<RawEnd>(*orders, orders_queue, kOrders),
                      std::make_unique<RawEnd>(*billing, billing_queue, kBilling)};
        auto connect = connect_request(joined.a->id(), "billing/invoices");
        connect.executor = static_cast<std::uint32_t>(wanted);
        EXPECT_TRUE(orders->client.call(connect)->ok());
        auto accept = accept_request(listener, joined.b->id());
        accept.executor = static_cast<std::uint32_t>(wanted);
        const auto reply = billing->client.call(accept).value();
        EXPECT_TRUE(reply.ok()) << reply.text();
        EXPECT_EQ(reply.as<abi::AcceptReply>().executor, static_cast<std::uint32_t>(wanted));
        for (const auto& end : {joined.a.get(), joined.b.get()}) {
            EXPECT_TRUE(end->becomes(abi::QueuePairState::connected));
            EXPECT_EQ(end->layout().executor.load(), static_cast<std::uint32_t>(wanted));
        }
        return joined;
    }
    static RawReply open_bell(RawSession& session, abi::DoorbellKind kind, std::uint32_t number) {
        auto request = test::doorbell_request(kind);
        request.index = number;
        return session.client.call(request).value();
    }
    static RawReply socket_of(RawSession& session, const RawReply& bell) {
        auto request = control::make<abi::DoorbellRequest>(abi::Request::wakeup_socket);
        request.doorbell = bell.as<abi::OpenDoorbellReply>().doorbell;
        return session.client.call(request).value();
    }
    static RawReply close_bell(RawSession& session, const RawReply& bell) {
        auto request = control::make<abi::DoorbellRequest>(abi::Request::close_doorbell);
        request.doorbell = bell.as<abi::OpenDoorbellReply>().doorbell;
        return session.client.call(request).value();
    }
    static void disconnect(const RawEnd& end) {
        EXPECT_TRUE(end.session.client.call(disconnect_request(end.id()))->ok());
    }
    // What a partition gets with its first queue pair and keeps, so that a test can count the rest.
    void have_had_queue_pairs() {
        disconnect(RawEnd(*orders, orders_queue, kOrders));
        disconnect(RawEnd(*billing, billing_queue, kBilling));
    }
    void attach() {
        orders = std::make_unique<RawSession>(adapter.socket(), "orders");
        billing = std::make_unique<RawSession>(adapter.socket(), "billing");
        orders_queue = orders->open_completions();
        billing_queue = billing->open_completions();
        listener = billing->listen("invoices");
    }
    void detach() {
        billing.reset();
        orders.reset();
    }
    // Of this process, the adapter included.
    struct Held {
        std::size_t files = test::open_files();
        std::size_t mappings = test::shared_mappings();
        bool operator==(const Held&) const = default;
    };
    // When nothing moves any more: the same for a while.
    static Held settled() {
        Held held;
        for (int same = 0; same < 10;) {
            ::usleep(5000);
            const Held now;
            same = now == held ? same + 1 : 0;
            held = now;
        }
        return held;
    }

    void SetUp() override { attach(); }

    InProcessAdapter adapter;
    std::unique_ptr<RawSession> orders, billing;
    std::uint32_t orders_queue = 0;
    std::uint32_t billing_queue = 0;
    std::uint32_t listener = 0;
};

}  // namespace causeway::adapter
