// Strong types: a number that cannot be taken for another kind of number.
//
// Invariants:
//  1. Nothing converts implicitly, neither in nor out; value() is the only way out.
//  2. Strong<Tag, Rep> has the size and alignment of Rep.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

namespace causeway {

template<typename Tag, typename Rep>
class Strong {
    static_assert(std::is_integral_v<Rep>);

public:
    using Representation = Rep;

    constexpr Strong() noexcept = default;
    constexpr explicit Strong(Rep value) noexcept : value_(value) {}
    // No silent narrowing: Handle{some_uint64} does not compile.
    template<typename Other>
    requires(std::is_integral_v<Other> && !std::is_same_v<Other, Rep> &&
             sizeof(Other) > sizeof(Rep)) explicit Strong(Other) = delete;

    [[nodiscard]] constexpr Rep value() const noexcept { return value_; }
    [[nodiscard]] constexpr auto operator<=>(const Strong&) const noexcept = default;

private:
    Rep value_ = 0;
};

using Handle = Strong<struct HandleTag, std::uint32_t>;          // slot of a memory handle
using Generation = Strong<struct GenerationTag, std::uint32_t>;  // of a handle; never 0
using NetworkId = Strong<struct NetworkIdTag, std::uint32_t>;    // a region in the adapter's table
using SessionId = Strong<struct SessionIdTag, std::uint32_t>;    // an attached partition
using QueuePairId = Strong<struct QueuePairIdTag, std::uint32_t>;
using DoorbellId = Strong<struct DoorbellIdTag, std::uint32_t>;
using ListenerId = Strong<struct ListenerIdTag, std::uint32_t>;
using Offset = Strong<struct OffsetTag, std::uint64_t>;  // from the start of a region, bytes
using Length = Strong<struct LengthTag, std::uint64_t>;  // bytes

// Design section 4, rule 2: does [offset, offset+length) lie within `size` bytes?
[[nodiscard]] constexpr bool within(Offset offset, Length length, Length size) noexcept {
    return length.value() <= size.value() && offset.value() <= size.value() - length.value();
}

}  // namespace causeway

template<typename Tag, typename Rep>
struct std::hash<causeway::Strong<Tag, Rep>> {
    [[nodiscard]] std::size_t operator()(causeway::Strong<Tag, Rep> strong) const noexcept {
        return std::hash<Rep>{}(strong.value());
    }
};
