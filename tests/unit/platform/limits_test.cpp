// Memory cgroups, as made-up /proc and /sys show them.
#include "platform/limits.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/temp_directory.hpp"

namespace causeway::platform {
namespace {

class MemoryGroups : public ::testing::Test {
protected:
    void write(const std::string& path, const std::string& text) const {
        const std::filesystem::path file = root_.path() + path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text << '\n';
    }
    [[nodiscard]] std::vector<MemoryGroup> groups() const { return memory_groups(root_.path()); }
    test::TempDirectory root_;
};

TEST_F(MemoryGroups, NothingIsSeenWithoutProc) { EXPECT_TRUE(groups().empty()); }

TEST_F(MemoryGroups, Version2IsReadUpToItsRoot) {
    write("/proc/self/mountinfo", "30 24 0:26 / /cg rw shared:9 - cgroup2 cgroup2 rw");
    write("/proc/self/cgroup", "0::/a/b");
    write("/cg/a/b/memory.max", "1000");
    write("/cg/a/b/memory.current", "700");
    write("/cg/a/b/memory.stat", "anon 100\nactive_file 50\ninactive_file 150\nfile 900");
    write("/cg/a/memory.max", "max");
    write("/cg/a/memory.current", "900");
    const auto found = groups();
    ASSERT_EQ(found.size(), 1u);  // "max" is no limit
    EXPECT_EQ(found[0].version, 2);
    EXPECT_EQ(found[0].limit, 1000u);
    EXPECT_EQ(found[0].headroom, 500u);  // cached pages can be dropped
    write("/cg/a/memory.max", "901");
    EXPECT_EQ(groups().size(), 2u);
    EXPECT_EQ(groups()[1].headroom, 1u);
}

TEST_F(MemoryGroups, Version1IsFoundByItsController) {
    write("/proc/self/mountinfo",
          "30 24 0:26 / /cg/cpu rw - cgroup cgroup rw,cpu\n"
          "31 24 0:27 /docker/x /cg/memory rw - cgroup cgroup rw,memory");
    write("/proc/self/cgroup", "5:cpu:/docker/x\n4:memory:/docker/x\n0::/");
    write("/cg/memory/memory.limit_in_bytes", "2000");
    write("/cg/memory/memory.usage_in_bytes", "2500");
    const auto found = groups();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].version, 1);
    EXPECT_EQ(found[0].headroom, 0u);  // over its limit
    write("/cg/memory/memory.limit_in_bytes", "9223372036854771712");
    EXPECT_TRUE(groups().empty());
}

TEST_F(MemoryGroups, BrokenTextIsNoLimit) {
    write("/proc/self/mountinfo", "30 24 0:26 - cgroup2\n\n - \ncgroup2");
    write("/proc/self/cgroup", "::\n0::/../..");
    EXPECT_TRUE(groups().empty());
    write("/proc/self/mountinfo", "30 24 0:26 / /cg rw - cgroup2 cgroup2 rw");
    write("/cg/memory.max", "12x");
    write("/cg/memory.current", "");
    EXPECT_TRUE(groups().empty());
}

}  // namespace
}  // namespace causeway::platform
