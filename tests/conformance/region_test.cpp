// Regions: revocation, adoption, sizes, and what the system refuses.
#include <sys/mman.h>

#include <atomic>
#include <thread>

#include "conformance/fixture.hpp"

namespace causeway::test {
namespace {

class Regions : public Conformance {};

TEST_P(Regions, DeregisteringIsEffectiveWhenItReturns) {
    Pair pair = connect();
    for (int i = 0; i < 50; ++i) {
        Region region =
            b.partition.allocate(1 << 16, Access::remote_write | Access::exportable).value();
        const Remote remote = region.remote();
        pair.a.post_write(a.memory.slice(0, 4096), remote, 1).value();
        EXPECT_EQ(a.status_of(1), Status::success);
        region.close().value();
        pair.a.post_write(a.memory.slice(0, 4096), remote, 2).value();
        EXPECT_EQ(a.status_of(2), Status::remote_access);
        // The slot's next owner is not reached by the old handle.
        Region next =
            b.partition.allocate(1 << 16, Access::remote_write | Access::exportable).value();
        pair.a.post_write(a.memory.slice(0, 4096), remote, 3).value();
        EXPECT_EQ(a.status_of(3), Status::remote_access);
        EXPECT_EQ(next.data()[0], std::byte{0});
    }
}

TEST_P(Regions, DeregisteringDuringAMoveEndsIt) {
    if (direct())
        GTEST_SKIP() << "what was granted to a direct peer cannot be taken out of its hands";
    constexpr std::size_t kLarge = 256 << 20;
    Region source = a.partition.allocate(kLarge, Access::local).value();
    Pair pair = connect();
    for (int i = 0; i < 4; ++i) {
        Region target =
            b.partition.allocate(kLarge, Access::remote_write | Access::exportable).value();
        source.data()[0] = std::byte{1};
        pair.a.post_write(source.slice(0, kLarge), target.remote(), 1).value();
        while (reinterpret_cast<std::atomic<std::uint8_t>*>(target.data())->load() == 0) {}
        target.close().value();
        const Status status = a.status_of(1);
        EXPECT_TRUE(status == Status::remote_access || status == Status::success);
    }
    pair.b.post_receive(b.memory.slice(0, 64), 2).value();
    pair.a.post_send(a.memory.slice(0, 64), 3).value();
    EXPECT_EQ(b.status_of(2), Status::success);
    EXPECT_EQ(a.status_of(3), Status::success);
}

TEST_P(Regions, NarrowingIsEffectiveWhenItReturns) {
    Pair pair = connect();
    Region region =
        b.partition
            .allocate(1 << 16, Access::remote_write | Access::remote_read | Access::exportable)
            .value();
    const Remote remote = region.remote();
    pair.a.post_write(a.memory.slice(0, 4096), remote, 1).value();
    EXPECT_EQ(a.status_of(1), Status::success);
    const Reach reach = region.narrow(Access::remote_read | Access::exportable).value();
    EXPECT_EQ(reach, direct() ? Reach::granted_peers : Reach::nobody);
    pair.a.post_write(a.memory.slice(0, 4096), remote, 2).value();
    EXPECT_EQ(a.status_of(2), Status::remote_access);
    pair.a.post_read(a.memory.slice(0, 4096), remote, 3).value();
    EXPECT_EQ(a.status_of(3), Status::success) << "what it still has";
    const auto widened = region.narrow(Access::remote_write | Access::exportable);
    ASSERT_FALSE(widened.has_value());
    EXPECT_EQ(widened.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(widened.error().text.find("taken away"), std::string::npos);
    (void)region.narrow(Access::exportable).value();
    pair.a.post_read(a.memory.slice(0, 4096), remote, 4).value();
    EXPECT_EQ(a.status_of(4), Status::remote_access);
    EXPECT_EQ(region.deregister().value(), reach);
    region.data()[0] = std::byte{1};  // still its owner's
}

TEST_P(Regions, ALogStaysALog) {
    Region log = b.partition.allocate(1 << 16, Access::append | Access::exportable).value();
    EXPECT_EQ(log.narrow(Access::append).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(log.narrow(Access::exportable).value(), Reach::nobody);
}

TEST_P(Regions, NarrowingDuringAMoveEndsIt) {
    if (direct())
        GTEST_SKIP() << "what was granted to a direct peer cannot be taken out of its hands";
    constexpr std::size_t kLarge = 256 << 20;
    Region source = a.partition.allocate(kLarge, Access::local).value();
    std::memset(source.data(), 1, kLarge);
    Pair pair = connect();
    Region target = b.partition.allocate(kLarge, Access::remote_write).value();
    pair.a.post_write(source.slice(0, kLarge), target.remote(), 1).value();
    while (reinterpret_cast<std::atomic<std::uint8_t>*>(target.data())->load() == 0) {}
    (void)target.narrow(Access::local).value();
    // From here on nothing of it changes: it is written over, and stays so.
    std::memset(target.data(), 2, kLarge);
    const Status status = a.status_of(1);
    EXPECT_TRUE(status == Status::remote_access || status == Status::success) << name(status);
    EXPECT_EQ(std::memchr(target.data(), 1, kLarge), nullptr);
}

TEST_P(Regions, AdoptedMemoryKeepsAddressAndContent) {
    constexpr std::size_t kSize = 3 << 20;
    void* own = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(own, MAP_FAILED);
    std::memset(own, 7, kSize);
    Pair pair = connect();
    {
        Region region =
            b.partition
                .adopt(own, kSize,
                       {.access = Access::remote_write | Access::remote_read | Access::exportable})
                .value();
        EXPECT_EQ(region.data(), own);
        pair.a.post_read(a.memory.slice(0, kSize), region.remote(), 1).value();
        ASSERT_EQ(a.status_of(1), Status::success);
        EXPECT_EQ(std::memcmp(a.memory.data(), own, kSize), 0);
        std::memset(a.memory.data(), 9, 100);
        pair.a.post_write(a.memory.slice(0, 100), region.remote(500), 2).value();
        ASSERT_EQ(a.status_of(2), Status::success);
    }
    EXPECT_EQ(static_cast<unsigned char*>(own)[499], 7);
    EXPECT_EQ(static_cast<unsigned char*>(own)[500], 9);
    EXPECT_EQ(static_cast<unsigned char*>(own)[kSize - 1], 7);
    std::memset(own, 1, kSize);  // still the caller's to use
    EXPECT_EQ(::munmap(own, kSize), 0);
}

TEST_P(Regions, ZeroBasedAddressesCountFromZero) {
    Pair pair = connect();
    Region region = b.partition
                        .allocate(8192, {.access = Access::remote_write | Access::exportable,
                                         .zero_based = true})
                        .value();
    EXPECT_EQ(region.remote(100).address, 100U);
    a.fill(0, 64, 4);
    pair.a.post_write(a.memory.slice(0, 64), region.remote(100), 1).value();
    EXPECT_EQ(a.status_of(1), Status::success);
    EXPECT_EQ(region.data()[100], Party::pattern(4, 0));
}

TEST_P(Regions, WhatCannotBeHadIsAnErrorWithAText) {
    const auto empty = a.partition.allocate(0, Access::local);
    ASSERT_FALSE(empty);
    EXPECT_EQ(empty.error().code, ErrorCode::invalid_argument);
    const auto vast = a.partition.allocate(std::size_t{1} << 50, Access::local);
    ASSERT_FALSE(vast);
    EXPECT_FALSE(vast.error().text.empty());
    const auto overflowing = a.partition.allocate(SIZE_MAX - 5, Access::local);
    ASSERT_FALSE(overflowing);
    const auto rights = a.partition.allocate(4096, static_cast<Access>(0x80000000));
    ASSERT_FALSE(rights);
    EXPECT_EQ(rights.error().code, ErrorCode::invalid_argument);
    alignas(16) static char unaligned[8192];
    const auto adopted = a.partition.adopt(unaligned + 16, 4096, {});
    ASSERT_FALSE(adopted);
    EXPECT_EQ(adopted.error().code, ErrorCode::invalid_argument);
    // Huge pages: an error that says where to get them, or, where there are some, a region.
    const auto huge = a.partition.allocate(2 << 20, {.huge_pages = true});
    if (!huge) {
        EXPECT_NE(huge.error().text.find("nr_hugepages"), std::string::npos) << huge.error().text;
    }
}

TEST_P(Regions, SlicesOutsideARegionAreRefusedWhenPosted) {
    Pair pair = connect();
    const Slice past = a.memory.slice(Party::kMemory - 10, 11);
    EXPECT_EQ(pair.a.post_send(past, 1).error().code, ErrorCode::invalid_argument);
    Slice wild = a.memory.slice(0, 64);
    wild.address = reinterpret_cast<void*>(UINTPTR_MAX - 10);
    EXPECT_EQ(pair.a.post_send(wild, 1).error().code, ErrorCode::invalid_argument);
    wild = a.memory.slice(0, 64);
    wild.handle ^= 0x55;
    EXPECT_EQ(pair.a.post_receive(wild, 1).error().code, ErrorCode::invalid_argument);
}

CW_FOR_EVERY_EXECUTOR(Regions);

}  // namespace
}  // namespace causeway::test
