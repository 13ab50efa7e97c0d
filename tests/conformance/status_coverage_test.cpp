// Every status of the ABI has a test that provokes it: this list names the tests, and fails when a
// status is added without one or when a named test is gone.
#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "conformance/fixture.hpp"
#include "support/raw_peer.hpp"

namespace causeway::test {
namespace {

struct Provoked {
    Status status;
    const char* suite;
    const char* test;
};

constexpr Provoked kProvoked[] = {
    {Status::success, "Transfer", "WriteAndReadReachTheRemoteAddress"},
    {Status::local_length, "Statuses", "MessageLongerThanTheReceive"},
    {Status::local_protection, "Statuses", "LocalRegionThatIsGone"},
    {Status::remote_access, "Statuses", "RemoteAccessWithAnythingWrong"},
    {Status::remote_length, "Statuses", "AppendPastTheEndLeavesNoGap"},
    {Status::receiver_not_ready, "Statuses", "ReceiverNotReadyAsPatienceSays"},
    {Status::bad_descriptor, "BadDescriptors", "CloseTheirQueuePairOnly"},
    {Status::flushed, "Statuses", "FenceIsFlushedAfterAFailure"},
    {Status::peer_gone, "Statuses", "PeerThatLeaves"},
    {Status::denied, "Statuses", "RegionThatIsNotExportable"},
};

[[nodiscard]] bool registered(const std::string& suite, const std::string& test) {
    const auto& unit = *testing::UnitTest::GetInstance();
    for (int s = 0; s < unit.total_test_suite_count(); ++s) {
        const auto& candidate = *unit.GetTestSuite(s);
        if (candidate.name() != "Executors/" + suite)
            continue;
        for (int t = 0; t < candidate.total_test_count(); ++t) {
            if (std::string(candidate.GetTestInfo(t)->name()).starts_with(test + "/"))
                return true;
        }
    }
    return false;
}

TEST(StatusCoverage, EveryStatusHasATestThatProvokesIt) {
    for (std::uint8_t number = 0; number < abi::kStatusCount; ++number) {
        const auto entry = std::find_if(
            std::begin(kProvoked), std::end(kProvoked),
            [&](const Provoked& p) { return static_cast<std::uint8_t>(p.status) == number; });
        ASSERT_NE(entry, std::end(kProvoked)) << "no test provokes status " << int{number};
        EXPECT_TRUE(registered(entry->suite, entry->test))
            << entry->suite << "." << entry->test << " is gone";
    }
}

// The library builds no bad descriptor, so this takes a partition without it.
class BadDescriptors : public Conformance {};

TEST_P(BadDescriptors, CloseTheirQueuePairOnly) {
    if (direct())
        GTEST_SKIP()
            << "a direct sender executes its own descriptors, and harms nobody by bad ones";
    RawPeer raw(adapter.socket(), "raw");
    Listener door = a.partition.listen("door").value();
    QueuePair ends[2];
    RawPair pairs[2];
    for (int i = 0; i < 2; ++i) {
        ends[i] =
            a.partition.create_queue_pair({.completions = a.queue, .executor = GetParam()}).value();
        std::thread accepting([&] { door.accept(ends[i], kWatchdog).value(); });
        pairs[i] = raw.create_pair({8, 8, 8, 8});
        const bool connected = raw.connect(pairs[i], "a/door");
        accepting.join();
        ASSERT_TRUE(connected);
    }
    ends[0].post_receive(a.memory.slice(0, 64), 1).value();
    abi::Descriptor bad = make_descriptor(abi::Opcode::nop, abi::descriptor_flag::kImmediate);
    pairs[0].sends.publish(bad);
    raw.ring(pairs[0]);
    const auto take = [&](RawPair& pair) {
        const auto end = std::chrono::steady_clock::now() + kWatchdog;
        std::optional<abi::Completion> c;
        while (!(c = pair.take_send()) && std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
        return c ? static_cast<Status>(c->status) : Status{255};
    };
    EXPECT_EQ(take(pairs[0]), Status::bad_descriptor);
    // The honest end hears that its peer is gone; the other queue pair of the two goes on.
    EXPECT_EQ(a.status_of(1), Status::peer_gone);
    EXPECT_EQ(ends[0].state(), QueuePair::State::closed);
    abi::Descriptor good = make_descriptor(abi::Opcode::nop, abi::descriptor_flag::kSignaled);
    pairs[1].sends.publish(good);
    raw.ring(pairs[1]);
    EXPECT_EQ(take(pairs[1]), Status::success);
    EXPECT_EQ(ends[1].state(), QueuePair::State::connected);
    EXPECT_FALSE(raw.evicted());
}

CW_FOR_EVERY_EXECUTOR(BadDescriptors);

}  // namespace
}  // namespace causeway::test
