// Metrics of a live adapter: what a scraper reads is what was done.
#include <gtest/gtest.h>

#include "support/in_process_adapter.hpp"
#include "support/neighbour.hpp"
#include "support/raw_client.hpp"
#include "support/scraper.hpp"

namespace causeway::adapter {
namespace {

using test::InProcessAdapter;
using test::RawSession;
using test::sample_of;
using test::Scraper;

void with_metrics(ServerOptions& options) { options.metrics = "127.0.0.1:0"; }

double counted(const std::string& metrics, const std::string& name, const std::string& partition,
               const std::string& executor = "adapter") {
    return sample_of(metrics,
                     name + "{partition=\"" + partition + "\",executor=\"" + executor + "\"}");
}

TEST(Metrics, CountWhatWasDone) {
    const InProcessAdapter adapter(with_metrics);
    {
        test::Neighbours neighbours(adapter.socket());
        neighbours.exchange();
        neighbours.exchange();
        std::string metrics;
        // A mover counts after it has told the partitions.
        EXPECT_TRUE(test::eventually([&] {
            metrics = Scraper::scrape(adapter.metrics_port());
            return sample_of(metrics, "causeway_operation_size_bytes_sum") >= 4 * (64 << 10);
        })) << metrics;
        EXPECT_EQ(sample_of(metrics, "causeway_partitions"), 2) << metrics;
        EXPECT_EQ(counted(metrics, "causeway_operations_total", "neighbour-left"), 2);
        EXPECT_EQ(counted(metrics, "causeway_moved_bytes_total", "neighbour-right"),
                  2 * (64 << 10));
        EXPECT_EQ(sample_of(metrics, "causeway_operation_latency_seconds_count"), 4);
        EXPECT_EQ(sample_of(metrics, "causeway_operation_size_bytes_count"), 4);
        EXPECT_EQ(sample_of(metrics, "causeway_operation_size_bytes_sum"), 4 * (64 << 10));
        EXPECT_EQ(sample_of(metrics, "causeway_operation_size_bytes_bucket{le=\"65536\"}"), 4);
        EXPECT_EQ(sample_of(metrics, "causeway_operation_size_bytes_bucket{le=\"16384\"}"), 0);
        EXPECT_EQ(counted(metrics, "causeway_operations_total", "(gone)"), 0);
        EXPECT_GE(sample_of(metrics, "causeway_mover_sleeps_total{mover=\"0\"}"), 0);
    }
    // Who has gone is in the series of all that have gone: the sum stays.
    ASSERT_TRUE(test::eventually([&] {
        return sample_of(Scraper::scrape(adapter.metrics_port()),
                         "causeway_partitions_gone_total") == 2;
    }));
    const std::string metrics = Scraper::scrape(adapter.metrics_port());
    EXPECT_EQ(sample_of(metrics, "causeway_partitions"), 0);
    EXPECT_EQ(counted(metrics, "causeway_operations_total", "(gone)"), 4) << metrics;
    EXPECT_EQ(counted(metrics, "causeway_moved_bytes_total", "(gone)"), 4 * (64 << 10));
    EXPECT_EQ(counted(metrics, "causeway_claimed_operations_total", "(gone)", "direct"), 0);
}

TEST(Metrics, CountDenialsByRule) {
    const InProcessAdapter adapter(with_metrics);
    test::RawClient client(adapter.socket("a"));
    EXPECT_EQ(client.call(test::attach_request("b"))->code(), ErrorCode::denied);
    const std::string metrics = Scraper::scrape(adapter.metrics_port());
    EXPECT_EQ(sample_of(metrics, "causeway_denials_total{rule=\"named entrance\"}"), 1) << metrics;
    EXPECT_EQ(sample_of(metrics, "causeway_refused_total"), 1);
}

// The sums that a scraper sees while partitions come and go are never less than before.
TEST(Metrics, NeverGoDown) {
    const InProcessAdapter adapter(with_metrics);
    double before = 0;
    const auto look = [&] {
        const std::string metrics = Scraper::scrape(adapter.metrics_port());
        double sum = 0;
        std::istringstream lines(metrics);
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with("causeway_operations_total{"))
                sum += std::stod(line.substr(line.rfind(' ')));
        }
        EXPECT_GE(sum, before);
        before = sum;
    };
    for (int i = 0; i < 10; ++i) {
        test::Neighbours neighbours(adapter.socket());
        neighbours.exchange();
        look();
    }
    ASSERT_TRUE(test::eventually([&] {
        look();
        return before == 20;
    })) << before;
}

TEST(Metrics, AreOnlyThereWhenAskedFor) {
    const InProcessAdapter adapter;
    EXPECT_EQ(adapter.metrics_port(), 0);
}

TEST(Metrics, AnAddressThatIsTakenIsSaidToBe) {
    const InProcessAdapter first(with_metrics);
    try {
        const InProcessAdapter second([&](ServerOptions& options) {
            options.metrics = "127.0.0.1:" + std::to_string(first.metrics_port());
        });
        FAIL() << "both have it";
    } catch (const std::runtime_error& error) {
        EXPECT_NE(std::string(error.what()).find("metrics at 127.0.0.1 port"), std::string::npos)
            << error.what();
    }
}

TEST(Metrics, OtherRequestsGetTheirAnswers) {
    const InProcessAdapter adapter(with_metrics);
    const auto answer = [&](std::string_view request) {
        const Scraper scraper(adapter.metrics_port());
        scraper.send(request);
        return scraper.rest().substr(0, 12);
    };
    EXPECT_EQ(answer("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 200");
    EXPECT_EQ(answer("GET /x HTTP/1.1\r\n\r\n"), "HTTP/1.1 404");
    EXPECT_EQ(answer("DELETE /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 405");
    EXPECT_EQ(answer("\x16\x03\x01 TLS?"), "HTTP/1.1 400");
}

}  // namespace
}  // namespace causeway::adapter
