// What a watch tells of two looks at the bus, and what the C functions refuse.
#include <gtest/gtest.h>

#include <causeway/bus.hpp>
#include <string>
#include <vector>

#include "client/bus.hpp"
#include "support/in_process_adapter.hpp"
#include "support/raw_client.hpp"

namespace causeway::client {
namespace {

using What = BusChange::What;

SeenController seen(std::uint64_t number, const std::string& service,
                    std::vector<std::string> users = {}) {
    SeenController one;
    one.number = number;
    one.type = abi::ControllerType::network;
    one.state = abi::ControllerState::up;
    one.partition = "net";
    one.service = service;
    one.connections = static_cast<std::uint32_t>(users.size());
    one.users = std::move(users);
    return one;
}

TEST(BusChanges, AreWhatDiffers) {
    const auto kept = seen(1, "kept");
    const auto before = std::vector{kept, seen(2, "gone"), seen(4, "used")};
    const auto after = std::vector{kept, seen(3, "new"), seen(4, "used", {"a"})};
    const auto changes = changes_between(before, after);
    ASSERT_EQ(changes.size(), 3u);
    EXPECT_EQ(changes[0], (causeway::client::BusChange{What::departed, before[1]}));
    EXPECT_EQ(changes[1], (causeway::client::BusChange{What::arrived, after[1]}));
    EXPECT_EQ(changes[2], (causeway::client::BusChange{What::changed, after[2]}));
    EXPECT_TRUE(changes_between(after, after).empty());
    EXPECT_EQ(changes_between({}, after).size(), 3u);
    EXPECT_EQ(changes_between(before, {}).size(), 3u);
}

TEST(BusChanges, TellOneThatTookANumberFromTheOneThatHadIt) {
    const auto changes = changes_between({seen(1, "lan0")}, {seen(1, "disk0")});
    ASSERT_EQ(changes.size(), 2u);
    EXPECT_EQ(changes[0].what, What::departed);
    EXPECT_EQ(changes[1].what, What::arrived);
}

TEST(BusChanges, AreInTheirState) {
    auto away = seen(1, "lan0");
    away.state = abi::ControllerState::away;
    const auto changes = changes_between({seen(1, "lan0")}, {away});
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].what, What::changed);
}

TEST(CBus, RefusesNothingGiven) {
    cw_bus* bus = nullptr;
    const auto controller = [](const cw_controller*, void*) {};
    const auto change = [](cw_bus_change, const cw_controller*, void*) {};
    EXPECT_EQ(cw_bus_open(nullptr, nullptr, nullptr), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_bus_list(nullptr, controller, nullptr), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_bus_watch(nullptr, 0, change, nullptr), CW_ERROR_INVALID_ARGUMENT);
    cw_bus_close(nullptr);
    const test::InProcessAdapter adapter;
    ASSERT_EQ(cw_bus_open(nullptr, adapter.socket().c_str(), &bus), CW_OK);
    EXPECT_EQ(cw_bus_list(bus, nullptr, nullptr), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_bus_watch(bus, 0, nullptr, nullptr), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_bus_list(bus, controller, nullptr), CW_OK);
    cw_bus_close(bus);
}

// More than one page of controllers, and of users.
TEST(CBus, ListsThemWhole) {
    const test::InProcessAdapter adapter;
    test::RawSession net(adapter.socket(), "net");
    std::uint32_t listener = 0;
    for (int i = 0; i < 60; ++i) {
        listener = net.client
                       .call(test::controller_request("lan" + std::to_string(i),
                                                      abi::ControllerType::network))
                       ->as<abi::ListenReply>()
                       .listener;
    }
    std::vector<test::RawSession> clients;
    for (int i = 0; i < 60; ++i) {
        test::RawSession& client =
            clients.emplace_back(adapter.socket(), "client-" + std::to_string(100 + i));
        const auto pair = client.create_queue_pair(client.open_completions());
        ASSERT_TRUE(client.client.call(test::connect_request(pair, "net/lan59"))->ok());
        const auto end = net.create_queue_pair(net.open_completions());
        ASSERT_TRUE(net.client.call(test::accept_request(listener, end))->ok());
    }
    auto bus = causeway::Bus::observe(adapter.socket()).value();
    const auto all = bus.controllers().value();
    ASSERT_EQ(all.size(), 60u);
    ASSERT_EQ(all[59].service, "lan59");
    ASSERT_EQ(all[59].users.size(), 60u);
    EXPECT_EQ(all[59].users[0], "client-100");
    EXPECT_EQ(all[59].users[59], "client-159");
    EXPECT_EQ(bus.watch(std::chrono::seconds(20)).value().size(), 60u);
}

}  // namespace
}  // namespace causeway::client
