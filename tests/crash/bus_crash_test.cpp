// The adapter is killed under a bus with controllers in use, and started anew: nobody who watches
// sees them depart, and their users come back with their connections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <causeway/causeway.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapter/server.hpp"
#include "support/command.hpp"
#include "support/live_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using What = BusChange::What;

constexpr auto kLong = 60s;

struct Member {
    Member(const LiveAdapter& adapter, const std::string& name)
        : partition(Partition::attach(name, {adapter.socket(), kLong}).value()),
          queue(partition.create_completion_queue(64).value()) {}
    QueuePair pair() { return partition.create_queue_pair({.completions = queue}).value(); }

    Partition partition;
    CompletionQueue queue;
};

class BusCrash : public testing::TestWithParam<LiveAdapter::Kind> {
protected:
    // A forked one keeps no journal of its own accord.
    LiveAdapter adapter_{GetParam(), {}, 1, [](adapter::ServerOptions& options) {
                             options.fabric.resume_patience_ns = 60'000'000'000;
                         }};
};
INSTANTIATE_TEST_SUITE_P(Adapters, BusCrash,
                         testing::Values(LiveAdapter::Kind::forked, LiveAdapter::Kind::program),
                         [](const auto& kind) {
                             return kind.param == LiveAdapter::Kind::forked ? "forked" : "program";
                         });

TEST_P(BusCrash, ControllersAreThereAgain) {
    Member net(adapter_, "net");
    Member client(adapter_, "client");
    Listener lan = net.partition.listen("lan0", 16, ControllerType::network).value();
    Listener other = net.partition.listen("gate", 16, ControllerType::security).value();
    Listener plain = net.partition.listen("plain").value();
    QueuePair far = net.pair();
    QueuePair near = client.pair();
    near.connect("net/lan0", 0s).value();
    lan.accept(far, kLong).value();
    Bus observed = Bus::observe(adapter_.socket()).value();
    Bus bus = Bus::open(client.partition).value();
    const auto before = bus.controllers().value();
    ASSERT_EQ(before.size(), 2u);
    ASSERT_THAT(before[0].users, ElementsAre("client"));
    ASSERT_EQ(bus.watch(kLong).value().size(), 2u);
    ASSERT_EQ(observed.watch(kLong).value().size(), 2u);

    for (int death = 0; death < 3; ++death) {
        adapter_.kill();
        adapter_.start_again();
        // Every list is of the same controllers from the first moment on.
        std::map<std::string, int> others;
        const auto back = [&](Bus& each) {
            const auto changes = each.watch(100ms);
            if (!changes)
                return false;
            for (const BusChange& change : *changes) {
                if (change.what != What::changed)
                    ++others[change.controller.service];
            }
            const auto now = each.controllers();
            return now.has_value() && *now == before;
        };
        EXPECT_TRUE(eventually([&] {
            (void)net.partition.process_events();
            return back(bus) && back(observed);
        })) << "death "
            << death;
        EXPECT_TRUE(others.empty()) << others.begin()->first << " was told of as another";
    }
    // They go on to be changed: by those that were resumed, and by new ones.
    lan = {};
    Listener disk = net.partition.listen("disk0", 16, ControllerType::block).value();
    const auto after = bus.controllers().value();
    ASSERT_EQ(after.size(), 2u);
    EXPECT_EQ(after[0].service, "gate");
    EXPECT_EQ(after[1].service, "disk0");
}

// One that died with the adapter is given up, and departs.
TEST_P(BusCrash, WhoDoesNotComeBackDeparts) {
    auto net = std::make_optional<Member>(adapter_, "net");
    Listener lan = net->partition.listen("lan0", 16, ControllerType::network).value();
    Bus observed = Bus::observe(adapter_.socket()).value();
    ASSERT_EQ(observed.watch(kLong).value().size(), 1u);
    adapter_.kill();
    lan = {};
    net.reset();
    adapter_.start_again();
    // Its process lives: the adapter waits for it until its time is over, and somebody of that name
    // from the same process is it.
    Member again(adapter_, "net");
    Listener gate = again.partition.listen("gate", 16, ControllerType::security).value();
    std::vector<std::string> told;
    EXPECT_TRUE(eventually([&] {
        const auto changes = observed.watch(100ms);
        for (const BusChange& change : changes ? *changes : std::vector<BusChange>()) {
            if (change.what != What::changed)
                told.push_back((change.what == What::arrived ? "+ " : "- ") +
                               change.controller.service);
        }
        return told.size() >= 2;
    }));
    EXPECT_THAT(told, ElementsAre("- lan0", "+ gate"));
}

}  // namespace
}  // namespace causeway::test
