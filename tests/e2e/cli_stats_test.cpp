// causeway ss and info against an adapter with a connection on it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <causeway/causeway.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "support/command.hpp"
#include "support/test_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;

// Two partitions of this process, connected, with a region.
class CliStats : public ::testing::Test {
protected:
    void SetUp() override {
        a_ = Partition::attach("alpha", {.socket = adapter_.socket()}).value();
        b_ = Partition::attach("beta", {.socket = adapter_.socket()}).value();
        region_ = a_.allocate(1 << 20, Access::remote_write | Access::append).value();
        queue_a_ = a_.create_completion_queue(64).value();
        queue_b_ = b_.create_completion_queue(64).value();
        pair_b_ = b_.create_queue_pair({.completions = queue_b_}).value();
        listener_ = b_.listen("orders").value();
        std::thread accepting([&] { listener_.accept(pair_b_, 30s).value(); });
        pair_a_ = a_.connect("beta/orders", {.completions = queue_a_}, 30s).value();
        accepting.join();
        pair_a_.post_receive(region_.slice(0, 64), 1).value();
        pair_a_.post_receive(region_.slice(64, 64), 2).value();
    }
    [[nodiscard]] json ask(const std::string& subcommand, const std::string& socket) const {
        const auto result =
            run_command({program("causeway"), subcommand, "--socket", socket, "--json"});
        EXPECT_EQ(result.status, 0) << result.err;
        return json::parse(result.out);
    }

    TestAdapter adapter_{{"stranger"}};
    Partition a_, b_;
    Region region_;
    CompletionQueue queue_a_, queue_b_;
    QueuePair pair_a_, pair_b_;
    Listener listener_;
};

TEST_F(CliStats, SsShowsBothEndsOfAConnection) {
    const json pairs = ask("ss", adapter_.socket()).at("queue_pairs");
    ASSERT_EQ(pairs.size(), 2u);
    for (const json& pair : pairs) {
        EXPECT_EQ(pair.at("state"), "connected");
        EXPECT_EQ(pair.at("executor"), "adapter");
        EXPECT_EQ(pair.at("service"), "orders");
        EXPECT_FALSE(pair.at("why").get<std::string>().empty());
        for (const char* number :
             {"outstanding", "receives", "operations", "bytes", "errors", "stalls", "stall_ns"})
            EXPECT_TRUE(pair.at(number).is_number_unsigned()) << number;
    }
    EXPECT_NE(pairs.at(0).at("partition"), pairs.at(1).at("partition"));
    EXPECT_EQ(pairs.at(0).at("peer"), pairs.at(1).at("partition"));
    EXPECT_EQ(pairs.at(0).at("peer_id"), pairs.at(1).at("id"));
    const json& alpha = pairs.at(0).at("partition") == "alpha" ? pairs.at(0) : pairs.at(1);
    EXPECT_EQ(alpha.at("receives"), 2);
}

TEST_F(CliStats, SsCountsWhatWasMoved) {
    pair_b_.post_send(b_.allocate(4096).value().slice(0, 0), 1).value();
    ASSERT_EQ(queue_a_.wait(30s).size(), 1u);
    const json pairs = ask("ss", adapter_.socket()).at("queue_pairs");
    std::uint64_t operations = 0;
    for (const json& pair : pairs)
        operations += pair.at("operations").get<std::uint64_t>();
    EXPECT_GE(operations, 1u);
}

TEST_F(CliStats, SsPrintsATable) {
    const auto result = run_command({program("causeway"), "ss", "--socket", adapter_.socket()});
    EXPECT_EQ(result.status, 0) << result.err;
    for (const char* part : {"PARTITION", "alpha", "beta", "orders", "connected", "adapter"})
        EXPECT_THAT(result.out, HasSubstr(part));
}

TEST_F(CliStats, InfoDescribesTheAdapterAndWhoIsThere) {
    const json info = ask("info", adapter_.socket());
    const json& adapter = info.at("adapter");
    EXPECT_EQ(adapter.at("pid"), adapter_.pid());
    EXPECT_EQ(adapter.at("version"), info.at("library").at("version"));
    EXPECT_THAT(info.at("library").at("commit").get<std::string>(),
                ::testing::MatchesRegex("unknown|[0-9a-f]+[+]?"));
    EXPECT_GT(adapter.at("uptime_ns").get<std::uint64_t>(), 0u);
    EXPECT_GE(adapter.at("movers").get<int>(), 1);
    for (const json* side : {&adapter, &info.at("library")}) {
        EXPECT_FALSE(side->at("copies").at("kernels").get<std::string>().empty());
        EXPECT_FALSE(side->at("copies").at("from").get<std::string>().empty());
    }
    EXPECT_GE(adapter.at("registered_bytes").get<std::uint64_t>(), 1u << 20);

    ASSERT_EQ(info.at("partitions").size(), 2u);
    EXPECT_EQ(info.at("partitions").at(0).at("entrance"), "open");
    EXPECT_EQ(info.at("partitions").at(0).at("pid"), ::getpid());
    ASSERT_EQ(info.at("regions").size(), 1u);
    const json& region = info.at("regions").at(0);
    EXPECT_EQ(region.at("partition"), "alpha");
    EXPECT_EQ(region.at("size"), 1 << 20);
    EXPECT_EQ(region.at("rights"), json::array({"write", "append"}));
    EXPECT_FALSE(region.contains("generation"));  // the secret of those whom its owner tells
}

TEST_F(CliStats, InfoPrintsTables) {
    const auto result = run_command({program("causeway"), "info", "--socket", adapter_.socket()});
    EXPECT_EQ(result.status, 0) << result.err;
    for (const char* part : {"library", "adapter", "movers", "alpha", "beta", "write,append"})
        EXPECT_THAT(result.out, HasSubstr(part));
}

// The name is taken by the partition that lives there, and its queue pairs lead to others.
TEST_F(CliStats, ALivePartitionsEntranceShowsItsOwnOnly) {
    auto own = Partition::attach("", {.socket = adapter_.socket("stranger")}).value();
    auto queue = own.create_completion_queue(64).value();
    const Region region = own.allocate(4096, Access::remote_read).value();
    QueuePair other_end = b_.create_queue_pair({.completions = queue_b_}).value();
    std::thread accepting([&] { listener_.accept(other_end, 30s).value(); });
    const QueuePair pair = own.connect("beta/orders", {.completions = queue}, 30s).value();
    accepting.join();

    const json pairs = ask("ss", adapter_.socket("stranger")).at("queue_pairs");
    ASSERT_EQ(pairs.size(), 1u);
    EXPECT_EQ(pairs.at(0).at("partition"), "stranger");
    EXPECT_EQ(pairs.at(0).at("peer"), "beta");
    EXPECT_EQ(pairs.at(0).at("state"), "connected");
    const json info = ask("info", adapter_.socket("stranger"));
    ASSERT_EQ(info.at("partitions").size(), 1u);
    EXPECT_EQ(info.at("partitions").at(0).at("name"), "stranger");
    ASSERT_EQ(info.at("regions").size(), 1u);
    EXPECT_EQ(info.at("regions").at(0).at("partition"), "stranger");
    EXPECT_EQ(info.at("adapter").at("partitions"), 1);
    EXPECT_EQ(ask("ss", adapter_.socket()).at("queue_pairs").size(), 4u) << "the open one: all";
}

TEST_F(CliStats, AStrangersEntranceShowsNothingOfOthers) {
    EXPECT_TRUE(ask("ss", adapter_.socket("stranger")).at("queue_pairs").empty());
    const json info = ask("info", adapter_.socket("stranger"));
    EXPECT_TRUE(info.at("regions").empty());
    EXPECT_TRUE(info.at("partitions").empty()) << "asking is not joining";
}

}  // namespace
}  // namespace causeway::test
