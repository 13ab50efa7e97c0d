// System calls and allocations per message.
//
// One thread plays both partitions and polls. What is counted is the partitions' own process; the
// adapter is another one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>
#include <map>
#include <string>

#include "budget/path_runs.hpp"
#include "platform/cpu.hpp"
#include "support/syscall_tally.hpp"

namespace causeway::test {
namespace {

constexpr int kBlock = 16;  // messages in a section

const char* const kOperations[] = {"send 8",     "send 4096", "write 8",
                                   "write 4096", "read 4096", "append 64"};

[[nodiscard]] std::string text_of(const std::map<long, int>& calls) {
    std::string text;
    for (const auto& [number, count] : calls)
        text += " " + std::to_string(count) + " of number " + std::to_string(number);
    return text;
}

#define TALLY_OR_SKIP(tally, words)                                     \
    const SyscallTally tally = tally_syscalls(path_arguments(words));   \
    if (!tally.unavailable.empty())                                     \
        GTEST_SKIP() << tally.unavailable;                              \
    ASSERT_FALSE(tally.has_threads) << "the library has made a thread"; \
    ASSERT_EQ(tally.status, 0) << words

class Calls : public ::testing::TestWithParam<const char*> {};

TEST_P(Calls, DirectMakesNone) {
    const std::string words = std::string("direct ") + GetParam() + " 256";
    TALLY_OR_SKIP(tally, words);
    ASSERT_EQ(tally.sections.size(), 256u / kBlock);
    for (const auto& calls : tally.sections)
        ASSERT_TRUE(calls.empty()) << words << ":" << text_of(calls);
}

// A mover that has had nothing to do for a while sleeps, and posting then rings for it: one send on
// the doorbell's socket, and no other call ever. While it is awake there is none at all. How often
// it falls asleep is up to the machine's other work; that it stays awake for 16 messages once in
// ten thousand is not asked too much.
TEST_P(Calls, AdapterMakesNoneButTheDoorbellsSerial) {
    if (platform::allowed_cpus().size() < 2)
        GTEST_SKIP()
            << "partition and mover need a core each, or the mover sleeps at every message";
    const std::string words = std::string("adapter ") + GetParam() + " 1024";
    int quiet = 0;
    for (int attempt = 0; attempt < 5 && quiet == 0; ++attempt) {
        TALLY_OR_SKIP(tally, words);
        ASSERT_EQ(tally.sections.size(), 1024u / kBlock);
        for (const auto& calls : tally.sections) {
            quiet += calls.empty() ? 1 : 0;
            for (const auto& [number, count] : calls) {
                ASSERT_EQ(number, SYS_sendto) << words << ":" << text_of(calls);
                // Posting the message, and posting the receive after it.
                ASSERT_LE(count, 2 * kBlock) << words << ":" << text_of(calls);
            }
        }
    }
    EXPECT_GE(quiet, 1) << "never " << kBlock << " messages in a row without a doorbell";
}

TEST_P(Calls, NeitherAllocates) {
    for (const char* executor : {"direct ", "adapter ", "engine "}) {
        const auto printed =
            printed_by_path(executor + std::string(GetParam()) + " 256", "allocations");
        ASSERT_EQ(printed.size(), 1u);
        EXPECT_EQ(printed.begin()->second, 0) << executor << GetParam();
    }
}

INSTANTIATE_TEST_SUITE_P(Operations, Calls, ::testing::ValuesIn(kOperations),
                         [](const auto& operation) {
                             std::string name = operation.param;
                             std::replace(name.begin(), name.end(), ' ', '_');
                             return name;
                         });

// wait() enters the kernel only where polling has found nothing.
TEST(CallsOfAWait, NoneWhereTheMessageIsThere) {
    TALLY_OR_SKIP(tally, "direct send 8 64 waits");
    for (const auto& calls : tally.sections)
        ASSERT_TRUE(calls.empty()) << text_of(calls);
}

// What a message costs a receiver that sleeps, both sides together.
TEST(CallsOfAWait, ForASleepingReceiver) {
    TALLY_OR_SKIP(tally, "direct send 8 64 asleep");
    for (auto calls : tally.sections) {
        // Before the receiver sleeps: the barrier that spares every sender its fence. A kernel
        // without it has senders with fences.
        EXPECT_THAT(calls[SYS_membarrier], ::testing::AnyOf(0, kBlock));
        calls.erase(SYS_membarrier);
        const std::map<long, int> expected{
            {SYS_sendto, kBlock},        // the sender wakes, once
            {SYS_epoll_wait, kBlock},    // the receiver, awake: whose sockets are to be emptied?
            {SYS_recvfrom, 2 * kBlock},  // the peer's: the byte, and that there is no more
        };
        EXPECT_EQ(calls, expected) << text_of(calls);
    }
}

}  // namespace
}  // namespace causeway::test
