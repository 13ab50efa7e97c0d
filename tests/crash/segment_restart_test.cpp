// The adapter dies by SIGKILL and is started again: what becomes of named segments.
#include <gtest/gtest.h>

#include <causeway/abi/control.hpp>
#include <causeway/causeway.hpp>
#include <chrono>
#include <cstring>
#include <future>

#include "adapter/server.hpp"
#include "support/live_adapter.hpp"
#include "support/segments.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSize = 1 << 20;
constexpr std::uint64_t kPatienceNs = 3'000'000'000;

class SegmentRestart : public testing::Test {
protected:
    static void configure(adapter::ServerOptions& options) {
        options.fabric.resume_patience_ns = kPatienceNs;
        options.fabric.segments = {segment("ledger", kSize, {"reader"}, {"writer", "other"})};
    }
    [[nodiscard]] Partition attach(const std::string& name) const {
        return Partition::attach(name, {.socket = adapter.socket(), .adapter_patience = 30s})
            .value();
    }
    void restart() {
        adapter.kill();
        adapter.start_again();
    }

    LiveAdapter adapter{LiveAdapter::Kind::forked, {}, 1, configure};
};

TEST_F(SegmentRestart, ContentsComeBackWithWhoHoldsThem) {
    auto writer = attach("writer");
    auto reader = attach("reader");
    auto written = writer.open_segment("ledger", SegmentAccess::write).value();
    auto seen = reader.open_segment("ledger", SegmentAccess::read).value();
    ASSERT_TRUE(seen.is_copy()) << "of the adapter's uid";
    auto memory = reader.allocate(kSize).value();
    std::memcpy(written.writable_data() + 5000, "kept", 4);
    for (int round = 0; round < 3; ++round) {
        restart();
        written.writable_data()[6000] = static_cast<std::byte>(round);  // undisturbed
        // Somebody who was not there before asks for it first, and waits for who has it.
        auto other = attach("other");
        auto early = std::async(std::launch::async,
                                [&] { return other.open_segment("ledger", SegmentAccess::write); });
        EXPECT_EQ(early.wait_for(50ms), std::future_status::timeout);
        EXPECT_TRUE(written.check().has_value()) << "comes back";
        auto opened = early.get();
        ASSERT_TRUE(opened.has_value()) << opened.error().text;
        EXPECT_EQ(std::memcmp(opened->data() + 5000, "kept", 4), 0) << "one memory for all";
        const auto copied = seen.read(5000, memory, 0, 4);
        ASSERT_TRUE(copied.has_value()) << copied.error().text;
        EXPECT_EQ(std::memcmp(memory.data(), "kept", 4), 0);
        ASSERT_TRUE(seen.read(6000, memory, 8, 1).has_value());
        EXPECT_EQ(memory.data()[8], static_cast<std::byte>(round));
        EXPECT_TRUE(written.check().has_value());
        EXPECT_TRUE(seen.check().has_value());
    }
}

TEST_F(SegmentRestart, BeginsEmptyWhereNobodyHeldIt) {
    auto reader = attach("reader");
    auto seen = reader.open_segment("ledger", SegmentAccess::read).value();
    {
        auto writer = attach("writer");
        auto written = writer.open_segment("ledger", SegmentAccess::write).value();
        std::memcpy(written.writable_data(), "lost", 4);
    }
    auto memory = reader.allocate(4096).value();
    ASSERT_TRUE(seen.read(0, memory, 0, 4).has_value());
    EXPECT_EQ(std::memcmp(memory.data(), "lost", 4), 0) << "it outlives its writer";
    restart();
    // Who read by copies is told, and shown nothing else under the same opening.
    const auto copied = seen.read(0, memory, 0, 4);
    ASSERT_FALSE(copied.has_value());
    EXPECT_EQ(copied.error().code, ErrorCode::not_found);
    EXPECT_NE(copied.error().text.find("made anew"), std::string::npos) << copied.error().text;
    auto again = reader.open_segment("ledger", SegmentAccess::read).value();
    ASSERT_TRUE(again.read(0, memory, 0, 4).has_value());
    EXPECT_EQ(std::memcmp(memory.data(), "\0\0\0\0", 4), 0);
}

TEST_F(SegmentRestart, WhoDoesNotComeBackIsNotWaitedForForEver) {
    auto writer = attach("writer");
    auto written = writer.open_segment("ledger", SegmentAccess::write).value();
    std::memcpy(written.writable_data(), "away", 4);
    restart();
    auto other = attach("other");  // the writer makes no call, and so does not come back
    auto opened = other.open_segment("ledger", SegmentAccess::write);
    ASSERT_TRUE(opened.has_value()) << opened.error().text;
    EXPECT_EQ(opened->data()[0], std::byte{0});
    // What it has mapped stays its own; that it is not the segment any more, it is told.
    EXPECT_EQ(std::memcmp(written.data(), "away", 4), 0);
    EXPECT_FALSE(written.check().has_value());
}

TEST_F(SegmentRestart, ClosedOnesAreNotWaitedFor) {
    auto writer = attach("writer");
    {
        auto written = writer.open_segment("ledger", SegmentAccess::write).value();
        std::memcpy(written.writable_data(), "shut", 4);
    }
    restart();
    auto other = attach("other");
    auto opened = other.open_segment("ledger", SegmentAccess::write);
    ASSERT_TRUE(opened.has_value()) << opened.error().text;
    EXPECT_EQ(opened->data()[0], std::byte{0});
}

}  // namespace
}  // namespace causeway::test
