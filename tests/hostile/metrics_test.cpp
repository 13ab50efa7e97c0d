// Scrapers that do what they should not: nobody else notices.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "support/in_process_adapter.hpp"
#include "support/neighbour.hpp"
#include "support/scraper.hpp"

namespace causeway::adapter {
namespace {

using test::InProcessAdapter;
using test::Scraper;

void with_metrics(ServerOptions& options) { options.metrics = "127.0.0.1:0"; }

void expect_served(const InProcessAdapter& adapter) {
    EXPECT_NE(Scraper::scrape(adapter.metrics_port()).find("causeway_build_info"),
              std::string::npos);
    test::Neighbours neighbours(adapter.socket());
    neighbours.exchange();
}

TEST(HostileScraper, AThousandConnectionsCostNoMoreThanTheLimit) {
    const InProcessAdapter adapter(with_metrics);
    const std::size_t before = platform::open_file_count().value();
    std::vector<Scraper> crowd;
    for (int i = 0; i < 1000; ++i) {
        crowd.emplace_back(adapter.metrics_port());
        ASSERT_TRUE(crowd.back().connected()) << i;
    }
    expect_served(adapter);
    // The crowd's own ends, those that were admitted, and what a listener and threads need.
    EXPECT_LE(platform::open_file_count().value(),
              before + 1000 + MetricsServer::kMostConnections + 16);
}

// A byte now and then: the connection ends all the same.
TEST(HostileScraper, WhoDawdlesIsCutOff) {
    const InProcessAdapter adapter(with_metrics);
    const Scraper slow(adapter.metrics_port());
    slow.send("GET /metrics HTTP/1.1\r\n");
    bool cut = false;
    for (int i = 0; i < 300 && !cut; ++i) {
        cut = !slow.send("X: y\r\n");
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    EXPECT_TRUE(cut) << "it may dawdle for ever";
    expect_served(adapter);
}

TEST(HostileScraper, WhoFillsAllPlacesMakesRoomForTheNext) {
    const InProcessAdapter adapter(with_metrics);
    std::vector<Scraper> slow;
    for (std::size_t i = 0; i < 2 * MetricsServer::kMostConnections; ++i) {
        slow.emplace_back(adapter.metrics_port());
        slow.back().send("GET /met");
    }
    expect_served(adapter);
    EXPECT_EQ(slow.front().rest(), "") << "the oldest had to go";
}

TEST(HostileScraper, HugeRequestsAreCutShort) {
    const InProcessAdapter adapter(with_metrics);
    const Scraper scraper(adapter.metrics_port());
    const std::string much(1 << 16, 'x');
    scraper.send("GET /metrics HTTP/1.1\r\nX: ");
    for (int i = 0; i < 64; ++i) {
        if (!scraper.send(much))
            break;
    }
    const std::string answer = scraper.rest();
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 431 ")) << answer.substr(0, 100);
    expect_served(adapter);
}

TEST(HostileScraper, WhoDoesNotReadIsLetGo) {
    const InProcessAdapter adapter(with_metrics);
    std::vector<Scraper> deaf;
    for (int i = 0; i < 200; ++i) {
        deaf.emplace_back(adapter.metrics_port());
        deaf.back().send("GET /metrics HTTP/1.1\r\n\r\n");
    }
    expect_served(adapter);
}

TEST(HostileScraper, WhoLeavesInTheMiddleLeavesNothing) {
    const InProcessAdapter adapter(with_metrics);
    const std::size_t before = platform::open_file_count().value();
    for (int i = 0; i < 200; ++i) {
        const Scraper scraper(adapter.metrics_port());
        scraper.send(i % 2 == 0 ? "GET /metrics HTTP/1.1\r\n\r\n" : "GET /metr");
    }
    EXPECT_TRUE(test::eventually([&] { return platform::open_file_count().value() <= before; }))
        << platform::open_file_count().value() << " descriptors, and " << before << " before";
    expect_served(adapter);
}

// It stops while scrapers wait and dawdle.
TEST(HostileScraper, DoesNotHoldUpTheEnd) {
    auto adapter = std::make_unique<InProcessAdapter>(with_metrics);
    std::vector<Scraper> crowd;
    for (int i = 0; i < 20; ++i) {
        crowd.emplace_back(adapter->metrics_port());
        crowd.back().send(i % 2 == 0 ? "GET /metrics HTTP/1.1\r\n\r\n" : "GET ");
    }
    EXPECT_TRUE(adapter->stop().has_value());
}

}  // namespace
}  // namespace causeway::adapter
