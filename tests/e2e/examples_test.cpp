// Every example runs and says what it is about.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/command.hpp"
#include "support/test_adapter.hpp"

namespace causeway::test {
namespace {

using ::testing::HasSubstr;

struct Example {
    std::string name;
    std::string says;
};

class Examples : public ::testing::TestWithParam<Example> {};

TEST_P(Examples, Runs) {
    TestAdapter adapter;
    CommandOptions options;
    options.environment["CAUSEWAY_SOCKET"] = adapter.socket();
    const auto result = run_command({program("example_" + GetParam().name)}, options);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.err, "");
    EXPECT_THAT(result.out, HasSubstr(GetParam().says));
}

TEST_P(Examples, SaysWhatToDoWithoutAnAdapter) {
    CommandOptions options;
    options.environment["CAUSEWAY_SOCKET"] = "/nonexistent/fabric.sock";
    const auto result = run_command({program("example_" + GetParam().name)}, options);
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.err, HasSubstr("causewayd"));
}

INSTANTIATE_TEST_SUITE_P(
    All, Examples,
    ::testing::Values(Example{"pingpong", "one way takes"}, Example{"write_immediate", "16 blocks"},
                      Example{"append_log", "record 3 of writer 2"},
                      Example{"hello", "hello, world (13 bytes)"},
                      Example{"pmr", "800000 bytes received, the sum is 4999950000"},
                      Example{"message_queue", "2000 messages of 2 senders"},
                      Example{"request_response", "4 squared is 16"},
                      Example{"pipe", "the reader says: 10000 lines, 240000 bytes"}),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace causeway::test
