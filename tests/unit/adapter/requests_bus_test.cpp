// The bus of a live adapter: what is announced, who sees it, who is told, and what is refused.
#include <gtest/gtest.h>

#include <causeway/abi/doorbell.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapter/bus.hpp"
#include "platform/mapping.hpp"
#include "support/holder.hpp"
#include "support/in_process_adapter.hpp"
#include "support/raw_client.hpp"

namespace causeway::adapter {
namespace {

using abi::ControllerState;
using abi::ControllerType;
using test::InProcessAdapter;
using test::RawSession;

template<typename Row>
control::BusPage<Row> page_of(RawSession& session, const abi::BusRequest& request) {
    const auto reply = session.client.call(request).value();
    EXPECT_TRUE(reply.ok()) << reply.text();
    return control::parse_bus_rows<Row>(reply.bytes).value();
}

std::vector<abi::ControllerRow> controllers(RawSession& session) {
    std::vector<abi::ControllerRow> rows;
    auto request = test::bus_request();
    do {
        const auto page = page_of<abi::ControllerRow>(session, request);
        rows.insert(rows.end(), page.rows.begin(), page.rows.end());
        request.cursor = page.next;
    } while (request.cursor != 0);
    return rows;
}

std::vector<std::string> users(RawSession& session, std::uint64_t controller) {
    std::vector<std::string> names;
    auto request = test::bus_users_request(controller);
    do {
        const auto page = page_of<abi::BusUserRow>(session, request);
        for (const abi::BusUserRow& row : page.rows)
            names.emplace_back(row.partition);
        request.cursor = page.next;
    } while (request.cursor != 0);
    return names;
}

std::uint64_t generation(RawSession& session, std::uint32_t flags = 0) {
    return page_of<abi::ControllerRow>(session, test::bus_request(0, flags)).generation;
}

std::uint32_t announce(RawSession& session, const std::string& service, ControllerType type) {
    const auto reply = session.client.call(test::controller_request(service, type)).value();
    EXPECT_TRUE(reply.ok()) << reply.text();
    return reply.as<abi::ListenReply>().listener;
}

void close_listener(RawSession& session, std::uint32_t listener) {
    auto request = control::make<abi::CloseListenerRequest>(abi::Request::close_listener);
    request.listener = listener;
    EXPECT_TRUE(session.client.call(request)->ok());
}

// Connects a fresh queue pair of `from` to the service; the two queue pairs.
std::pair<std::uint32_t, std::uint32_t> connect(RawSession& from, RawSession& to,
                                                const std::string& service,
                                                std::uint32_t listener) {
    const std::uint32_t connector = from.create_queue_pair(from.open_completions());
    const std::uint32_t acceptor = to.create_queue_pair(to.open_completions());
    const std::string target = to.attached.name + ("/" + service);
    EXPECT_TRUE(from.client.call(test::connect_request(connector, target))->ok());
    EXPECT_TRUE(to.client.call(test::accept_request(listener, acceptor))->ok());
    return {connector, acceptor};
}

// The events of a partition, as its doorbell's page shows them.
class Events {
public:
    explicit Events(RawSession& session) {
        const auto reply =
            session.client.call(test::doorbell_request(abi::DoorbellKind::events)).value();
        page_ = platform::Mapping::map(reply.descriptor.get(), sizeof(abi::DoorbellLayout)).value();
    }
    // Was it told of the bus since the last call?
    [[nodiscard]] bool told() {
        constexpr auto kBit = std::uint64_t{1}
                              << static_cast<unsigned>(abi::DoorbellEvent::bus_changed);
        auto& word = page_.at<abi::DoorbellLayout>()->words[0];
        return (word.fetch_and(~kBit, std::memory_order_acq_rel) & kBit) != 0;
    }

private:
    platform::Mapping page_;
};

TEST(BusRequests, ShowControllersAndNoOtherService) {
    const InProcessAdapter adapter;
    RawSession net(adapter.socket(), "net");
    RawSession orders(adapter.socket(), "orders");
    net.listen("plain");
    announce(net, "lan0", ControllerType::network);
    announce(net, "crypt", ControllerType::security);
    const std::uint32_t disk = announce(orders, "disk0", ControllerType::block);
    const auto rows = controllers(orders);
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_STREQ(rows[0].partition, "net");
    EXPECT_STREQ(rows[0].service, "lan0");
    EXPECT_EQ(rows[0].type, static_cast<std::uint32_t>(ControllerType::network));
    EXPECT_EQ(rows[0].state, static_cast<std::uint32_t>(ControllerState::up));
    EXPECT_EQ(rows[0].connections, 0u);
    EXPECT_EQ(rows[1].type, static_cast<std::uint32_t>(ControllerType::security));
    EXPECT_STREQ(rows[2].partition, "orders");
    EXPECT_EQ(rows[2].controller, Bus::number_of(orders.attached.session, disk));
    auto observer = RawSession::observer(adapter.socket());
    EXPECT_EQ(controllers(observer).size(), 3u);

    close_listener(orders, disk);
    EXPECT_EQ(controllers(observer).size(), 2u);
    net.client.close();
    EXPECT_TRUE(test::eventually([&] { return controllers(observer).empty(); }));
    // Under the same name it is another one.
    const std::uint32_t again = announce(orders, "disk0", ControllerType::block);
    EXPECT_NE(again, disk);
}

// What an older library sends ends before the type.
TEST(BusRequests, AListenWithoutATypeIsNoController) {
    const InProcessAdapter adapter;
    RawSession session(adapter.socket(), "orders");
    auto request = test::listen_request("old");
    request.header.size = offsetof(abi::ListenRequest, controller);
    const auto bytes = control::bytes_of(request).first(request.header.size);
    EXPECT_TRUE(session.client.exchange(bytes)->ok());
    EXPECT_TRUE(controllers(session).empty());
}

TEST(BusRequests, PagesShowEveryControllerAndEveryUserOnce) {
    const InProcessAdapter adapter;
    RawSession net(adapter.socket(), "net");
    std::uint32_t listener = 0;
    for (std::size_t i = 0; i < Bus::kMostOfOne; ++i)
        listener = announce(net, "lan" + std::to_string(i), ControllerType::network);
    const auto one_more =
        net.client.call(test::controller_request("more", ControllerType::network)).value();
    EXPECT_EQ(one_more.code(), ErrorCode::limit_reached);
    EXPECT_TRUE(net.client.call(test::listen_request("more"))->ok()) << "an ordinary one";
    std::set<std::uint64_t> shown;
    const auto rows = controllers(net);
    for (const auto& row : rows)
        shown.insert(row.controller);
    EXPECT_EQ(rows.size(), Bus::kMostOfOne);
    EXPECT_EQ(shown.size(), Bus::kMostOfOne);

    std::vector<std::unique_ptr<RawSession>> clients;
    std::vector<std::string> names;
    const std::string service = "lan" + std::to_string(Bus::kMostOfOne - 1);
    for (int i = 0; i < 130; ++i) {
        names.push_back("client-" + std::to_string(1000 + i));
        clients.push_back(std::make_unique<RawSession>(adapter.socket(), names.back()));
        connect(*clients.back(), net, service, listener);
    }
    EXPECT_EQ(users(net, Bus::number_of(net.attached.session, listener)), names);
    EXPECT_EQ(controllers(net).back().users, 130u);
}

TEST(BusRequests, UsersComeAndGo) {
    const InProcessAdapter adapter;
    RawSession net(adapter.socket(), "net");
    RawSession orders(adapter.socket(), "orders");
    const std::uint32_t listener = announce(net, "lan0", ControllerType::network);
    const auto number = Bus::number_of(net.attached.session, listener);
    const auto first = connect(orders, net, "lan0", listener);
    const auto second = connect(orders, net, "lan0", listener);
    auto row = controllers(orders).at(0);
    EXPECT_EQ(row.connections, 2u);
    EXPECT_EQ(row.users, 1u);
    EXPECT_EQ(users(orders, number), std::vector<std::string>{"orders"});

    // Either end lets go.
    EXPECT_TRUE(orders.client.call(test::disconnect_request(first.first))->ok());
    EXPECT_EQ(controllers(net).at(0).connections, 1u);
    EXPECT_TRUE(net.client.call(test::disconnect_request(first.second))->ok());
    EXPECT_EQ(controllers(net).at(0).connections, 1u) << "it was counted once";
    EXPECT_TRUE(net.client.call(test::disconnect_request(second.second))->ok());
    EXPECT_EQ(controllers(net).at(0).connections, 0u);
    EXPECT_TRUE(users(net, number).empty());

    // Who dies uses nothing.
    connect(orders, net, "lan0", listener);
    EXPECT_EQ(controllers(net).at(0).users, 1u);
    orders.client.close();
    EXPECT_TRUE(test::eventually([&] { return controllers(net).at(0).users == 0; }));
    // What waits to be accepted uses nothing yet; nor does who connects to another service.
    RawSession other(adapter.socket(), "other");
    const std::uint32_t plain = net.listen("plain");
    connect(other, net, "plain", plain);
    const std::uint32_t waiting = other.create_queue_pair(other.open_completions());
    EXPECT_TRUE(other.client.call(test::connect_request(waiting, "net/lan0"))->ok());
    EXPECT_EQ(controllers(net).at(0).connections, 0u);
}

TEST(BusRequests, AGenerationHoldsUntilSomethingChanges) {
    const InProcessAdapter adapter;
    RawSession net(adapter.socket(), "net");
    RawSession orders(adapter.socket(), "orders");
    auto observer = RawSession::observer(adapter.socket());
    std::set<std::uint64_t> seen{generation(observer)};
    const auto changed = [&](const char* what) {
        const std::uint64_t now = generation(observer);
        EXPECT_EQ(generation(observer), now) << what;
        EXPECT_TRUE(seen.insert(now).second) << what;
        const auto reply = observer.client.call(test::bus_request(now)).value();
        EXPECT_EQ(reply.bytes.size(), sizeof(abi::BusReply)) << what << ": one small message";
        EXPECT_NE(now, 0u);
    };
    const std::uint32_t listener = announce(net, "lan0", ControllerType::network);
    changed("it arrives");
    const auto pairs = connect(orders, net, "lan0", listener);
    changed("it is used");
    EXPECT_TRUE(orders.client.call(test::disconnect_request(pairs.first))->ok());
    changed("it is not used any more");
    announce(net, "lan1", ControllerType::network);
    changed("another one");
    close_listener(net, listener);
    changed("it departs");
    const std::uint64_t now = generation(observer);
    net.listen("plain");
    EXPECT_EQ(generation(observer), now) << "nothing on the bus";
}

// Who may connect: as the default policy, but for who is listed.
class Forbidding : public DefaultPolicy {
public:
    explicit Forbidding(std::set<std::string> from) : from_(std::move(from)) {}
    [[nodiscard]] Decision may_connect(const Party& from, const Party& to,
                                       std::string_view service) const override {
        Decision decision = DefaultPolicy::may_connect(from, to, service);
        if (from_.count(std::string(from.partition)) != 0)
            decision.allowed = false;
        return decision;
    }

private:
    std::set<std::string> from_;
};

void forbid(InProcessAdapter& adapter, const std::set<std::string>& from) {
    adapter.on_control(
        [&](Fabric& fabric) { fabric.set_policy(std::make_unique<Forbidding>(from)); });
}

TEST(BusRequests, WhoMayNotConnectSeesNothing) {
    InProcessAdapter adapter;
    forbid(adapter, {"a"});
    RawSession net(adapter.socket(), "net");
    RawSession a(adapter.socket("a"), "a");
    RawSession b(adapter.socket("b"), "b");
    auto by_a = RawSession::observer(adapter.socket("a"));
    auto by_b = RawSession::observer(adapter.socket("b"));
    Events events(a);
    const std::uint64_t empty = generation(a, abi::bus_flag::kTell);
    const std::uint32_t listener = announce(net, "lan0", ControllerType::network);
    const auto number = Bus::number_of(net.attached.session, listener);
    connect(b, net, "lan0", listener);
    for (RawSession* session : {&a, &by_a}) {
        EXPECT_TRUE(controllers(*session).empty());
        const auto reply = session->client.call(test::bus_users_request(number)).value();
        EXPECT_EQ(reply.code(), ErrorCode::not_found) << "as of one that is not there";
        const auto absent = session->client.call(test::bus_users_request(4711)).value();
        EXPECT_EQ(absent.code(), ErrorCode::not_found);
    }
    EXPECT_EQ(generation(a), empty) << "what it may not see changes nothing";
    EXPECT_FALSE(events.told());
    EXPECT_EQ(controllers(b).size(), 1u);
    EXPECT_EQ(controllers(by_b).size(), 1u);
    // One's own one sees.
    announce(a, "disk", ControllerType::block);
    EXPECT_EQ(controllers(a).size(), 1u);
    EXPECT_TRUE(events.told());

    // It is allowed now, and tells at once.
    (void)generation(a, abi::bus_flag::kTell);
    forbid(adapter, {});
    EXPECT_TRUE(events.told());
    EXPECT_EQ(controllers(a).size(), 2u);
}

TEST(BusRequests, ANamedEntranceSeesOnlyItselfAmongOthersUsers) {
    const InProcessAdapter adapter;
    RawSession net(adapter.socket(), "net");
    RawSession a(adapter.socket("a"), "a");
    RawSession b(adapter.socket("b"), "b");
    auto by_a = RawSession::observer(adapter.socket("a"));
    auto all = RawSession::observer(adapter.socket());
    const std::uint32_t listener = announce(net, "lan0", ControllerType::network);
    const auto number = Bus::number_of(net.attached.session, listener);
    Events events(a);
    const std::uint64_t before = generation(a, abi::bus_flag::kTell);
    const auto pairs = connect(b, net, "lan0", listener);
    for (RawSession* session : {&a, &by_a}) {
        EXPECT_EQ(controllers(*session).at(0).connections, 0u);
        EXPECT_EQ(controllers(*session).at(0).users, 0u);
        EXPECT_TRUE(users(*session, number).empty());
        EXPECT_EQ(generation(*session), before) << "another's use is not its business";
    }
    EXPECT_FALSE(events.told());
    connect(a, net, "lan0", listener);
    for (RawSession* session : {&a, &by_a}) {
        EXPECT_EQ(controllers(*session).at(0).connections, 1u);
        EXPECT_EQ(users(*session, number), std::vector<std::string>{"a"});
        EXPECT_NE(generation(*session), before);
    }
    EXPECT_TRUE(events.told());
    for (RawSession* session : {&net, &all})
        EXPECT_EQ(users(*session, number), (std::vector<std::string>{"a", "b"}));
    // Of its own controllers it sees all users.
    const std::uint32_t own = announce(a, "disk", ControllerType::block);
    connect(b, a, "disk", own);
    EXPECT_EQ(users(a, Bus::number_of(a.attached.session, own)), std::vector<std::string>{"b"});
    EXPECT_TRUE(b.client.call(test::disconnect_request(pairs.first))->ok());
    EXPECT_EQ(users(net, number), std::vector<std::string>{"a"});
}

TEST(BusRequests, EventsTellWhoAskedOnce) {
    const InProcessAdapter adapter;
    RawSession net(adapter.socket(), "net");
    RawSession orders(adapter.socket(), "orders");
    RawSession quiet(adapter.socket(), "quiet");
    Events told(orders);
    Events untold(quiet);
    (void)generation(quiet);
    (void)generation(orders, abi::bus_flag::kTell);
    announce(net, "lan0", ControllerType::network);
    EXPECT_TRUE(told.told());
    EXPECT_FALSE(untold.told()) << "it did not ask for it";
    const std::uint32_t second = announce(net, "lan1", ControllerType::network);
    EXPECT_FALSE(told.told()) << "once for each time";
    (void)generation(orders, abi::bus_flag::kTell);
    close_listener(net, second);
    EXPECT_TRUE(told.told());
    (void)generation(orders, abi::bus_flag::kTell);
    net.client.close();
    EXPECT_TRUE(test::eventually([&] { return told.told(); }));
}

TEST(BusRequests, WhatMeansNothingIsRefused) {
    const InProcessAdapter adapter;
    RawSession session(adapter.socket(), "orders");
    const auto refused = [&](const auto& request, const char* word) {
        const auto reply = session.client.call(request).value();
        EXPECT_EQ(reply.code(), ErrorCode::invalid_argument) << word;
        EXPECT_NE(reply.text().find(word), std::string::npos) << reply.text();
    };
    refused(test::controller_request("x", ControllerType(5)), "type 5");
    refused(test::controller_request("x", ControllerType(0xffffffff)), "type 4294967295");
    auto listen = test::controller_request("x", ControllerType::other);
    listen.reserved_too = 1;
    refused(listen, "reserved");
    auto request = test::bus_request();
    request.kind = 2;
    refused(request, "kind 2");
    refused(test::bus_request(0, 2), "flags");
    request = test::bus_request();
    request.controller = 1;
    refused(request, "users");
    EXPECT_TRUE(controllers(session).empty()) << "nothing was announced";

    // Any cursor is one: behind the last there is nothing.
    const std::uint32_t own = announce(session, "x", ControllerType::other);
    for (const std::uint64_t cursor : {std::uint64_t{1} << 63, UINT64_MAX}) {
        request = test::bus_request();
        request.cursor = cursor;
        EXPECT_TRUE(page_of<abi::ControllerRow>(session, request).rows.empty());
        request = test::bus_users_request(Bus::number_of(session.attached.session, own));
        request.cursor = cursor;
        const auto page = page_of<abi::BusUserRow>(session, request);
        EXPECT_TRUE(page.rows.empty());
        EXPECT_EQ(page.next, 0u);
    }
}

// With the next adapter it is away until its partition has come back whole.
TEST(BusRequests, ControllersAndTheirUsersOutliveTheAdapter) {
    const test::TempDirectory directory;
    std::optional<InProcessAdapter> adapter;
    const auto start = [&] {
        adapter.reset();
        adapter.emplace([&](ServerOptions& options) {
            options.runtime_directory = directory.path();
            options.fabric.resume_patience_ns = 60'000'000'000;
        });
    };
    const std::string socket = directory.path() + "/fabric.sock";
    start();
    test::Holder net(socket, "net");
    test::Holder orders(socket, "orders");
    const std::uint32_t listener = announce(net.session, "lan0", ControllerType::network);
    net.session.listen("plain");
    const auto number = Bus::number_of(net.session.attached.session, listener);
    ASSERT_TRUE(
        orders.session.client.call(test::connect_request(orders.pair.queue_pair, "net/lan0"))
            ->ok());
    ASSERT_TRUE(net.session.client.call(test::accept_request(listener, net.pair.queue_pair))->ok());
    ASSERT_TRUE(test::eventually([&] { return orders.state() == abi::QueuePairState::connected; }));
    std::uint64_t before = 0;
    {
        auto observer = RawSession::observer(socket);
        before = generation(observer);
    }
    start();
    auto observer = RawSession::observer(socket);
    const auto expect = [&](ControllerState state, std::uint32_t connections, const char* when) {
        const auto rows = controllers(observer);
        ASSERT_EQ(rows.size(), 1u) << when;
        EXPECT_EQ(rows[0].controller, number) << when;
        EXPECT_STREQ(rows[0].partition, "net") << when;
        EXPECT_STREQ(rows[0].service, "lan0") << when;
        EXPECT_EQ(rows[0].type, static_cast<std::uint32_t>(ControllerType::network)) << when;
        EXPECT_EQ(rows[0].state, static_cast<std::uint32_t>(state)) << when;
        EXPECT_EQ(rows[0].connections, connections) << when;
    };
    expect(ControllerState::away, 0, "nobody is back");
    EXPECT_NE(generation(observer), before) << "another adapter counts in another way";
    net.attach_again(socket);
    expect(ControllerState::away, 0, "it is still bringing things");
    net.back.reset();  // gives up that attempt: its session ends with it
    EXPECT_TRUE(test::eventually([&] { return controllers(observer).empty(); }));

    start();
    test::Holder disk(socket, "disk");
    const std::uint32_t at = announce(disk.session, "disk0", ControllerType::block);
    test::Holder user(socket, "user");
    ASSERT_TRUE(
        user.session.client.call(test::connect_request(user.pair.queue_pair, "disk/disk0"))->ok());
    ASSERT_TRUE(disk.session.client.call(test::accept_request(at, disk.pair.queue_pair))->ok());
    ASSERT_TRUE(test::eventually([&] { return user.state() == abi::QueuePairState::connected; }));
    start();
    observer = RawSession::observer(socket);
    EXPECT_EQ(disk.come_back(socket), "");
    ASSERT_EQ(controllers(observer).size(), 1u);
    EXPECT_EQ(controllers(observer)[0].state, static_cast<std::uint32_t>(ControllerState::up));
    EXPECT_EQ(controllers(observer)[0].connections, 0u);
    EXPECT_EQ(user.come_back(socket), "");
    EXPECT_EQ(controllers(observer)[0].connections, 1u);
    EXPECT_TRUE(user.back->client.call(test::disconnect_request(user.pair.queue_pair))->ok());
    EXPECT_EQ(controllers(observer)[0].connections, 0u);
}

}  // namespace
}  // namespace causeway::adapter
