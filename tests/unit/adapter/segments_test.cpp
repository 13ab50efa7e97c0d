// What a user namespace says of the adapter's user, and which segments are sound.
#include "adapter/segments.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "config/policy.hpp"
#include "support/segments.hpp"

namespace causeway::adapter {
namespace {

TEST(SegmentRules, UserNamespacesAreReadAsTheKernelShowsThem) {
    const std::string all = "         0          0 4294967295\n";
    EXPECT_TRUE(maps_user(all, 0));
    EXPECT_TRUE(maps_user(all, 1000));
    const std::string rootless =
        "         0       1000          1\n         1     100000      65536\n";
    EXPECT_TRUE(maps_user(rootless, 1000));
    EXPECT_TRUE(maps_user(rootless, 100000));
    EXPECT_TRUE(maps_user(rootless, 165535));
    EXPECT_FALSE(maps_user(rootless, 165536));
    EXPECT_FALSE(maps_user(rootless, 999));
    EXPECT_FALSE(maps_user(rootless, 1001));
    EXPECT_FALSE(maps_user(rootless, 0));
    // What cannot be read could be anything.
    EXPECT_TRUE(maps_user("", 0));
    EXPECT_TRUE(maps_user("0 5\n", 7));
    EXPECT_TRUE(maps_user("what\n", 7));
    EXPECT_TRUE(maps_user("0 18446744073709551616 1\n", 7));
}

TEST(SegmentRules, WhoIsNotHeldByPermissionsGetsCopies) {
    const pid_t pid = ::getpid();
    EXPECT_NE(why_copies({pid, ::geteuid(), 0}), "");
    EXPECT_NE(why_copies({pid, 0, 0}), "");
    EXPECT_NE(why_copies({pid, 65534, 0}), "");
    EXPECT_NE(why_copies({0, 4711, 0}), "") << "a process that is not to be seen";
    EXPECT_NE(why_copies({-1, 4711, 0}), "");
    EXPECT_NE(why_copies({INT32_MAX, 4711, 0}), "") << "there is none";
}

TEST(SegmentRules, WritersGoBeforeReaders) {
    const auto both = test::segment("x", 4096, {"*"}, {"w*"});
    EXPECT_EQ(config::access_of(both, "writer"), config::SegmentAccess::write);
    EXPECT_EQ(config::access_of(both, "anyone"), config::SegmentAccess::read);
    EXPECT_EQ(config::access_of(test::segment("x", 4096, {}, {}), "anyone"),
              config::SegmentAccess::none);
}

}  // namespace
}  // namespace causeway::adapter
