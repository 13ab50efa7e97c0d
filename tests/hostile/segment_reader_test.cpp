// A reader of a named segment that would rather write it, a writer that spoils it, and strangers.
// The reader is a process of another user: what holds it is the kernel.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "adapter/server.hpp"
#include "platform/mapping.hpp"
#include "support/in_child.hpp"
#include "support/live_adapter.hpp"
#include "support/raw_client.hpp"
#include "support/segments.hpp"

namespace causeway::test {
namespace {

using abi::SegmentAccess;
using abi::SegmentManner;

constexpr std::uint64_t kSize = 1 << 20;
constexpr uid_t kOther = 54321;

class SegmentReader : public testing::Test {
protected:
    SegmentReader() {
        if (::geteuid() != 0)
            return;
        adapter = std::make_unique<LiveAdapter>(
            LiveAdapter::Kind::forked, std::vector<std::string>{"a", "b"}, 1,
            [](adapter::ServerOptions& options) {
                options.fabric.segments = {segment("ledger", kSize, {"a"}, {"writer"})};
            });
    }
    void SetUp() override {
        if (!adapter)
            GTEST_SKIP() << "needs root, to become another user";
    }
    // Runs `part` in a process of another user without capabilities, which came in by entrance a
    // (its directory is all that it reaches) as partition a.
    template<typename Part>
    void as_reader(Part part) {
        in_child([&] {
            ASSERT_EQ(::chdir(adapter->entrance("a").c_str()), 0);
            ASSERT_EQ(::setresgid(kOther, kOther, kOther), 0);
            ASSERT_EQ(::setresuid(kOther, kOther, kOther), 0);
            ::prctl(PR_SET_DUMPABLE, 1);  // or its own /proc/self/fd is closed to it
            RawSession session("fabric.sock", "a");
            part(session);
        });
    }
    static RawReply open(RawSession& session, SegmentAccess access) {
        return std::move(session.client.call(open_segment_request("ledger", access)).value());
    }

    std::unique_ptr<LiveAdapter> adapter;
};

TEST_F(SegmentReader, CannotWriteWhatItHasMapped) {
    RawSession writer(adapter->socket(), "writer");
    const auto written = open(writer, SegmentAccess::write);
    auto memory = platform::Mapping::map(written.descriptor.get(), kSize).value();
    std::memcpy(memory.data(), "first", 5);
    as_reader([](RawSession& session) {
        const auto opened = open(session, SegmentAccess::read);
        ASSERT_TRUE(opened.ok()) << opened.text();
        ASSERT_EQ(opened.as<abi::OpenSegmentReply>().manner,
                  static_cast<std::uint32_t>(SegmentManner::descriptor));
        const int fd = opened.descriptor.get();
        ASSERT_GE(fd, 0);
        auto mapping =
            platform::Mapping::map(fd, kSize, 0, platform::Mapping::Protection::read_only);
        ASSERT_TRUE(mapping.has_value()) << mapping.error().text;
        EXPECT_EQ(std::memcmp(mapping->data(), "first", 5), 0);

        EXPECT_EQ(::mprotect(mapping->data(), kSize, PROT_READ | PROT_WRITE), -1);
        EXPECT_EQ(errno, EACCES);
        EXPECT_EQ(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
        EXPECT_EQ(errno, EACCES);
        const std::string path = "/proc/self/fd/" + std::to_string(fd);
        EXPECT_EQ(::open(path.c_str(), O_RDWR), -1);
        EXPECT_EQ(errno, EACCES);
        EXPECT_EQ(::open(path.c_str(), O_WRONLY), -1);
        EXPECT_EQ(::open(path.c_str(), O_RDONLY | O_TRUNC), -1);
        EXPECT_EQ(::fchmod(fd, 0666), -1);
        EXPECT_EQ(errno, EPERM);
        EXPECT_EQ(::chmod(path.c_str(), 0666), -1);
        EXPECT_EQ(::fchown(fd, kOther, kOther), -1);
        EXPECT_EQ(::truncate(path.c_str(), 0), -1);
        EXPECT_EQ(::ftruncate(fd, 0), -1);
        EXPECT_EQ(::pwrite(fd, "x", 1, 0), -1);
        EXPECT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
        EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
        EXPECT_EQ(open(session, SegmentAccess::write).code(), ErrorCode::denied);
    });
    EXPECT_EQ(std::memcmp(memory.data(), "first", 5), 0);
}

TEST_F(SegmentReader, WithCapabilitiesOrTheAdaptersUserInItsNamespaceGetsCopies) {
    in_child([&] {
        ASSERT_EQ(::chdir(adapter->entrance("a").c_str()), 0);
        ASSERT_EQ(::prctl(PR_SET_KEEPCAPS, 1), 0);  // permitted, if not effective
        ASSERT_EQ(::setresuid(kOther, kOther, kOther), 0);
        RawSession session("fabric.sock", "a");
        const auto opened = open(session, SegmentAccess::read);
        ASSERT_TRUE(opened.ok()) << opened.text();
        EXPECT_FALSE(opened.descriptor);
        EXPECT_EQ(opened.as<abi::OpenSegmentReply>().manner,
                  static_cast<std::uint32_t>(SegmentManner::copies));
    });
    // A namespace in which the adapter's user is there, too: its root may write that one's files.
    in_child([&] {
        ASSERT_EQ(::chdir(adapter->entrance("a").c_str()), 0);
        // Only who has stayed outside may map more than one user.
        int unshared[2];
        ASSERT_EQ(::pipe(unshared), 0);
        const pid_t outside = ::fork();
        if (outside == 0) {
            char word = 0;
            const bool told = ::read(unshared[0], &word, 1) == 1 && word == 'y';
            std::ofstream map("/proc/" + std::to_string(::getppid()) + "/uid_map");
            ::_exit(told && (map << "0 0 100000" << std::flush) ? 0 : kSkipped);
        }
        const bool alone = ::unshare(CLONE_NEWUSER) == 0;
        ASSERT_EQ(::write(unshared[1], alone ? "y" : "n", 1), 1);
        int status = 0;
        ASSERT_EQ(::waitpid(outside, &status, 0), outside);
        if (status != 0)
            ::_exit(kSkipped);
        ASSERT_EQ(::setresuid(kOther, kOther, kOther), 0);
        RawSession session("fabric.sock", "a");
        EXPECT_FALSE(open(session, SegmentAccess::read).descriptor);
    });
}

TEST_F(SegmentReader, WhoeverIsNotNamedIsDenied) {
    RawSession stranger(adapter->entrance("b") + "/fabric.sock", "b");
    EXPECT_EQ(open(stranger, SegmentAccess::read).code(), ErrorCode::denied);
    EXPECT_EQ(open(stranger, SegmentAccess::write).code(), ErrorCode::denied);
    // The name is the entrance's: the open one does not give it.
    RawClient pretender(adapter->socket());
    EXPECT_FALSE(pretender.call(attach_request("a"))->ok());
}

// Its memory stays there for the others: they see zeros, and neither side faults.
TEST_F(SegmentReader, HolesOfAWriterCostNobodyAnything) {
    RawSession writer(adapter->socket(), "writer");
    const auto written = open(writer, SegmentAccess::write);
    auto memory = platform::Mapping::map(written.descriptor.get(), kSize).value();
    std::memset(memory.data(), 7, kSize);
    RawSession copier(adapter->entrance("a") + "/fabric.sock",
                      "a");  // of the adapter's uid: by copies
    const auto opened = open(copier, SegmentAccess::read).as<abi::OpenSegmentReply>();
    ASSERT_EQ(opened.manner, static_cast<std::uint32_t>(SegmentManner::copies));
    const auto file = region_file(kSize);
    const auto region =
        copier.client.call(register_request(kSize), file.get())->as<abi::RegisterReply>();
    const auto mine = platform::Mapping::map(file.get(), kSize).value();
    auto copy = control::make<abi::CopySegmentRequest>(abi::Request::copy_segment, 13);
    copy.segment = opened.segment;
    copy.length = kSize;
    copy.handle = region.handle;
    copy.generation = region.generation;
    copy.address = 0x10000;
    ASSERT_TRUE(copier.client.call(copy)->ok());
    EXPECT_EQ(mine.data()[kSize - 1], std::byte{7});
    // In the segment, and in the region that it is copied to.
    for (const int fd : {written.descriptor.get(), file.get()}) {
        ASSERT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kSize), 0);
        const auto reply = copier.client.call(copy);
        ASSERT_TRUE(reply.has_value());
        EXPECT_TRUE(reply->ok()) << reply->text();
        EXPECT_EQ(mine.data()[kSize - 1], std::byte{0});
    }
    EXPECT_EQ(::ftruncate(written.descriptor.get(), 0), -1);
    EXPECT_TRUE(adapter->alive());
}

}  // namespace
}  // namespace causeway::test
