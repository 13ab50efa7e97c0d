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

inline constexpr int kPhaseShift = 24;

[[nodiscard]] constexpr std::uint8_t phase_of(std::uint64_t first) noexcept {
    return static_cast<std::uint8_t>(first >> kPhaseShift);
}

// The first word of a completion, without its phase.
[[nodiscard]] constexpr std::uint64_t completion_head(std::uint8_t status, std::uint8_t opcode,
                                                      std::uint8_t flags,
                                                      std::uint32_t slot) noexcept {
    return std::uint64_t{status} | std::uint64_t{opcode} << 8 | std::uint64_t{flags} << 16 |
           std::uint64_t{slot} << 32;
}
// The first word of a descriptor, without its phase.
[[nodiscard]] constexpr std::uint64_t descriptor_head(std::uint8_t opcode, std::uint8_t flags,
                                                      std::uint8_t segments) noexcept {
    return std::uint64_t{opcode} | std::uint64_t{flags} << 8 | std::uint64_t{segments} << 16;
}
// Two fields that share a word.
[[nodiscard]] constexpr std::uint64_t word_of(std::uint32_t low, std::uint32_t high) noexcept {
    return low | std::uint64_t{high} << 32;
}

[[nodiscard]] inline std::uint64_t load_word(const std::byte* slot, std::size_t i) noexcept {
    return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(slot) + i, __ATOMIC_RELAXED);
}

inline void store_word(std::byte* slot, std::size_t i, std::uint64_t word) noexcept {
    __atomic_store_n(reinterpret_cast<std::uint64_t*>(slot) + i, word, __ATOMIC_RELAXED);
}

// Copies a slot once into private memory; `first` was loaded before, with acquire.
template<typename T>
[[nodiscard]] inline T snapshot(const std::byte* slot, std::uint64_t first) noexcept {
    static_assert(sizeof(T) == sizeof(Line));
    const auto* words = reinterpret_cast<const std::uint64_t*>(slot);
    Line line;
    line[0] = first;
#pragma GCC unroll 8
    for (std::size_t i = 1; i < line.size(); ++i) {
        line[i] = __atomic_load_n(words + i, __ATOMIC_RELAXED);
    }
    return std::bit_cast<T>(line);
}

// Stores all but the first word.
inline void store_body(std::byte* slot, const Line& line) noexcept {
#pragma GCC unroll 8
    for (std::size_t i = 1; i < line.size(); ++i)
        store_word(slot, i, line[i]);
}

// SYNC(slot-published): release; pairs with the acquire in load_first. Forbids a reader to see the
// phase of this lap with the body of the lap before.
inline void store_first(std::byte* slot, std::uint64_t first) noexcept {
    __atomic_store_n(reinterpret_cast<std::uint64_t*>(slot), first, __ATOMIC_RELEASE);
}

}  // namespace causeway::shm
