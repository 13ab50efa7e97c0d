#include "adapter/entrance.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "adapter/runtime_directory.hpp"
#include "support/temp_directory.hpp"

namespace causeway::adapter {
namespace {

mode_t mode_of(const std::string& path) {
    struct stat facts {};
    EXPECT_EQ(::lstat(path.c_str(), &facts), 0) << path;
    return facts.st_mode & 07777;
}

TEST(RuntimeDirectory, IsMadeForItsUserAlone) {
    const test::TempDirectory parent;
    auto directory = RuntimeDirectory::open(parent / "run").value();
    EXPECT_EQ(mode_of(parent / "run"), 0700u);
    const std::string socket = directory.make_entrance("a").value();
    EXPECT_EQ(socket, parent / "run/a/fabric.sock");
    EXPECT_EQ(mode_of(parent / "run/a"), 0755u);
}

TEST(RuntimeDirectory, ServesOneDaemonAtATime) {
    const test::TempDirectory parent;
    {
        const auto first = RuntimeDirectory::open(parent / "run");
        ASSERT_TRUE(first.has_value());
        const auto second = RuntimeDirectory::open(parent / "run/");
        ASSERT_FALSE(second.has_value());
        EXPECT_EQ(second.error().code, ErrorCode::name_in_use);
        EXPECT_NE(second.error().text.find(parent / "run"), std::string::npos);
    }
    EXPECT_TRUE(RuntimeDirectory::open(parent / "run").has_value());
}

TEST(RuntimeDirectory, LeavesADirectoryForOtherThingsAlone) {
    const test::TempDirectory parent;
    const std::string home = parent / "home";
    std::filesystem::create_directory(home);
    ASSERT_EQ(::chmod(home.c_str(), 0755), 0);
    std::ofstream(home + "/letter") << "dear";
    const auto refused = RuntimeDirectory::open(home);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::denied);
    EXPECT_EQ(mode_of(home), 0755u);
    ASSERT_EQ(::chmod(home.c_str(), 0700), 0);
    EXPECT_TRUE(RuntimeDirectory::open(home).has_value());
}

TEST(RuntimeDirectory, ClosesAnEmptyDirectoryToOthers) {
    const test::TempDirectory parent;
    const std::string fresh = parent / "fresh";
    std::filesystem::create_directory(fresh);
    ASSERT_EQ(::chmod(fresh.c_str(), 0755), 0);
    ASSERT_TRUE(RuntimeDirectory::open(fresh).has_value());
    EXPECT_EQ(mode_of(fresh), 0700u);
}

TEST(RuntimeDirectory, FollowsNoLink) {
    const test::TempDirectory parent;
    std::filesystem::create_directory(parent / "real");
    std::filesystem::create_directory_symlink(parent / "real", parent / "link");
    EXPECT_FALSE(RuntimeDirectory::open(parent / "link").has_value());
    EXPECT_FALSE(RuntimeDirectory::open(parent / "link/").has_value());
}

TEST(Entrance, ReplacesTheSocketOfADaemonThatIsGone) {
    const test::TempDirectory parent;
    const std::string path = parent / "fabric.sock";
    {
        auto stale = platform::listen_at(path, 0600);  // its file stays behind
        ASSERT_TRUE(stale.has_value());
    }
    ASSERT_TRUE(std::filesystem::exists(path));
    {
        const auto entrance = Entrance::open("", path);
        ASSERT_TRUE(entrance.has_value()) << entrance.error().text;
        EXPECT_EQ(mode_of(path), 0666u);
        EXPECT_TRUE(platform::connect_to(path).has_value());
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}

class EntranceRules : public testing::Test {
protected:
    test::TempDirectory directory;
    std::unique_ptr<Entrance> open = Entrance::open("", directory / "o.sock").value();
    std::unique_ptr<Entrance> named = Entrance::open("a", directory / "a.sock").value();
    Entrance::Configured reserved{{"a", {}}};
};

TEST_F(EntranceRules, OpenEntranceAdmitsItsOwnUserOnly) {
    const uid_t own = ::geteuid();
    EXPECT_TRUE(open->admit({.pid = 7, .uid = own, .gid = 0}).has_value());
    const auto other = open->admit({.pid = 7, .uid = own + 1, .gid = 0});
    ASSERT_FALSE(other.has_value());
    EXPECT_EQ(other.error().code, ErrorCode::denied);
    EXPECT_NE(other.error().text.find("open entrance"), std::string::npos) << "names the rule";
}

TEST_F(EntranceRules, OverflowUidAndUnknownProcessNeverMatch) {
    EXPECT_FALSE(open->admit({.pid = 0, .uid = ::geteuid(), .gid = 0}).has_value());
    EXPECT_FALSE(open->admit({.pid = 7, .uid = 65534, .gid = 0}).has_value());
}

TEST_F(EntranceRules, NamedEntranceAdmitsWhomeverItsDirectoryWasGivenTo) {
    EXPECT_TRUE(named->admit({.pid = 0, .uid = 65534, .gid = 65534}).has_value());
}

TEST_F(EntranceRules, NamedEntranceKnowsOneName) {
    EXPECT_EQ(named->name_for("", reserved).value(), "a");
    EXPECT_EQ(named->name_for("a", reserved).value(), "a");
    const auto other = named->name_for("b", reserved);
    ASSERT_FALSE(other.has_value());
    EXPECT_EQ(other.error().code, ErrorCode::denied);
}

TEST_F(EntranceRules, OpenEntranceKnowsAllNamesButThoseOfEntrances) {
    EXPECT_EQ(open->name_for("b", reserved).value(), "b");
    const auto none = open->name_for("", reserved);
    ASSERT_FALSE(none.has_value());
    EXPECT_EQ(none.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(none.error().text.find("choose a name"), std::string::npos);
    const auto taken = open->name_for("a", reserved);
    ASSERT_FALSE(taken.has_value());
    EXPECT_EQ(taken.error().code, ErrorCode::denied);
}

}  // namespace
}  // namespace causeway::adapter
