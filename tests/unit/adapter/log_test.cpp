#include "adapter/log.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace causeway::adapter {
namespace {

TEST(RateLimit, LetsABurstThroughAndThenOnePerInterval) {
    RateLimit limit(3, 1000);
    const std::uint64_t start = 1'000'000'000;
    EXPECT_TRUE(limit.allow(start));
    EXPECT_TRUE(limit.allow(start));
    EXPECT_TRUE(limit.allow(start));
    EXPECT_FALSE(limit.allow(start));
    EXPECT_FALSE(limit.allow(start + 999));
    EXPECT_TRUE(limit.allow(start + 1000));
    EXPECT_FALSE(limit.allow(start + 1000));
    EXPECT_EQ(limit.take_held_back(), 3u);
    EXPECT_EQ(limit.take_held_back(), 0u);
}

TEST(RateLimit, NeverSavesUpMoreThanABurst) {
    RateLimit limit(2, 1000);
    EXPECT_TRUE(limit.allow(1'000'000'000));
    const std::uint64_t later = 9'000'000'000'000;
    EXPECT_TRUE(limit.allow(later));
    EXPECT_TRUE(limit.allow(later));
    EXPECT_FALSE(limit.allow(later));
}

TEST(Log, RefusesAnUnknownLevel) {
    const auto log = make_log("loud", LogFormat::text);
    ASSERT_FALSE(log.has_value());
    EXPECT_EQ(log.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(log.error().text.find("loud"), std::string::npos);
}

TEST(Log, WritesOneJsonObjectPerLine) {
    testing::internal::CaptureStderr();
    const auto log = make_log("info", LogFormat::json).value();
    log->info("a \"quoted\" text\nin two lines, and \xff");
    log->debug("below the level");
    const std::string line = testing::internal::GetCapturedStderr();
    ASSERT_FALSE(line.empty());
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    const auto parsed = nlohmann::json::parse(line);
    EXPECT_EQ(parsed["level"], "info");
    EXPECT_EQ(std::string(parsed["message"]).substr(0, 18), "a \"quoted\" text\nin");
    EXPECT_EQ(std::string(parsed["time"]).size(), 27u);
}

TEST(Log, EventsCarryFields) {
    testing::internal::CaptureStderr();
    const auto log = make_log("info", LogFormat::json).value();
    log_event(log, spdlog::level::warn, "denied",
              {{"partition", "a"}, {"rule", "allow \"1\""}, {"entrance", ""}}, "a was denied {}");
    log->info("another line");
    const std::string lines = testing::internal::GetCapturedStderr();
    const std::size_t end = lines.find('\n');
    const auto event = nlohmann::json::parse(lines.substr(0, end));
    EXPECT_EQ(event["level"], "warning");
    EXPECT_EQ(event["message"], "a was denied {}");
    EXPECT_EQ(event["event"], "denied");
    EXPECT_EQ(event["partition"], "a");
    EXPECT_EQ(event["rule"], "allow \"1\"");
    EXPECT_FALSE(event.contains("entrance"));
    EXPECT_FALSE(nlohmann::json::parse(lines.substr(end + 1)).contains("event"));
}

}  // namespace
}  // namespace causeway::adapter
