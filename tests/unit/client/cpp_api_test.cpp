// The header-only C++ layer by itself: how options are written, what a batch costs.
#include <causeway/causeway.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <new>
#include <type_traits>

namespace causeway {
namespace {

struct Seen {
    bool has_immediate;
    std::uint32_t immediate;
    bool signaled;
    bool fence;
    bool operator==(const Seen&) const = default;
};

// As post_send() and the others take them.
Seen given(PostOptions options = {}) {
    return {options.immediate.has_value(), options.immediate ? options.immediate->value : 0,
            options.signaled, options.fence};
}

TEST(PostOptions, CanBeWrittenInEveryCombination) {
    EXPECT_EQ(given(), (Seen{false, 0, true, false}));
    EXPECT_EQ(given({}), (Seen{false, 0, true, false}));
    EXPECT_EQ(given(Immediate{7}), (Seen{true, 7, true, false}));
    EXPECT_EQ(given({Immediate{7}}), (Seen{true, 7, true, false}));
    EXPECT_EQ(given({.immediate = Immediate{7}}), (Seen{true, 7, true, false}));
    EXPECT_EQ(given({.signaled = false}), (Seen{false, 0, false, false}));
    EXPECT_EQ(given({.fence = true}), (Seen{false, 0, true, true}));
    EXPECT_EQ(given({.immediate = Immediate{7}, .signaled = false}), (Seen{true, 7, false, false}));
    EXPECT_EQ(given({.immediate = Immediate{7}, .fence = true}), (Seen{true, 7, true, true}));
    EXPECT_EQ(given({.signaled = false, .fence = true}), (Seen{false, 0, false, true}));
    EXPECT_EQ(given({.immediate = Immediate{7}, .signaled = false, .fence = true}),
              (Seen{true, 7, false, true}));
}

TEST(PostOptions, AreMadeFromAnImmediateAsBefore) {
    const PostOptions copied = Immediate{7};
    EXPECT_EQ(given(copied), (Seen{true, 7, true, false}));
    const PostOptions direct(Immediate{7});
    EXPECT_EQ(given(direct), (Seen{true, 7, true, false}));
    const PostOptions braced{Immediate{7}};
    EXPECT_EQ(given(braced), (Seen{true, 7, true, false}));
    PostOptions later;
    later.immediate = Immediate{7};
    later.signaled = false;
    EXPECT_EQ(given(later), (Seen{true, 7, false, false}));
    static_assert(std::is_convertible_v<Immediate, PostOptions>);
    static_assert(!std::is_convertible_v<int, PostOptions>);
}

constexpr std::byte kUntouched{0xab};

// Not to be looked into by the optimiser, which else knows that what lay there before is lost.
[[gnu::noinline]] CompletionBatch* poll_into(std::byte* place) {
    CompletionQueue none;  // a queue that was moved from, or never made
    return ::new (place) CompletionBatch(none.poll());
}

TEST(CompletionBatch, APollWritesNoMoreThanItFound) {
    alignas(CompletionBatch) static std::array<std::byte, sizeof(CompletionBatch)> place;
    place.fill(kUntouched);
    const volatile std::byte* const bytes = place.data();
    const CompletionBatch* const batch = poll_into(place.data());
    EXPECT_TRUE(batch->empty());
    EXPECT_EQ(batch->begin(), batch->end());
    EXPECT_EQ(batch->error(), ErrorCode::invalid_argument) << "no queue";
    std::size_t written = 0;
    for (std::size_t i = 0; i < place.size(); ++i)
        written += bytes[i] == kUntouched ? 0 : 1;
    EXPECT_LE(written, 2 * sizeof(int)) << "of " << place.size();
}

TEST(CompletionBatch, IsCopiedAsAValue) {
    static_assert(std::is_trivially_copyable_v<CompletionBatch>);
    CompletionQueue none;
    const CompletionBatch first = none.wait(std::chrono::nanoseconds(0));
    CompletionBatch second = first;
    second = first;
    EXPECT_EQ(second.size(), 0u);
    EXPECT_EQ(second.error(), first.error());
}

}  // namespace
}  // namespace causeway
