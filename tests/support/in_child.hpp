// Runs a part of a test in a process of its own: for what cannot be undone (a user, a limit, a
// filter of system calls), and for what may hang.
//
// Threading: before the test has threads (it forks).
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

namespace causeway::test {

// Exit status of a part that finds that it cannot be run here.
inline constexpr int kSkipped = 77;

// What fails in there fails the test here; so does a hang.
template<typename Part>
void in_child(Part part, unsigned patience_seconds = 90) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::alarm(patience_seconds);
        try {
            part();
        } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
        }
        std::fflush(nullptr);
        ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == kSkipped)
        GTEST_SKIP() << "this part cannot be run here";
    EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace causeway::test
