#include "base/strong.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <type_traits>
#include <unordered_set>

namespace causeway {
namespace {

static_assert(!std::is_convertible_v<std::uint32_t, Handle>);
static_assert(!std::is_convertible_v<Handle, std::uint32_t>);
static_assert(!std::is_constructible_v<Handle, Generation>);
static_assert(!std::is_constructible_v<Handle, std::uint64_t>, "no narrowing");
static_assert(std::is_constructible_v<Handle, std::uint32_t>);
static_assert(std::is_constructible_v<Offset, std::uint32_t>, "widening is harmless");
static_assert(sizeof(Handle) == 4 && sizeof(Offset) == 8);
static_assert(std::is_trivially_copyable_v<Handle>);

TEST(Strong, ComparesByValue) {
    EXPECT_EQ(Handle{3}, Handle{3});
    EXPECT_NE(Handle{3}, Handle{4});
    EXPECT_LT(Offset{3}, Offset{4});
    EXPECT_EQ(Handle{}.value(), 0u);
}

TEST(Strong, CanBeAKey) {
    const std::unordered_set<NetworkId> ids{NetworkId{1}, NetworkId{2}, NetworkId{1}};
    EXPECT_EQ(ids.size(), 2u);
    EXPECT_TRUE(ids.contains(NetworkId{2}));
    EXPECT_FALSE(ids.contains(NetworkId{3}));
}

TEST(Strong, WithinRefusesWhatWraps) {
    const Length size{4096};
    EXPECT_TRUE(within(Offset{0}, Length{4096}, size));
    EXPECT_TRUE(within(Offset{4096}, Length{0}, size));
    EXPECT_TRUE(within(Offset{4095}, Length{1}, size));
    EXPECT_FALSE(within(Offset{4095}, Length{2}, size));
    EXPECT_FALSE(within(Offset{4097}, Length{0}, size));
    EXPECT_FALSE(within(Offset{0}, Length{4097}, size));
    EXPECT_FALSE(within(Offset{UINT64_MAX}, Length{2}, size)) << "offset + length wraps to 1";
    EXPECT_FALSE(within(Offset{1}, Length{UINT64_MAX}, size)) << "offset + length wraps to 0";
    EXPECT_FALSE(within(Offset{UINT64_MAX - 1}, Length{UINT64_MAX}, size));
    EXPECT_TRUE(within(Offset{0}, Length{UINT64_MAX}, Length{UINT64_MAX}));
}

}  // namespace
}  // namespace causeway
