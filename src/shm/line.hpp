// One cache line of shared memory, moved as eight words: the only way in which descriptors and
// completions enter or leave rings.
//
// Every word is a relaxed atomic access, so that a peer that writes at the same moment can make the
// content wrong but never the behaviour undefined; the first word carries the phase and is the one
// that publishes.
#pragma once

#include <array>
#include <bit>
#include <causeway/abi/descriptor.hpp>
#include <cstddef>
#include <cstdint>

namespace causeway::shm {

using Line = std::array<std::uint64_t, 8>;
static_assert(sizeof(Line) == abi::kCacheLine);
static_assert(std::endian::native == std::endian::little,
              "the phase byte is taken from the first word");

[[nodiscard]] inline std::uint64_t load_first(const std::byte* slot) noexcept {
    return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(slot), __ATOMIC_ACQUIRE);
}

[[nodiscard]] constexpr std::uint8_t phase_of(std::uint64_t first) noexcept {
    return static_cast<std::uint8_t>(first >> 24);
}

// Copies a slot once into private memory; `first` was loaded before, with acquire.
template<typename T>
[[nodiscard]] inline T snapshot(const std::byte* slot, std::uint64_t first) noexcept {
    static_assert(sizeof(T) == sizeof(Line));
    const auto* words = reinterpret_cast<const std::uint64_t*>(slot);
    Line line;
    line[0] = first;
    for (std::size_t i = 1; i < line.size(); ++i) {
        line[i] = __atomic_load_n(words + i, __ATOMIC_RELAXED);
    }
    return std::bit_cast<T>(line);
}

// Stores all but the first word.
inline void store_body(std::byte* slot, const Line& line, std::size_t words = 8) noexcept {
    auto* to = reinterpret_cast<std::uint64_t*>(slot);
    for (std::size_t i = 1; i < words; ++i)
        __atomic_store_n(to + i, line[i], __ATOMIC_RELAXED);
}

// SYNC(slot-published): release; pairs with the acquire in load_first. Forbids a reader to see the
// phase of this lap with the body of the lap before.
inline void store_first(std::byte* slot, std::uint64_t first) noexcept {
    __atomic_store_n(reinterpret_cast<std::uint64_t*>(slot), first, __ATOMIC_RELEASE);
}

}  // namespace causeway::shm
