// Stats of a live adapter: pages, and who sees what.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include <causeway/abi/figures.hpp>

#include "base/version.hpp"
#include "support/in_process_adapter.hpp"
#include "support/neighbour.hpp"
#include "support/raw_client.hpp"

namespace causeway::adapter {
namespace {

using test::InProcessAdapter;
using test::RawSession;

template<typename Row>
std::vector<Row> rows_of(RawSession& session, abi::StatsKind kind) {
    std::vector<Row> rows;
    std::uint32_t cursor = 0;
    do {
        const auto reply = session.client.call(test::stats_request(kind, cursor)).value();
        EXPECT_TRUE(reply.ok()) << reply.text();
        const auto page = control::parse_rows<Row>(reply.bytes).value();
        rows.insert(rows.end(), page.rows.begin(), page.rows.end());
        cursor = page.next;
    } while (cursor != 0);
    return rows;
}

TEST(Stats, PagesShowEveryRowOnce) {
    const InProcessAdapter adapter;
    RawSession session(adapter.socket(), "orders");
    const std::uint32_t queue = session.open_completions();
    std::set<std::uint32_t> made;
    for (int i = 0; i < 100; ++i)
        made.insert(session.create_queue_pair(queue));
    std::set<std::uint32_t> shown;
    const auto rows = rows_of<abi::QueuePairRow>(session, abi::StatsKind::queue_pairs);
    for (const auto& row : rows)
        shown.insert(row.id);
    EXPECT_EQ(rows.size(), 100u);
    EXPECT_EQ(shown, made);
    auto observer = RawSession::observer(adapter.socket());
    EXPECT_EQ(rows_of<abi::QueuePairRow>(observer, abi::StatsKind::queue_pairs).size(), 100u);
}

TEST(Stats, NamedEntranceSeesItsOwnOnly) {
    const InProcessAdapter adapter;
    RawSession open(adapter.socket(), "orders");
    RawSession a(adapter.socket("a"), "a");
    RawSession b(adapter.socket("b"), "b");
    for (RawSession* session : {&open, &a, &b}) {
        session->create_queue_pair(session->open_completions());
        const auto file = test::region_file(4096);
        ASSERT_TRUE(session->client.call(test::register_request(4096), file.get())->ok());
    }
    const auto partitions = rows_of<abi::PartitionRow>(a, abi::StatsKind::partitions);
    ASSERT_EQ(partitions.size(), 1u);
    EXPECT_STREQ(partitions[0].name, "a");
    EXPECT_STREQ(partitions[0].entrance, "a");
    EXPECT_EQ(partitions[0].regions, 1u);
    EXPECT_EQ(partitions[0].registered_bytes, 4096u);
    const auto pairs = rows_of<abi::QueuePairRow>(a, abi::StatsKind::queue_pairs);
    ASSERT_EQ(pairs.size(), 1u);
    EXPECT_STREQ(pairs[0].partition, "a");
    const auto regions = rows_of<abi::RegionRow>(a, abi::StatsKind::regions);
    ASSERT_EQ(regions.size(), 1u);
    EXPECT_STREQ(regions[0].partition, "a");
    const auto summary = rows_of<abi::AdapterRow>(a, abi::StatsKind::adapter);
    ASSERT_EQ(summary.size(), 1u);
    EXPECT_EQ(summary[0].partitions, 1u);
    EXPECT_EQ(summary[0].queue_pairs, 1u);

    EXPECT_EQ(rows_of<abi::PartitionRow>(open, abi::StatsKind::partitions).size(), 3u);
    EXPECT_EQ(rows_of<abi::QueuePairRow>(open, abi::StatsKind::queue_pairs).size(), 3u);
    EXPECT_EQ(rows_of<abi::RegionRow>(open, abi::StatsKind::regions).size(), 3u);
    EXPECT_EQ(rows_of<abi::AdapterRow>(open, abi::StatsKind::adapter)[0].partitions, 3u);
}

TEST(Stats, AnObserverSeesWhatItsEntrancesPartitionSees) {
    const InProcessAdapter adapter;
    RawSession open(adapter.socket(), "orders");
    auto observer = RawSession::observer(adapter.socket("a"));
    const auto sees_nothing = [&] {
        EXPECT_TRUE(rows_of<abi::PartitionRow>(observer, abi::StatsKind::partitions).empty());
        EXPECT_TRUE(rows_of<abi::QueuePairRow>(observer, abi::StatsKind::queue_pairs).empty());
        EXPECT_TRUE(rows_of<abi::RegionRow>(observer, abi::StatsKind::regions).empty());
        const auto summary = rows_of<abi::AdapterRow>(observer, abi::StatsKind::adapter);
        ASSERT_EQ(summary.size(), 1u);
        EXPECT_STREQ(summary[0].version, kVersion);
        EXPECT_EQ(summary[0].partitions, 0u);
        EXPECT_EQ(summary[0].registered_bytes, 0u);
        EXPECT_EQ(summary[0].open_files, 0u) << "the whole daemon's";
    };
    const auto file = test::region_file(4096);
    ASSERT_TRUE(open.client.call(test::register_request(4096), file.get())->ok());
    sees_nothing();
    {
        RawSession a(adapter.socket("a"), "a");
        open.listen("service");
        const std::uint32_t mine = a.create_queue_pair(a.open_completions());
        const std::uint32_t theirs = open.create_queue_pair(open.open_completions());
        ASSERT_TRUE(a.client.call(test::connect_request(mine, "orders/service"))->ok());
        ASSERT_TRUE(open.client.call(test::accept_request(1, theirs))->ok());
        const auto own = test::region_file(8192);
        ASSERT_TRUE(a.client.call(test::register_request(8192), own.get())->ok());

        const auto partitions = rows_of<abi::PartitionRow>(observer, abi::StatsKind::partitions);
        ASSERT_EQ(partitions.size(), 1u);
        EXPECT_STREQ(partitions[0].name, "a");
        const auto pairs = rows_of<abi::QueuePairRow>(observer, abi::StatsKind::queue_pairs);
        ASSERT_EQ(pairs.size(), 1u);
        EXPECT_STREQ(pairs[0].partition, "a");
        EXPECT_STREQ(pairs[0].peer, "orders") << "by name";
        const auto regions = rows_of<abi::RegionRow>(observer, abi::StatsKind::regions);
        ASSERT_EQ(regions.size(), 1u);
        EXPECT_STREQ(regions[0].partition, "a");
        const auto summary = rows_of<abi::AdapterRow>(observer, abi::StatsKind::adapter);
        ASSERT_EQ(summary.size(), 1u);
        EXPECT_EQ(summary[0].partitions, 1u);
        EXPECT_EQ(summary[0].registered_bytes, 8192u);
    }
    // It does not outlast the partition's rows, and is there for the next one.
    EXPECT_TRUE(test::eventually(
        [&] { return rows_of<abi::PartitionRow>(observer, abi::StatsKind::partitions).empty(); }));
    sees_nothing();
    const RawSession again(adapter.socket("a"), "a");
    EXPECT_EQ(rows_of<abi::PartitionRow>(observer, abi::StatsKind::partitions).size(), 1u);
}

TEST(Stats, CountWhatWasMoved) {
    const InProcessAdapter adapter;
    test::Neighbours neighbours(adapter.socket());
    neighbours.exchange();
    neighbours.exchange();
    auto observer = RawSession::observer(adapter.socket());
    const auto pairs = rows_of<abi::QueuePairRow>(observer, abi::StatsKind::queue_pairs);
    ASSERT_EQ(pairs.size(), 2u);
    for (const auto& row : pairs) {
        EXPECT_EQ(row.operations, 2u);
        EXPECT_EQ(row.bytes, 2u * (64 << 10));
        EXPECT_EQ(row.errors, 0u);
        EXPECT_EQ(row.outstanding, 0u);
        EXPECT_EQ(row.receives, 0u);
        EXPECT_EQ(row.state, static_cast<std::uint32_t>(abi::QueuePairState::connected));
        EXPECT_EQ(row.executor, static_cast<std::uint32_t>(abi::Executor::adapter));
        EXPECT_STREQ(row.service, "service");
        EXPECT_STREQ(row.why, "connecting side: not all regions are exportable");
    }
    EXPECT_EQ(pairs[0].peer_id, pairs[1].id);
    EXPECT_EQ(pairs[1].peer_id, pairs[0].id);
    EXPECT_STREQ(pairs[0].peer, pairs[1].partition);
    for (const auto& row : rows_of<abi::PartitionRow>(observer, abi::StatsKind::partitions)) {
        EXPECT_EQ(row.operations, 2u);
        EXPECT_EQ(row.bytes, 2u * (64 << 10));
        EXPECT_GT(row.mover_ns, 0u);
    }
}

TEST(Stats, HistogramsAndMoversSumToWhatWasDone) {
    const InProcessAdapter adapter([](ServerOptions& options) { options.fabric.movers = 2; });
    test::Neighbours neighbours(adapter.socket());
    for (int i = 0; i < 5; ++i)
        neighbours.exchange();
    auto observer = RawSession::observer(adapter.socket());
    // Comes back when the movers have passed the end of a turn: what was done is counted then.
    (void)rows_of<abi::QueuePairRow>(observer, abi::StatsKind::queue_pairs);
    std::uint64_t latencies = 0;
    std::uint64_t sizes = 0;
    std::uint64_t size_sum = 0;
    const auto histograms = rows_of<abi::HistogramRow>(observer, abi::StatsKind::histograms);
    ASSERT_EQ(histograms.size(), 4u);
    for (const auto& row : histograms) {
        const bool size = row.measure == static_cast<std::uint32_t>(abi::Measure::size);
        for (const std::uint64_t bucket : row.buckets)
            (size ? sizes : latencies) += bucket;
        size_sum += size ? row.sum : 0;
    }
    EXPECT_EQ(latencies, 10u);
    EXPECT_EQ(sizes, 10u);
    EXPECT_EQ(size_sum, 10u * (64 << 10));
    std::uint64_t operations = 0;
    std::uint64_t turns = 0;
    const auto movers = rows_of<abi::MoverRow>(observer, abi::StatsKind::movers);
    ASSERT_EQ(movers.size(), 2u);
    for (const auto& row : movers) {
        operations += row.operations;
        turns += row.turns;
        EXPECT_LE(row.wakeups, row.sleeps);
        EXPECT_GT(row.cpu_ns, 0u);
    }
    EXPECT_EQ(operations, 10u);
    EXPECT_GE(turns, 10u);
    for (const auto& row : rows_of<abi::PartitionRow>(observer, abi::StatsKind::partitions)) {
        EXPECT_EQ(row.errors, 0u);
        EXPECT_EQ(row.claimed_operations, 0u);
    }
}

// Nobody's mover wakes up for being counted: what sleeps, sleeps.
TEST(Stats, SleepersSleep) {
    const InProcessAdapter adapter;
    test::Neighbours neighbours(adapter.socket());
    neighbours.exchange();
    auto observer = RawSession::observer(adapter.socket());
    const auto mover = [&] {
        return rows_of<abi::MoverRow>(observer, abi::StatsKind::movers).at(0);
    };
    ASSERT_TRUE(test::eventually([&] {
        const auto before = mover();
        return before.sleeps > 0 && mover().turns == before.turns;
    }));
    const auto before = mover();
    for (int i = 0; i < 50; ++i)
        (void)mover();
    EXPECT_EQ(mover().wakeups, before.wakeups) << "asking wakes it";
}

TEST(Stats, DenialsAreShownToWhomTheyConcern) {
    const InProcessAdapter adapter;
    for (const char* entrance : {"a", "b", "b"}) {
        test::RawClient client(adapter.socket(entrance));
        EXPECT_EQ(client.call(test::attach_request("somebody"))->code(), ErrorCode::denied);
    }
    auto open = RawSession::observer(adapter.socket());
    auto of_a = RawSession::observer(adapter.socket("a"));
    const auto all = rows_of<abi::DenialRow>(open, abi::StatsKind::denials);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_STREQ(all[1].partition, "b");
    EXPECT_STREQ(all[1].rule, "named entrance");
    EXPECT_EQ(all[1].count, 2u);
    const auto own = rows_of<abi::DenialRow>(of_a, abi::StatsKind::denials);
    ASSERT_EQ(own.size(), 1u);
    EXPECT_STREQ(own[0].partition, "a");
    EXPECT_EQ(own[0].count, 1u);
    EXPECT_TRUE(rows_of<abi::MoverRow>(of_a, abi::StatsKind::movers).empty());
    EXPECT_TRUE(rows_of<abi::HistogramRow>(of_a, abi::StatsKind::histograms).empty());
}

TEST(Stats, RefusesAnUnknownKind) {
    const InProcessAdapter adapter;
    auto observer = RawSession::observer(adapter.socket());
    const auto reply = observer.client.call(test::stats_request(abi::StatsKind(99)));
    EXPECT_EQ(reply->code(), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace causeway::adapter
