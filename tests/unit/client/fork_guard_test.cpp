#include "client/fork_guard.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace causeway::client {
namespace {

// Runs `f` in a child; its result is the child's exit status.
template<typename F>
int in_child(F&& f) {
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(f());
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(ForkGuard, OfNoProcessIsNeverHere) { EXPECT_FALSE(ForkGuard().here()); }

TEST(ForkGuard, KnowsTheParentFromTheChild) {
    const ForkGuard guard = ForkGuard::of_this_process().value();
    EXPECT_TRUE(guard.here());
    EXPECT_EQ(in_child([&] { return guard.here() ? 1 : 0; }), 0);
    EXPECT_TRUE(guard.here());
    EXPECT_TRUE(ForkGuard::of_this_process().value().here());
}

TEST(ForkGuard, AChildThatAttachesAnewKeepsItsOwnOnly) {
    const ForkGuard parent = ForkGuard::of_this_process().value();
    const int result = in_child([&] {
        const ForkGuard child = ForkGuard::of_this_process().value();
        if (!child.here() || parent.here())
            return 1;
        return in_child([&] {
            const ForkGuard grandchild = ForkGuard::of_this_process().value();
            return grandchild.here() && !child.here() && !parent.here() ? 0 : 2;
        });
    });
    EXPECT_EQ(result, 0);
    EXPECT_TRUE(parent.here());
}

}  // namespace
}  // namespace causeway::client
