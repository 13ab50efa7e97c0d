// Controllers against the configuration's units: which may be announced, and what a change of the
// file takes away, from partitions that are there, that are away, and that come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "support/holder.hpp"
#include "support/in_process_adapter.hpp"
#include "support/raw_client.hpp"

namespace causeway::adapter {
namespace {

using abi::ControllerType;
using abi::QueuePairState;
using test::Holder;
using test::InProcessAdapter;
using test::RawReply;
using test::RawSession;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPartitions[] = R"([partition.net]
[partition.disk]
[partition.anna]
[partition.bert]
[[allow]]
from = "*"
to = "*"
operations = "all"
)";
constexpr char kLan[] = "[unit.\"net/lan0\"]\ntype = \"network\"\n";
constexpr char kDisk[] = "[unit.\"disk/disk0\"]\ntype = \"block\"\n";
const std::string kBoth = std::string(kPartitions) + kLan + kDisk;
const std::string kDiskOnly = std::string(kPartitions) + kDisk;

class Units : public testing::Test {
protected:
    // The same place with another daemon, or the first.
    void start(const std::string& toml) {
        adapter_.reset();
        adapter_.emplace([&](ServerOptions& options) {
            options.runtime_directory = directory_.path();
            options.entrances.clear();
            options.fabric.resume_patience_ns = 60'000'000'000;
            options.config = configured(toml);
        });
    }
    // As a reload does.
    std::uint32_t apply(const std::string& toml) {
        std::uint32_t cuts = 0;
        adapter_->on_control(
            [&](Fabric& fabric) { cuts = fabric.set_policy(make_policy(configured(toml))); });
        return cuts;
    }
    [[nodiscard]] std::string socket(const std::string& partition) const {
        return directory_.path() + "/" + partition + "/fabric.sock";
    }
    // "PARTITION/SERVICE" of all that are there.
    [[nodiscard]] std::vector<std::string> controllers() const {
        auto observer = RawSession::observer(directory_.path() + "/fabric.sock");
        const auto reply = observer.client.call(test::bus_request()).value();
        std::vector<std::string> names;
        for (const auto& row :
             control::parse_bus_rows<abi::ControllerRow>(reply.bytes).value().rows)
            names.push_back(row.partition + std::string("/") + row.service);
        return names;
    }
    [[nodiscard]] std::uint64_t denials(const std::string& rule) {
        std::uint64_t count = 0;
        adapter_->on_control([&](Fabric& fabric) {
            const auto found = fabric.denials().by_rule().find(rule);
            count = found == fabric.denials().by_rule().end() ? 0 : found->second;
        });
        return count;
    }
    static RawReply announce(RawSession& session, const std::string& service, ControllerType type) {
        return session.client.call(test::controller_request(service, type)).value();
    }
    static std::uint32_t listener_of(const RawReply& reply) {
        EXPECT_TRUE(reply.ok()) << reply.text();
        return reply.as<abi::ListenReply>().listener;
    }
    static void connect(Holder& from, const std::string& target) {
        ASSERT_TRUE(
            from.session.client.call(test::connect_request(from.pair.queue_pair, target))->ok());
    }
    static void join(Holder& from, Holder& to, const std::string& target, std::uint32_t listener) {
        connect(from, target);
        ASSERT_TRUE(
            to.session.client.call(test::accept_request(listener, to.pair.queue_pair))->ok());
        ASSERT_TRUE(becomes(from, QueuePairState::connected));
    }
    static bool becomes(Holder& holder, QueuePairState state) {
        return test::eventually([&] { return holder.state() == state; });
    }

private:
    static std::shared_ptr<const config::Config> configured(const std::string& toml) {
        config::Loaded loaded = config::load_text(toml, "f.toml", {});
        for (const config::Problem& problem : loaded.problems)
            ADD_FAILURE() << config::text_of(problem);
        return std::make_shared<const config::Config>(std::move(loaded.config));
    }
    test::TempDirectory directory_;
    std::optional<InProcessAdapter> adapter_;
};

TEST_F(Units, OnlyWhatIsDeclaredIsAnnounced) {
    start(kBoth);
    RawSession net(socket("net"), "net");
    RawSession disk(socket("disk"), "disk");
    const RawReply absent = announce(net, "lan1", ControllerType::network);
    EXPECT_EQ(absent.code(), ErrorCode::denied);
    EXPECT_THAT(absent.text(),
                HasSubstr("partition net may not announce lan1 as a controller of type network: "
                          "rule 'no rule': there is no unit 'net/lan1' in the configuration"));
    EXPECT_THAT(absent.text(), HasSubstr("[unit.\"net/lan1\"] type = \"network\""));
    const RawReply other = announce(net, "lan0", ControllerType::block);
    EXPECT_EQ(other.code(), ErrorCode::denied);
    EXPECT_THAT(other.text(), HasSubstr("rule 'unit net/lan0': unit 'net/lan0' (f.toml:9:7) has "
                                        "type network, not block"));
    EXPECT_EQ(announce(disk, "lan0", ControllerType::network).code(), ErrorCode::denied)
        << "it is another's";
    EXPECT_THAT(controllers(), IsEmpty());
    EXPECT_EQ(denials("no rule"), 2U);
    EXPECT_EQ(denials("unit net/lan0"), 1U);
    EXPECT_TRUE(announce(net, "lan0", ControllerType::network).ok());
    EXPECT_TRUE(announce(disk, "disk0", ControllerType::block).ok());
    EXPECT_THAT(controllers(), ElementsAre("net/lan0", "disk/disk0"));
}

TEST_F(Units, AnOrdinaryServiceMayHaveAnyName) {
    start(kBoth);
    RawSession net(socket("net"), "net");
    EXPECT_TRUE(net.client.call(test::listen_request("lan0"))->ok());
    EXPECT_TRUE(net.client.call(test::listen_request("lan1"))->ok());
    EXPECT_THAT(controllers(), IsEmpty());
    EXPECT_EQ(apply(kDiskOnly), 0U);
    EXPECT_EQ(net.client.call(test::listen_request("lan0"))->code(), ErrorCode::name_in_use)
        << "it is still there";
}

TEST_F(Units, WhatIsNotDeclaredAnyMoreIsWithdrawnWithItsConnections) {
    start(kBoth);
    Holder net(socket("net"), "net");
    Holder disk(socket("disk"), "disk");
    Holder anna(socket("anna"), "anna");
    Holder bert(socket("bert"), "bert");
    const auto lan = listener_of(announce(net.session, "lan0", ControllerType::network));
    const auto store = listener_of(announce(disk.session, "disk0", ControllerType::block));
    join(anna, net, "net/lan0", lan);
    join(bert, disk, "disk/disk0", store);
    RawSession& waiting = anna.session;
    const std::uint32_t waits = waiting.create_queue_pair(anna.completions);
    ASSERT_TRUE(waiting.client.call(test::connect_request(waits, "net/lan0"))->ok());

    EXPECT_EQ(apply(kBoth), 0U);
    EXPECT_THAT(controllers(), ElementsAre("net/lan0", "disk/disk0"));
    EXPECT_EQ(apply(kDiskOnly), 2U) << "one that is used, one that waits";
    EXPECT_THAT(controllers(), ElementsAre("disk/disk0"));
    EXPECT_TRUE(becomes(anna, QueuePairState::closed));
    EXPECT_TRUE(becomes(net, QueuePairState::closed));
    EXPECT_EQ(denials("no rule"), 3U);

    // Its owner is told why, and lets go of it; nobody else finds it.
    const auto accepted =
        net.session.client.call(test::accept_request(lan, net.pair.queue_pair)).value();
    EXPECT_EQ(accepted.code(), ErrorCode::not_found);
    EXPECT_THAT(accepted.text(), HasSubstr("controller net/lan0 was withdrawn: rule 'no rule'"));
    const std::uint32_t late = waiting.create_queue_pair(anna.completions);
    EXPECT_EQ(waiting.client.call(test::connect_request(late, "net/lan0"))->code(),
              ErrorCode::not_found);
    EXPECT_EQ(announce(net.session, "lan0", ControllerType::network).code(), ErrorCode::denied);
    auto close = control::make<abi::CloseListenerRequest>(abi::Request::close_listener);
    close.listener = lan;
    EXPECT_TRUE(net.session.client.call(close)->ok());
    EXPECT_EQ(net.session.client.call(close)->code(), ErrorCode::not_found) << "once";

    // The other one is undisturbed.
    EXPECT_EQ(bert.state(), QueuePairState::connected);
    EXPECT_EQ(apply(kBoth), 0U);
    EXPECT_TRUE(announce(net.session, "lan0", ControllerType::network).ok()) << "declared again";
}

TEST_F(Units, AnotherTypeIsAnotherController) {
    start(kBoth);
    Holder net(socket("net"), "net");
    listener_of(announce(net.session, "lan0", ControllerType::network));
    std::string other = kBoth;
    other.replace(other.find("network"), 7, "security");
    EXPECT_EQ(apply(other), 0U);
    EXPECT_THAT(controllers(), IsEmpty());
    EXPECT_EQ(denials("unit net/lan0"), 1U);
    EXPECT_TRUE(announce(net.session, "lan0", ControllerType::security).ok());
}

// What the next daemon's file does not have is not there from its first moment on.
TEST_F(Units, ARestartDoesNotBringBackWhatIsForbidden) {
    for (const bool user_first : {false, true}) {
        start(kBoth);
        Holder net(socket("net"), "net");
        Holder disk(socket("disk"), "disk");
        Holder anna(socket("anna"), "anna");
        Holder bert(socket("bert"), "bert");
        const auto lan = listener_of(announce(net.session, "lan0", ControllerType::network));
        const auto store = listener_of(announce(disk.session, "disk0", ControllerType::block));
        join(anna, net, "net/lan0", lan);
        join(bert, disk, "disk/disk0", store);
        start(kDiskOnly);
        EXPECT_THAT(controllers(), ElementsAre("disk/disk0"));
        std::vector<std::pair<Holder*, std::string>> order{{&net, "net"}, {&anna, "anna"}};
        if (user_first)
            std::swap(order[0], order[1]);
        order.insert(order.end(), {{&bert, "bert"}, {&disk, "disk"}});
        for (const auto& [holder, name] : order)
            EXPECT_EQ(holder->come_back(socket(name)), "") << name;
        EXPECT_TRUE(becomes(net, QueuePairState::closed));
        EXPECT_TRUE(becomes(anna, QueuePairState::closed));
        EXPECT_THAT(controllers(), ElementsAre("disk/disk0"));
        const auto accepted =
            net.back->client.call(test::accept_request(lan, net.pair.queue_pair)).value();
        EXPECT_EQ(accepted.code(), ErrorCode::not_found);
        EXPECT_THAT(accepted.text(), HasSubstr("controller net/lan0 was withdrawn"));
        EXPECT_EQ(disk.state(), QueuePairState::connected);
        EXPECT_EQ(bert.state(), QueuePairState::connected);
    }
}

// Nor does the one after that, whatever its file says: it was withdrawn.
TEST_F(Units, WhatWasWithdrawnWhileItWasAwayStaysSo) {
    for (const bool at_start : {true, false}) {
        start(kBoth);
        Holder net(socket("net"), "net");
        Holder anna(socket("anna"), "anna");
        const auto lan = listener_of(announce(net.session, "lan0", ControllerType::network));
        join(anna, net, "net/lan0", lan);
        start(at_start ? kDiskOnly : kBoth);
        if (!at_start) {
            EXPECT_THAT(controllers(), ElementsAre("net/lan0"));
            EXPECT_EQ(apply(kDiskOnly), 0U) << "nobody is back";
        }
        EXPECT_THAT(controllers(), IsEmpty());
        start(kBoth);
        EXPECT_THAT(controllers(), IsEmpty());
        EXPECT_EQ(anna.come_back(socket("anna")), "");
        EXPECT_EQ(net.come_back(socket("net")), "");
        EXPECT_TRUE(becomes(net, QueuePairState::closed));
        EXPECT_TRUE(becomes(anna, QueuePairState::closed));
    }
}

// One end is back and waits for the other, whose controller is withdrawn meanwhile.
TEST_F(Units, WhoWaitsForAWithdrawnControllersPartitionWaitsNoLonger) {
    for (const bool user_first : {false, true}) {
        start(kBoth);
        Holder net(socket("net"), "net");
        Holder anna(socket("anna"), "anna");
        const auto lan = listener_of(announce(net.session, "lan0", ControllerType::network));
        join(anna, net, "net/lan0", lan);
        start(kBoth);
        Holder& first = user_first ? anna : net;
        EXPECT_EQ(first.come_back(socket(user_first ? "anna" : "net")), "");
        EXPECT_EQ(first.state(), QueuePairState::connected);
        EXPECT_EQ(apply(kDiskOnly), 0U);
        EXPECT_TRUE(becomes(first, QueuePairState::closed));
        Holder& second = user_first ? net : anna;
        EXPECT_EQ(second.come_back(socket(user_first ? "net" : "anna")), "");
        EXPECT_TRUE(becomes(second, QueuePairState::closed));
        EXPECT_THAT(controllers(), IsEmpty());
    }
}

// Who waited at it when the daemon died is refused by the next one.
TEST_F(Units, WhoStillWaitedIsRefused) {
    start(kBoth);
    Holder net(socket("net"), "net");
    Holder anna(socket("anna"), "anna");
    listener_of(announce(net.session, "lan0", ControllerType::network));
    connect(anna, "net/lan0");
    start(kDiskOnly);
    EXPECT_EQ(anna.come_back(socket("anna")), "");
    EXPECT_EQ(net.come_back(socket("net")), "");
    EXPECT_TRUE(becomes(anna, QueuePairState::refused));
}

}  // namespace
}  // namespace causeway::adapter
