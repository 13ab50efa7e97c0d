#include "platform/memfd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdint>

#include "platform/limits.hpp"
#include "platform/mapping.hpp"
#include "platform/socket.hpp"
#include "support/temp_directory.hpp"

namespace causeway::platform {
namespace {

TEST(Memfd, IsSizedSealedAndCloseOnExec) {
    const UniqueFd fd = create_memfd("test", 8192, kSizeSeals | F_SEAL_SEAL).value();
    EXPECT_EQ(file_facts(fd.get())->size, 8192u);
    EXPECT_EQ(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    const unsigned seals = memfd_seals(fd.get()).value();
    EXPECT_EQ(seals & (kSizeSeals | F_SEAL_SEAL), kSizeSeals | F_SEAL_SEAL);
    EXPECT_NE(::ftruncate(fd.get(), 4096), 0);
    EXPECT_NE(::ftruncate(fd.get(), 16384), 0);
    EXPECT_FALSE(add_seals(fd.get(), F_SEAL_WRITE).has_value()) << "sealed against seals";
}

TEST(Memfd, RefusesSizesThatAreNoPages) {
    for (const std::uint64_t size :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4097}, UINT64_MAX, UINT64_MAX - 4095}) {
        const auto result = create_memfd("test", size, 0);
        ASSERT_FALSE(result.has_value()) << size;
        EXPECT_EQ(result.error().code, ErrorCode::invalid_argument) << size;
    }
    EXPECT_EQ(create_memfd("test", 4096, 0, PageSize::huge).error().code,
              ErrorCode::invalid_argument);
}

TEST(Memfd, CanBeSealedLater) {
    const UniqueFd fd = create_memfd("test", 4096, 0).value();
    EXPECT_FALSE(require_seals(fd.get(), kSizeSeals, 0).has_value());
    ASSERT_TRUE(add_seals(fd.get(), kSizeSeals).has_value());
    EXPECT_TRUE(require_seals(fd.get(), kSizeSeals, F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
}

TEST(Memfd, RequireSealsNamesWhatIsMissingAndWhatIsTooMuch) {
    const UniqueFd open_one = create_memfd("test", 4096, F_SEAL_GROW).value();
    const Error missing = require_seals(open_one.get(), kSizeSeals, 0).error();
    EXPECT_EQ(missing.code, ErrorCode::invalid_argument);
    EXPECT_NE(missing.text.find("SHRINK are needed"), std::string::npos) << missing.text;

    for (const unsigned extra : {unsigned{F_SEAL_WRITE}, unsigned{F_SEAL_FUTURE_WRITE}}) {
        const UniqueFd fd = create_memfd("test", 4096, kSizeSeals | extra).value();
        const auto result = require_seals(fd.get(), kSizeSeals, F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
        ASSERT_FALSE(result.has_value());
        EXPECT_NE(result.error().text.find("WRITE may not be"), std::string::npos);
    }
}

TEST(Memfd, OrdinaryFilesDirectoriesAndSocketsHaveNoSeals) {
    const test::TempDirectory directory;
    const UniqueFd file(::open((directory / "file").c_str(), O_RDWR | O_CREAT, 0600));
    ASSERT_EQ(::ftruncate(file.get(), 4096), 0);
    const UniqueFd folder(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY));
    const UniqueFd null(::open("/dev/null", O_RDWR));
    const auto pair = make_socket_pair().value();
    for (const int fd : {file.get(), folder.get(), null.get(), pair.first.get(), -1}) {
        EXPECT_FALSE(require_seals(fd, kSizeSeals, 0).has_value()) << fd;
    }
}

TEST(Memfd, AFileOfTmpfsCannotPassForOne) {
    struct statfs facts {};
    if (::statfs("/dev/shm", &facts) != 0 || facts.f_type != 0x01021994) {
        GTEST_SKIP() << "no tmpfs at /dev/shm";
    }
    // Unnamed: it leaves nothing behind.
    const UniqueFd file(::open("/dev/shm", O_TMPFILE | O_RDWR, 0600));
    if (!file)
        GTEST_SKIP() << "cannot write to /dev/shm";
    ASSERT_EQ(::ftruncate(file.get(), 4096), 0);
    EXPECT_FALSE(add_seals(file.get(), kSizeSeals).has_value());
    const auto result = require_seals(file.get(), kSizeSeals, 0);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
}

TEST(Memfd, AMemfdWithoutSealingCannotPassEither) {
    const UniqueFd fd(::memfd_create("plain", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(fd.get(), 4096), 0);
    EXPECT_FALSE(require_seals(fd.get(), kSizeSeals, 0).has_value());
}

TEST(Memfd, FactsTellWhatIsAllocatedAndWhoIsWho) {
    const UniqueFd fd = create_memfd("test", 64 * kPage, kSizeSeals).value();
    const UniqueFd other = create_memfd("test", 64 * kPage, kSizeSeals).value();
    EXPECT_EQ(file_facts(fd.get())->allocated, 0u);
    Mapping memory = Mapping::map(fd.get(), 64 * kPage).value();
    ASSERT_TRUE(memory.populate_write(0, 64 * kPage).has_value());
    const FileFacts full = file_facts(fd.get()).value();
    EXPECT_GE(full.allocated, 64 * kPage);
    ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                          static_cast<off_t>(32 * kPage)),
              0);
    EXPECT_LT(file_facts(fd.get())->allocated, 64 * kPage) << "a hole shows";

    const UniqueFd again(::dup(fd.get()));
    EXPECT_EQ(file_facts(again.get())->inode, full.inode);
    EXPECT_NE(file_facts(other.get())->inode, full.inode);
    EXPECT_TRUE(S_ISREG(full.mode));
    EXPECT_EQ(full.uid, ::geteuid());
    EXPECT_FALSE(is_huge(fd.get()).value());
    EXPECT_FALSE(file_facts(-1).has_value());
}

TEST(Memfd, HugePagesComeOrTheErrorSaysHowToGetThem) {
    const std::uint64_t free = free_huge_pages();
    const auto result = create_memfd("huge", (free + 1) * kHugePage, kSizeSeals, PageSize::huge);
    ASSERT_FALSE(result.has_value());
    if (result.error().code == ErrorCode::no_memory) {
        EXPECT_NE(result.error().text.find("/proc/sys/vm/nr_hugepages"), std::string::npos);
    }
    if (free == 0)
        GTEST_SKIP() << "no free huge pages here: " << result.error().text;

    const UniqueFd fd = create_memfd("huge", kHugePage, kSizeSeals, PageSize::huge).value();
    EXPECT_TRUE(is_huge(fd.get()).value());
    Mapping memory = Mapping::reserve(kHugePage, kHugePage).value();
    ASSERT_TRUE(memory.place(0, fd.get(), 0, kHugePage).has_value());
    ASSERT_TRUE(memory.populate_write(0, kHugePage).has_value());
    EXPECT_EQ(file_facts(fd.get())->allocated, kHugePage);
}

}  // namespace
}  // namespace causeway::platform
