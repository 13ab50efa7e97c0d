#include "platform/directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "support/temp_directory.hpp"

namespace causeway::platform {
namespace {

mode_t mode_of(const std::string& path) {
    struct stat facts {};
    return ::lstat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777u : 0;
}

class Directory : public testing::Test {
protected:
    test::TempDirectory parent_;
    std::string path_ = parent_ / "run";
};

TEST_F(Directory, IsMadeWithExactlyTheMode) {
    const mode_t old = ::umask(0077);
    const auto fd = make_directory(path_, 0755);
    ::umask(old);
    ASSERT_TRUE(fd.has_value());
    EXPECT_EQ(mode_of(path_), 0755u);
    EXPECT_TRUE(make_directory_at(fd->get(), "inner", 0700).has_value());
    EXPECT_EQ(mode_of(path_ + "/inner"), 0700u);
}

TEST_F(Directory, TakesTheOneThatIsThereAndSetsItsMode) {
    ASSERT_EQ(::mkdir(path_.c_str(), 0755), 0);
    ASSERT_TRUE(make_directory(path_ + "//", 0700).has_value());
    EXPECT_EQ(mode_of(path_), 0700u);
}

TEST_F(Directory, FollowsNoSymbolicLink) {
    ASSERT_EQ(::mkdir((parent_ / "real").c_str(), 0755), 0);
    ASSERT_EQ(::symlink((parent_ / "real").c_str(), path_.c_str()), 0);
    for (const char* ending : {"", "/", "//"}) {
        const auto result = make_directory(path_ + ending, 0700);
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error().code, ErrorCode::denied);
    }
    EXPECT_EQ(mode_of(parent_ / "real"), 0755u) << "untouched";
}

TEST_F(Directory, RefusesFilesForeignOnesAndThoseThatOthersMayWrite) {
    const UniqueFd file(::open((parent_ / "file").c_str(), O_CREAT | O_RDWR, 0600));
    EXPECT_EQ(make_directory(parent_ / "file", 0700).error().code, ErrorCode::denied);
    ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
    ASSERT_EQ(::chmod(path_.c_str(), 0775), 0);
    const Error writable = make_directory(path_, 0700).error();
    EXPECT_EQ(writable.code, ErrorCode::denied);
    EXPECT_NE(writable.text.find("0775"), std::string::npos) << writable.text;
    EXPECT_EQ(mode_of(path_), 0775u);
    if (::geteuid() == 0) {
        ASSERT_EQ(::chmod(path_.c_str(), 0755), 0);
        ASSERT_EQ(::chown(path_.c_str(), 1234, 0), 0);
        const Error foreign = make_directory(path_, 0700).error();
        EXPECT_EQ(foreign.code, ErrorCode::denied);
        EXPECT_NE(foreign.text.find("uid 1234"), std::string::npos) << foreign.text;
    }
    EXPECT_FALSE(make_directory(parent_ / "no/parent", 0700).has_value());
    EXPECT_EQ(make_directory("", 0700).error().code, ErrorCode::invalid_argument);
}

TEST_F(Directory, BelongsToOneAtATime) {
    UniqueFd first = make_directory(path_, 0700).value();
    const UniqueFd second = make_directory(path_, 0700).value();
    ASSERT_TRUE(lock_directory(first.get()).has_value());
    EXPECT_EQ(lock_directory(second.get()).error().code, ErrorCode::name_in_use);
    first.reset();
    EXPECT_TRUE(lock_directory(second.get()).has_value());
}

}  // namespace
}  // namespace causeway::platform
