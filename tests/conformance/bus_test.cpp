// The bus, under every executor: controllers are announced, found, used and gone, and who watches
// is told.
#include <gmock/gmock.h>
#include <poll.h>

#include <future>
#include <memory>

#include "conformance/fixture.hpp"
#include "support/mortal.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using What = BusChange::What;

class OnTheBus : public Conformance {
protected:
    // A connection of `from` to the controller.
    [[nodiscard]] Pair use(Party& from, Party& to, Listener& listener, const std::string& service) {
        const auto create = [&](Party& party) {
            QueuePairOptions options{.completions = party.queue};
            options.executor = GetParam();
            return party.partition.create_queue_pair(options).value();
        };
        Pair pair{create(from), create(to)};
        pair.a.connect(std::string(to.partition.name()) + "/" + service, 0s).value();
        listener.accept(pair.b, kWatchdog).value();
        return pair;
    }
    // What comes next, as "WHAT SERVICE STATE USERS..."; times out with nothing.
    [[nodiscard]] static std::vector<std::string> next(Bus& bus,
                                                       std::chrono::nanoseconds patience = 20s) {
        std::vector<std::string> lines;
        for (const BusChange& change : bus.watch(patience).value()) {
            std::string line = change.what == What::arrived    ? "+ "
                               : change.what == What::departed ? "- "
                                                               : "~ ";
            line += change.controller.service;
            for (const std::string& user : change.controller.users)
                line += " " + user;
            lines.push_back(line);
        }
        return lines;
    }
};
CW_FOR_EVERY_EXECUTOR(OnTheBus);

TEST_P(OnTheBus, ControllersAreFoundAndUsed) {
    EXPECT_TRUE(a.partition.controllers().value().empty());
    Listener plain = b.partition.listen("plain").value();
    Listener lan = b.partition.listen("lan0", 16, ControllerType::network).value();
    Listener disk = b.partition.listen("disk0", 16, ControllerType::block).value();
    auto all = a.partition.controllers().value();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].type, ControllerType::network);
    EXPECT_EQ(all[0].state, ControllerState::up);
    EXPECT_EQ(all[0].partition, "b");
    EXPECT_EQ(all[0].service, "lan0");
    EXPECT_EQ(all[0].connections, 0u);
    EXPECT_EQ(all[1].type, ControllerType::block);
    EXPECT_EQ(Bus::observe(adapter.socket()).value().controllers().value(), all);

    std::optional<Pair> pair = use(a, b, lan, "lan0");
    const Pair second = use(a, b, lan, "lan0");
    all = b.partition.controllers().value();
    EXPECT_EQ(all[0].connections, 2u);
    EXPECT_THAT(all[0].users, ElementsAre("a"));
    EXPECT_TRUE(all[1].users.empty());
    pair.reset();
    EXPECT_EQ(a.partition.controllers().value()[0].connections, 1u);
    lan = {};
    all = a.partition.controllers().value();
    ASSERT_EQ(all.size(), 1u) << "it has departed, its connection goes on";
    EXPECT_EQ(all[0].service, "disk0");
}

TEST_P(OnTheBus, AWatchTellsWhatHasChangedSince) {
    Listener disk = b.partition.listen("disk0", 16, ControllerType::block).value();
    Bus bus = Bus::open(a.partition).value();
    Bus observed = Bus::observe(adapter.socket()).value();
    for (Bus* each : {&bus, &observed}) {
        EXPECT_THAT(next(*each), ElementsAre("+ disk0"));
        EXPECT_TRUE(next(*each, 0ns).empty());
    }
    std::optional<Pair> pair = use(a, b, disk, "disk0");
    for (Bus* each : {&bus, &observed})
        EXPECT_THAT(next(*each), ElementsAre("~ disk0 a"));
    Listener lan = b.partition.listen("lan0", 16, ControllerType::network).value();
    pair.reset();
    disk = {};
    // All at once: departures first.
    for (Bus* each : {&bus, &observed}) {
        EXPECT_THAT(next(*each), ElementsAre("- disk0 a", "+ lan0"));
        EXPECT_TRUE(next(*each, 1ms).empty());
    }
}

// Its watch is inside the wait when the other one comes, and when it goes.
TEST_P(OnTheBus, AWatchIsWoken) {
    Bus bus = Bus::open(a.partition).value();
    EXPECT_TRUE(next(bus, 0ns).empty());
    for (int round = 0; round < 5; ++round) {
        auto arrival = std::async(std::launch::async, [&] { return next(bus); });
        Listener lan = b.partition.listen("lan0", 16, ControllerType::network).value();
        EXPECT_THAT(arrival.get(), ElementsAre("+ lan0"));
        auto departure = std::async(std::launch::async, [&] { return next(bus); });
        lan = {};
        EXPECT_THAT(departure.get(), ElementsAre("- lan0"));
    }
}

TEST_P(OnTheBus, AnEventLoopIsTold) {
    Bus bus = Bus::open(a.partition).value();
    EXPECT_TRUE(next(bus, 0ns).empty());
    Listener lan = b.partition.listen("lan0", 16, ControllerType::network).value();
    std::vector<std::string> told;
    const auto end = std::chrono::steady_clock::now() + kWatchdog;
    while (told.empty() && std::chrono::steady_clock::now() < end) {
        pollfd events{a.partition.event_fd(), POLLIN, 0};
        ASSERT_EQ(::poll(&events, 1, 20'000), 1) << "nothing woke the loop";
        a.partition.process_events().value();
        told = next(bus, 0ns);
    }
    EXPECT_THAT(told, ElementsAre("+ lan0"));
}

TEST_P(OnTheBus, WhatThisReleaseDoesNotKnowIsRefused) {
    const auto wrong = b.partition.listen("x", 16, static_cast<ControllerType>(9));
    ASSERT_FALSE(wrong.has_value());
    EXPECT_EQ(wrong.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(wrong.error().text.find("type 9"), std::string::npos) << wrong.error().text;
    EXPECT_TRUE(a.partition.controllers().value().empty());
}

// A controller's process, and a user's, killed.
TEST(BusDeath, TheDeadDepart) {
    LiveAdapter adapter{LiveAdapter::Kind::forked};
    std::optional<Mortal> driver;
    std::optional<Mortal> user;
    driver.emplace([&] {
        auto partition = Partition::attach("net", {.socket = adapter.socket()}).value();
        auto queue = partition.create_completion_queue(64).value();
        auto pair = partition.create_queue_pair({.completions = queue}).value();
        auto lan = partition.listen("lan0", 16, ControllerType::network).value();
        lan.accept(pair, kWatchdog).value();
        ::pause();
    });
    Bus bus = Bus::observe(adapter.socket()).value();
    auto changes = bus.watch(kWatchdog).value();
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].what, What::arrived);
    user.emplace([&] {
        auto partition = Partition::attach("client", {.socket = adapter.socket()}).value();
        auto queue = partition.create_completion_queue(64).value();
        auto pair = partition.connect("net/lan0", {.completions = queue}, kWatchdog).value();
        ::pause();
    });
    changes = bus.watch(kWatchdog).value();
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].what, What::changed);
    EXPECT_THAT(changes[0].controller.users, ElementsAre("client"));
    EXPECT_TRUE(user->kill());
    changes = bus.watch(kWatchdog).value();
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].what, What::changed);
    EXPECT_TRUE(changes[0].controller.users.empty());
    EXPECT_TRUE(driver->kill());
    changes = bus.watch(kWatchdog).value();
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].what, What::departed);
    EXPECT_EQ(changes[0].controller.service, "lan0");
    EXPECT_TRUE(bus.controllers().value().empty());
}

}  // namespace
}  // namespace causeway::test
