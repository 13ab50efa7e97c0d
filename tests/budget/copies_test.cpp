// How often the bytes of a message are copied: once. Whatever a message has passed through still
// holds it, so all the memory of both partitions is searched for it, and the adapter's.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "budget/path_runs.hpp"

namespace causeway::test {
namespace {

constexpr int kMayNotLook = -1;

class Copies : public ::testing::TestWithParam<const char*> {};

TEST_P(Copies, OneFromSourceToTarget) {
    for (const char* operation : {"send", "write", "read", "append"}) {
        for (const char* size : {" 64", " 4096", " 1048576"}) {
            const std::string path = std::string(GetParam()) + " " + operation + size + " 4 copies";
            const std::map<std::string, int> places = printed_by_path(path, "copies");
            if (places.contains("adapter") && places.at("adapter") == kMayNotLook)
                GTEST_SKIP() << "the adapter's memory may not be looked at here (ptrace)";
            const std::map<std::string, int> expected{{"causeway-region", 2}, {"adapter", 0}};
            EXPECT_EQ(places, expected) << path;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Executors, Copies, ::testing::Values("direct", "adapter"),
                         [](const auto& executor) { return executor.param; });

}  // namespace
}  // namespace causeway::test
