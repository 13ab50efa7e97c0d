// Which lines of queue memory a message changes. A line that one core writes and the other reads
// has to travel between them: it is what a small message costs.
//
// Counted over 64 messages, a lap of the rings: what is told lazily, a quarter of a ring at a time,
// shows as 4.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "budget/path_runs.hpp"

namespace causeway::test {
namespace {

constexpr int kEach = 64;
constexpr int kLazy = 4;    // a quarter of a ring late
constexpr int kLazier = 2;  // a ring of completions is twice as long as that of receives

using Lines = std::map<std::string, int>;

// Which lines 64 messages of this path change.
[[nodiscard]] Lines lines_of(const std::string& path, const std::string& words = "") {
    return printed_by_path(path + " 64 lines " + words, "changed");
}

[[nodiscard]] Lines operator+(Lines some, const Lines& more) {
    for (const auto& [place, count] : more)
        some[place] += count;
    return some;
}

// ---- direct: a sends, and executes; "b inbound" is all that both have mapped

// Only a's own core ever sees these.
const Lines kExecuting{
    {"a line 1", kLazy},  // how many were taken: frees slots of silent sends
    {"a line 3", kEach},  // what the adapter lists: operations, bytes
};
// A Send of one slice has ended before it would be a descriptor, unless it takes several pieces.
const Lines kPosting = kExecuting + Lines{{"a sends", kEach}};
const Lines kOwnCompletion{
    {"a send completions", kEach}, {"a line 2", kLazy},  // completions that were read
};
// Written by a, read by b: the one line that a small message has to travel in.
const Lines kArrival{{"b inbound receive completions", kEach}};
// Written by b, read by a.
const Lines kReceiving{
    {"b inbound receives",
     kEach},                      // the next receive is posted; a reads it for what is copied only
    {"b inbound line 3", kEach},  // how many receives are simple: a reads it once for all of them
    {"b inbound line 2", kLazier},  // completions that were read: room for more
};

TEST(ChangedLines, DirectSmallSend) {
    EXPECT_EQ(lines_of("direct send 8"), kExecuting + kOwnCompletion + kArrival + kReceiving);
}

TEST(ChangedLines, DirectSmallSendUnsignaled) {
    EXPECT_EQ(lines_of("direct send 8", "unsignaled"), kExecuting + kArrival + kReceiving);
}

TEST(ChangedLines, DirectSend) {
    for (const char* const path : {"direct send 64", "direct send 4096"})
        EXPECT_EQ(lines_of(path), kExecuting + kOwnCompletion + kArrival + kReceiving) << path;
    EXPECT_EQ(lines_of("direct send 300000"), kPosting + kOwnCompletion + kArrival + kReceiving);
}

// One-sided: b's queue memory is not touched.
TEST(ChangedLines, DirectWriteReadAndAppend) {
    EXPECT_EQ(lines_of("direct write 8"), kPosting + kOwnCompletion);
    EXPECT_EQ(lines_of("direct write 4096"), kPosting + kOwnCompletion);
    EXPECT_EQ(lines_of("direct read 4096"), kPosting + kOwnCompletion);
    EXPECT_EQ(lines_of("direct append 64"), kPosting + kOwnCompletion);
}

// ---- adapter: what the partitions and the mover write, but for the mover's own line

const Lines kAdapterSending{
    {"a sends", kEach},             // a to the mover
    {"a send completions", kEach},  // the mover to a
    {"a line 2", kLazy},            // completions that a has read
};
const Lines kAdapterReceiving{
    {"b receive completions", kEach},  // the mover to b: a small message travels in it
    {"b receives", kEach},             // b to the mover
    {"b line 2", kLazier},             // completions that b has read
    {"b line 3", kEach},               // how many receives are simple
};

TEST(ChangedLines, Adapter) {
    EXPECT_EQ(lines_of("adapter send 8"), kAdapterSending + kAdapterReceiving);
    EXPECT_EQ(lines_of("adapter send 4096"), kAdapterSending + kAdapterReceiving);
    EXPECT_EQ(lines_of("adapter write 4096"), kAdapterSending);
    EXPECT_EQ(lines_of("adapter read 4096"), kAdapterSending);
    EXPECT_EQ(lines_of("adapter append 64"), kAdapterSending);
}

// ---- the engine alone: that the mover writes nothing but completions, and its line lazily

TEST(ChangedLines, Engine) {
    const Lines taken{{"a line 1", kLazy}};
    const Lines sent{{"a send completions", kEach}};
    const Lines received{{"b receive completions", kEach}};
    EXPECT_EQ(lines_of("engine send 8"), taken + sent + received);
    EXPECT_EQ(lines_of("engine send 8", "unsignaled"), taken + received);
    EXPECT_EQ(lines_of("engine send 4096"), taken + sent + received);
    EXPECT_EQ(lines_of("engine write 4096"), taken + sent);
    EXPECT_EQ(lines_of("engine read 4096"), taken + sent);
    EXPECT_EQ(lines_of("engine append 64"), taken + sent);
}

}  // namespace
}  // namespace causeway::test
