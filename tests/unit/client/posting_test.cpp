#include "client/posting.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "client/last_error.hpp"
#include "engine/format.hpp"

namespace causeway::client {
namespace {

using abi::Opcode;

class Posting : public testing::Test {
protected:
    Posting() {
        const auto base = reinterpret_cast<std::uintptr_t>(memory_.data());
        regions_.insert(11, {base, memory_.size(), base});
        regions_.insert(12, {base, memory_.size(), 0});  // the same, zero-based
    }
    [[nodiscard]] cw_slice slice(std::size_t offset, std::uint32_t length,
                                 std::uint32_t handle = 11) {
        return {memory_.data() + offset, length, handle};
    }
    [[nodiscard]] ErrorCode check(const std::vector<cw_slice>& slices) {
        return check_slices(regions_, slices.data(), static_cast<std::uint32_t>(slices.size()),
                            gather_);
    }

    std::vector<char> memory_ = std::vector<char>(8192, 'm');
    RegionIndex regions_;
    Gather gather_;
};

TEST_F(Posting, TakesSlicesUpToTheLastByte) {
    EXPECT_EQ(check({slice(0, 8192)}), ErrorCode::none);
    EXPECT_EQ(check({slice(8191, 1)}), ErrorCode::none);
    EXPECT_EQ(check({slice(8192, 1)}), ErrorCode::invalid_argument);
    EXPECT_EQ(check({slice(8191, 2)}), ErrorCode::invalid_argument);
    EXPECT_EQ(check({slice(0, 8193)}), ErrorCode::invalid_argument);
    EXPECT_EQ(check({slice(1, std::numeric_limits<std::uint32_t>::max())}),
              ErrorCode::invalid_argument);
}

TEST_F(Posting, RefusesAddressesThatWrapAround) {
    cw_slice before = slice(0, 1);
    before.address = memory_.data() - 1;
    EXPECT_EQ(check({before}), ErrorCode::invalid_argument);
    EXPECT_NE(std::string(last_error_text()).find("1 bytes before its region"), std::string::npos)
        << last_error_text();
    before.address = nullptr;
    EXPECT_EQ(check({before}), ErrorCode::invalid_argument);
    before.address = reinterpret_cast<void*>(UINTPTR_MAX);  // NOLINT(performance-no-int-to-ptr)
    before.length = 4096;
    EXPECT_EQ(check({before}), ErrorCode::invalid_argument);
}

TEST_F(Posting, SaysByHowMuchASliceIsTooLong) {
    EXPECT_EQ(check({slice(0, 16), slice(8000, 200)}), ErrorCode::invalid_argument);
    EXPECT_STREQ(last_error_text(),
                 "a slice ends 8 bytes past the end of its region of 8192 bytes");
}

TEST_F(Posting, RefusesUnknownAndRemovedHandles) {
    EXPECT_EQ(check({slice(0, 1, 99)}), ErrorCode::invalid_argument);
    EXPECT_EQ(check({slice(0, 1, 0)}), ErrorCode::invalid_argument);
    regions_.remove(11);
    EXPECT_EQ(check({slice(0, 1)}), ErrorCode::invalid_argument);
}

TEST_F(Posting, RefusesTooManySlicesAndTooManyBytes) {
    EXPECT_EQ(check(std::vector(32, slice(0, 1))), ErrorCode::none);
    EXPECT_EQ(check(std::vector(33, slice(0, 1))), ErrorCode::invalid_argument);
    EXPECT_EQ(check_slices(regions_, nullptr, 1, gather_), ErrorCode::invalid_argument);
    EXPECT_EQ(check_slices(regions_, nullptr, 0, gather_), ErrorCode::none);
    // 32 slices of 128 MiB in a region that is only said to be that large: 2^32 bytes.
    constexpr std::uint32_t big = 1U << 27;
    regions_.insert(13, {reinterpret_cast<std::uintptr_t>(memory_.data()), big, 0});
    std::vector<cw_slice> slices(32, cw_slice{memory_.data(), big, 13});
    EXPECT_EQ(check(slices), ErrorCode::invalid_argument);
    slices.back().length -= 1;
    EXPECT_EQ(check(slices), ErrorCode::none);
    EXPECT_EQ(gather_.length, 0xffffffffU);
}

TEST_F(Posting, LeavesEmptySlicesOut) {
    EXPECT_EQ(check({slice(0, 0), slice(5, 7), cw_slice{nullptr, 0, 77}}), ErrorCode::none);
    EXPECT_EQ(gather_.count, 1U);
    EXPECT_EQ(gather_.length, 7U);
    EXPECT_EQ(entries_of(gather_, Inlining::never), 1U);
}

TEST_F(Posting, AddressesCountFromTheRegisteredBase) {
    ASSERT_EQ(check({slice(100, 50, 11), slice(100, 50, 12)}), ErrorCode::none);
    EXPECT_EQ(gather_.list[0].address, reinterpret_cast<std::uintptr_t>(memory_.data()) + 100);
    EXPECT_EQ(gather_.list[1].address, 100U);
}

// Whatever build() makes, the engine takes it for well-formed and reads the same list from it.
TEST_F(Posting, BuildsWhatTheEngineAccepts) {
    std::vector<std::byte> ring_memory(32 * abi::kCacheLine);
    for (std::uint32_t count = 0; count <= abi::kMaxGather; ++count) {
        for (const Opcode opcode : {Opcode::send, Opcode::write, Opcode::read, Opcode::append}) {
            std::vector<cw_slice> slices;
            for (std::uint32_t i = 0; i < count; ++i)
                slices.push_back(slice(i * 64, 33 + i));
            ASSERT_EQ(check(slices), ErrorCode::none);
            abi::ControlSegment head{};
            head.opcode = static_cast<std::uint8_t>(opcode);
            head.flags = abi::descriptor_flag::kSignaled | abi::descriptor_flag::kFence;
            head.id = 42;
            const abi::AddressSegment address =
                opcode == Opcode::send ? abi::AddressSegment{} : abi::AddressSegment{1, 2, 3};
            const Inlining inlining =
                opcode == Opcode::read ? Inlining::never : Inlining::when_small;
            const std::uint32_t entries = entries_of(gather_, inlining);
            // What stood there before must not shine through.
            abi::Descriptor chain[abi::kMaxChain];
            std::memset(static_cast<void*>(chain), 0xee, sizeof chain);
            build(head, address, gather_, inlining, chain);

            std::fill(ring_memory.begin(), ring_memory.end(), std::byte{0});
            shm::DescriptorProducer producer(ring_memory.data(), 32);
            producer.publish({chain, entries});
            const shm::DescriptorConsumer consumer(ring_memory.data(), 32);
            engine::Work work;
            ASSERT_EQ(engine::take_send(consumer, work), engine::Taken::work)
                << count << " slices, opcode " << static_cast<int>(opcode);
            EXPECT_EQ(work.descriptors, entries);
            EXPECT_EQ(work.length, gather_.length);
            EXPECT_EQ(work.control.id, 42U);
            EXPECT_EQ(work.remote.address, address.address);
            if (count == 0)
                continue;
            ASSERT_EQ(work.segments, count);
            for (std::uint32_t i = 0; i < count; ++i) {
                EXPECT_EQ(work.list[i].address, gather_.list[i].address);
                EXPECT_EQ(work.list[i].length, gather_.list[i].length);
                EXPECT_EQ(work.list[i].handle, 11U);
            }
        }
    }
}

TEST_F(Posting, GathersUpTo32BytesInline) {
    for (std::size_t i = 0; i < 64; ++i)
        memory_[i] = static_cast<char>('A' + i);
    ASSERT_EQ(check({slice(0, 3), slice(10, 4), slice(20, 25)}), ErrorCode::none);
    ASSERT_EQ(gather_.length, 32U);
    ASSERT_TRUE(goes_inline(gather_, Inlining::when_small));
    EXPECT_FALSE(goes_inline(gather_, Inlining::never));
    abi::Descriptor one;
    abi::ControlSegment head{};
    head.opcode = static_cast<std::uint8_t>(Opcode::send);
    build(head, {}, gather_, Inlining::when_small, {&one, 1});
    EXPECT_EQ(one.control.flags, abi::descriptor_flag::kInline);
    EXPECT_EQ(one.control.segments, 32U);
    const std::string expected = std::string(memory_.data(), 3) +
                                 std::string(memory_.data() + 10, 4) +
                                 std::string(memory_.data() + 20, 25);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(one.payload), 32), expected);

    ASSERT_EQ(check({slice(0, 33)}), ErrorCode::none);
    EXPECT_FALSE(goes_inline(gather_, Inlining::when_small));
}

}  // namespace
}  // namespace causeway::client
