// Named segments by the C ABI, with an adapter that the test plays.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "client_world.hpp"
#include "platform/memfd.hpp"

namespace causeway::test {
namespace {

constexpr std::uint64_t kSize = 1 << 16;

[[nodiscard]] abi::OpenSegmentReply terms(abi::SegmentAccess access, abi::SegmentManner manner) {
    abi::OpenSegmentReply reply{};
    reply.segment = 3;
    reply.access = static_cast<std::uint32_t>(access);
    reply.size = kSize;
    reply.manner = static_cast<std::uint32_t>(manner);
    return reply;
}
[[nodiscard]] abi::OpenSegmentReply written() {
    return terms(abi::SegmentAccess::write, abi::SegmentManner::descriptor);
}
[[nodiscard]] abi::OpenSegmentReply copied() {
    return terms(abi::SegmentAccess::read, abi::SegmentManner::copies);
}

struct CloseSegment {
    void operator()(cw_segment* s) const { (void)!cw_segment_close(s); }
};
using OwnedSegment = std::unique_ptr<cw_segment, CloseSegment>;

class SegmentTest : public ClientTest {
protected:
    [[nodiscard]] static platform::UniqueFd sealed(std::uint64_t size = kSize) {
        return platform::create_memfd("fake-segment", size, platform::kSizeSeals).value();
    }
    [[nodiscard]] int open(cw_segment_access access, OwnedSegment& out) {
        cw_segment* raw = nullptr;
        const int code = cw_segment_open(partition.get(), "ledger", access, &raw);
        out.reset(raw);
        return code;
    }
    OwnedSegment segment;
};

TEST_F(SegmentTest, WriterHasItMapped) {
    auto file = sealed();
    const auto other = platform::Mapping::map(file.get(), kSize).value();
    adapter.give_segment(written(), std::move(file));
    must(open(CW_SEGMENT_WRITE, segment));
    EXPECT_STREQ(cw_segment_name(segment.get()), "ledger");
    EXPECT_EQ(cw_segment_size(segment.get()), kSize);
    EXPECT_EQ(cw_segment_writable(segment.get()), 1);
    std::memcpy(cw_segment_data(segment.get()), "shared", 6);
    EXPECT_EQ(std::memcmp(other.data(), "shared", 6), 0);
    must(cw_segment_read(segment.get(), 2, memory.get(), 100, 4));
    EXPECT_EQ(std::memcmp(bytes(100), "ared", 4), 0);
    EXPECT_EQ(adapter.count(abi::Request::copy_segment), 0) << "what is mapped needs nobody";
}

TEST_F(SegmentTest, ReaderHasItMappedReadOnly) {
    auto file = sealed();
    adapter.give_segment(terms(abi::SegmentAccess::read, abi::SegmentManner::descriptor),
                         std::move(file));
    must(open(CW_SEGMENT_READ, segment));
    EXPECT_EQ(cw_segment_writable(segment.get()), 0);
    void* const data = cw_segment_data(segment.get());
    ASSERT_NE(data, nullptr);
    EXPECT_DEATH(*static_cast<volatile char*>(data) = 1, "");
}

TEST_F(SegmentTest, CopiesAreAskedForInStepsWithTheRegionsIdentity) {
    adapter.give_segment({}, {});
    auto large = copied();
    large.size = 4 << 20;
    adapter.give_segment(large, {});
    must(open(CW_SEGMENT_READ, segment));
    EXPECT_EQ(cw_segment_data(segment.get()), nullptr);
    const auto region = allocate(3 << 20);
    must(cw_segment_read(segment.get(), 4096, region.get(), 64, (2 << 20) + 5));
    const auto asked = adapter.copies();
    ASSERT_EQ(asked.size(), 3u);
    const cw_remote start = cw_region_remote(region.get(), 64);
    EXPECT_EQ(asked[0].segment, 3u);
    EXPECT_EQ(asked[0].handle, start.handle);
    EXPECT_EQ(asked[0].generation, start.generation);
    EXPECT_EQ(asked[0].address, start.address);
    EXPECT_EQ(asked[0].offset, 4096u);
    EXPECT_EQ(asked[0].length, abi::kMostSegmentCopy);
    EXPECT_EQ(asked[2].offset, 4096u + (2 << 20));
    EXPECT_EQ(asked[2].address, start.address + (2 << 20));
    EXPECT_EQ(asked[2].length, 5u);
}

TEST_F(SegmentTest, BoundsAreCheckedBeforeAnybodyIsAsked) {
    adapter.give_segment(copied(), {});
    must(open(CW_SEGMENT_READ, segment));
    const struct {
        std::uint64_t offset;
        std::size_t at, length;
    } bad[] = {{kSize, 0, 1},       {0, 0, kSize + 1},      {UINT64_MAX, 0, 2},
               {0, kSize, 1},       {0, SIZE_MAX, 2},       {1, 0, kSize},
               {0, kSize - 1, 100}, {UINT64_MAX - 1, 0, 4}, {0, 0, SIZE_MAX}};
    for (const auto& one : bad) {
        EXPECT_EQ(cw_segment_read(segment.get(), one.offset, memory.get(), one.at, one.length),
                  CW_ERROR_INVALID_ARGUMENT);
    }
    EXPECT_EQ(adapter.count(abi::Request::copy_segment), 0);
}

TEST_F(SegmentTest, AnswersThatDoNotFitAreRefused) {
    const auto refused = [&](const abi::OpenSegmentReply& reply, platform::UniqueFd file,
                             cw_segment_access access) {
        adapter.give_segment(reply, std::move(file));
        EXPECT_EQ(open(access, segment), CW_ERROR_PROTOCOL) << cw_error_text();
        EXPECT_EQ(segment, nullptr);
    };
    refused(written(), sealed(kSize / 2), CW_SEGMENT_WRITE);
    refused(written(), sealed(2 * kSize), CW_SEGMENT_WRITE);
    refused(written(), platform::create_memfd("unsealed", kSize, 0).value(), CW_SEGMENT_WRITE);
    refused(written(), sealed(), CW_SEGMENT_READ);
    refused(written(), {}, CW_SEGMENT_WRITE);
    refused(copied(), sealed(), CW_SEGMENT_READ);
    refused(copied(), {}, CW_SEGMENT_WRITE);
    auto empty = copied();
    empty.size = 0;
    refused(empty, {}, CW_SEGMENT_READ);
    EXPECT_EQ(open(static_cast<cw_segment_access>(3), segment), CW_ERROR_INVALID_ARGUMENT);
}

TEST_F(SegmentTest, ClosingUnmapsAndTellsTheAdapter) {
    adapter.give_segment(written(), sealed());
    must(open(CW_SEGMENT_WRITE, segment));
    void* const data = cw_segment_data(segment.get());
    must(cw_segment_close(segment.release()));
    EXPECT_EQ(adapter.count(abi::Request::close_segment), 1);
    unsigned char vector[kSize / 4096];
    EXPECT_EQ(::mincore(data, kSize, vector), -1) << "nothing is mapped there any more";
}

TEST_F(SegmentTest, ForkedChildDoesNotHaveIt) {
    adapter.give_segment(written(), sealed());
    must(open(CW_SEGMENT_WRITE, segment));
    void* const data = cw_segment_data(segment.get());
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        unsigned char vector[kSize / 4096];
        const bool gone = ::mincore(data, kSize, vector) != 0;
        const bool told = cw_segment_data(segment.get()) == nullptr &&
                          cw_segment_check(segment.get()) == CW_ERROR_FORKED &&
                          cw_segment_close(segment.release()) == CW_ERROR_FORKED;
        ::_exit(gone && told ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    std::memset(cw_segment_data(segment.get()), 1, kSize);
}

TEST_F(SegmentTest, IsHandedToTheNextAdapter) {
    adapter.journal = true;
    partition = attach("returner", 20'000'000'000);
    adapter.give_segment(written(), sealed());
    must(open(CW_SEGMENT_WRITE, segment));
    adapter.die();
    adapter.start_again();
    must(cw_segment_close(segment.release()));  // while away: it is not told, and not handed over
    adapter.give_segment(written(), sealed());
    must(open(CW_SEGMENT_WRITE, segment));
    adapter.die();
    adapter.start_again();
    OwnedSegment second;
    must(open(CW_SEGMENT_READ, second) == CW_ERROR_PROTOCOL ? CW_OK : 1);  // waits for the return
    const auto handed = adapter.handed_over();
    ASSERT_FALSE(handed.empty());
    EXPECT_EQ(std::count(handed.begin(), handed.end(), "segment 3"), 1);
    EXPECT_EQ(handed.back(), "done");
}

TEST_F(SegmentTest, NullIsAnError) {
    cw_segment* out = nullptr;
    EXPECT_EQ(cw_segment_open(nullptr, "x", CW_SEGMENT_READ, &out), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_segment_open(partition.get(), nullptr, CW_SEGMENT_READ, &out),
              CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_segment_open(partition.get(), "x", CW_SEGMENT_READ, nullptr),
              CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_segment_open(partition.get(), "a b", CW_SEGMENT_READ, &out),
              CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_segment_close(nullptr), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_segment_read(nullptr, 0, memory.get(), 0, 1), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_segment_check(nullptr), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(cw_segment_data(nullptr), nullptr);
    EXPECT_EQ(cw_segment_size(nullptr), 0u);
    EXPECT_EQ(cw_segment_writable(nullptr), 0);
    EXPECT_STREQ(cw_segment_name(nullptr), "");
}

}  // namespace
}  // namespace causeway::test
