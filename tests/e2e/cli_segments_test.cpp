// Named segments as a user meets them: the C++ API against a real adapter, and causeway info.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <causeway/causeway.hpp>
#include <cstring>
#include <nlohmann/json.hpp>

#include "support/command.hpp"
#include "support/in_process_adapter.hpp"
#include "support/segments.hpp"

namespace causeway::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::uint64_t kSize = 3 << 20;

class CliSegments : public ::testing::Test {
protected:
    [[nodiscard]] Partition attach(const std::string& name) const {
        return Partition::attach(name, {.socket = adapter.socket()}).value();
    }
    [[nodiscard]] json info(const std::string& socket) const {
        const auto result =
            run_command({program("causeway"), "info", "--socket", socket, "--json"});
        EXPECT_EQ(result.status, 0) << result.err;
        return json::parse(result.out);
    }

    InProcessAdapter adapter{[](adapter::ServerOptions& options) {
        options.fabric.segments = {segment("ledger", kSize, {"reader", "a"}, {"writer"}),
                                   segment("spare", 4096, {}, {})};
    }};
};

TEST_F(CliSegments, WhatOneStoresTheOthersSee) {
    auto writer = attach("writer");
    auto reader = attach("reader");
    auto first = writer.open_segment("ledger", SegmentAccess::write).value();
    auto second = writer.open_segment("ledger", SegmentAccess::read).value();
    auto seen = reader.open_segment("ledger", SegmentAccess::read).value();
    EXPECT_EQ(first.size(), kSize);
    EXPECT_TRUE(first.writable());
    EXPECT_FALSE(second.writable());
    EXPECT_EQ(second.writable_data(), nullptr);
    EXPECT_TRUE(seen.is_copy()) << "of the adapter's own uid";
    auto bytes = first.writable_bytes();
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::byte>(i * 7 >> 3);
    EXPECT_EQ(std::memcmp(second.data(), first.data(), kSize), 0);
    auto memory = reader.allocate(kSize).value();
    ASSERT_TRUE(seen.read(0, memory, 0, kSize).has_value()) << "in several steps";
    EXPECT_EQ(std::memcmp(memory.data(), first.data(), kSize), 0);
    const auto denied = attach("stranger").open_segment("ledger", SegmentAccess::read);
    ASSERT_FALSE(denied.has_value());
    EXPECT_EQ(denied.error().code, ErrorCode::denied);
    EXPECT_THAT(denied.error().text, HasSubstr("[segment.ledger]"));
}

TEST_F(CliSegments, AreToldWhenOneGoes) {
    auto reader = attach("reader");
    auto seen = reader.open_segment("ledger", SegmentAccess::read).value();
    ASSERT_TRUE(reader.process_events().has_value());
    adapter.on_control([](adapter::Fabric& fabric) { fabric.set_segments({}).value(); });
    pollfd event{reader.event_fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&event, 1, 30'000), 1);
    const auto ended = seen.check();
    ASSERT_FALSE(ended.has_value());
    EXPECT_EQ(ended.error().code, ErrorCode::denied);
    EXPECT_THAT(ended.error().text, HasSubstr("taken out of the configuration"));
    auto memory = reader.allocate(4096).value();
    EXPECT_FALSE(seen.read(0, memory, 0, 1).has_value());
    EXPECT_TRUE(seen.close().has_value());
}

TEST_F(CliSegments, InfoListsThem) {
    auto writer = attach("writer");
    auto reader = attach("reader");
    auto first = writer.open_segment("ledger", SegmentAccess::write).value();
    auto seen = reader.open_segment("ledger", SegmentAccess::read).value();
    const json all = info(adapter.socket()).at("segments");
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all.at(0), json({{"name", "ledger"},
                               {"size", kSize},
                               {"readers", "reader, a"},
                               {"writers", "writer"},
                               {"open", 2},
                               {"by_copies", 1},
                               {"state", "ready"}}));
    EXPECT_EQ(all.at(1).at("name"), "spare");
    EXPECT_EQ(info(adapter.socket("a")).at("segments").size(), 1u) << "that it may open";
    EXPECT_TRUE(info(adapter.socket("b")).at("segments").empty());
    const auto table = run_command({program("causeway"), "info", "--socket", adapter.socket()});
    EXPECT_EQ(table.status, 0);
    EXPECT_THAT(table.out, HasSubstr("in 2 segments"));
    EXPECT_THAT(table.out, HasSubstr("BY COPIES"));
    EXPECT_THAT(table.out, HasSubstr("ledger"));
}

}  // namespace
}  // namespace causeway::test
