// Copy kernels: the ways in which this processor can move bytes.
//
// Which one is quickest depends on where the lines stand and who reads them next: copy_plan.hpp
// holds what was measured, copy_pace.hpp chooses. docs/adr/0004-copy-kernels.md has the figures.
//
// Threading: all functions may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace causeway::engine {

// Vector kernels store through the caches, non-temporal ones around them, each in three widths.
enum class CopyKernel : std::uint8_t {
    cached,  // the C library's
    rep_movsb,
    vector_sse2,
    vector_avx,
    vector_avx512,
    nontemporal_sse2,
    nontemporal_avx,
    nontemporal_avx512,
};
inline constexpr int kCopyKernels = 8;

// "cached", "vector_avx", ...: in files and listings.
[[nodiscard]] const char* name(CopyKernel kernel) noexcept;
[[nodiscard]] std::optional<CopyKernel> copy_kernel_named(std::string_view name) noexcept;

// Those that this processor has, in the order of the enum; `cached` is always among them.
[[nodiscard]] std::span<const CopyKernel> copy_kernels() noexcept;
[[nodiscard]] bool runs_here(CopyKernel kernel) noexcept;
[[nodiscard]] constexpr bool is_nontemporal(CopyKernel kernel) noexcept {
    return kernel >= CopyKernel::nontemporal_sse2;
}

// Copies `length` bytes with a kernel that runs here. What was stored is visible to whoever
// acquires a later release, whichever kernel it was. Areas that overlap (a partition that is its
// own peer) give unspecified bytes in the target and touch nothing else.
void copy(std::byte* to, const std::byte* from, std::size_t length, CopyKernel kernel) noexcept;

// After a copy that was left in the middle by a fault: orders what it has stored before any later
// release, as copy() does at its end.
void settle_stores() noexcept;

}  // namespace causeway::engine
