#include "kernels.hpp"

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace causeway::bench {
namespace {

#if defined(__x86_64__)

[[gnu::target("avx2")]] void stream_lines(std::byte* to, const std::byte* from,
                                          std::size_t lines) noexcept {
    for (; lines > 0; --lines, to += 64, from += 64) {
        const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32));
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to), a);
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to + 32), b);
    }
}

void copy_nontemporal(std::byte* to, const std::byte* from, std::size_t size) noexcept {
    static const bool kWide = __builtin_cpu_supports("avx2");
    const std::size_t to_line = -reinterpret_cast<std::uintptr_t>(to) & 63;
    const std::size_t head = to_line < size ? to_line : size;
    const std::size_t lines = kWide ? (size - head) / 64 : 0;
    std::memcpy(to, from, head);
    stream_lines(to + head, from + head, lines);
    const std::size_t done = head + lines * 64;
    std::memcpy(to + done, from + done, size - done);
    _mm_sfence();  // streamed stores are not ordered by a later release
}

void copy_rep_movsb(std::byte* to, const std::byte* from, std::size_t size) noexcept {
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

#else

void copy_nontemporal(std::byte* to, const std::byte* from, std::size_t size) noexcept {
    std::memcpy(to, from, size);
}
void copy_rep_movsb(std::byte* to, const std::byte* from, std::size_t size) noexcept {
    std::memcpy(to, from, size);
}

#endif

}  // namespace

void copy_with(Kernel kernel, std::byte* to, const std::byte* from, std::size_t size) noexcept {
    if (kernel == Kernel::cached)
        std::memcpy(to, from, size);
    else if (kernel == Kernel::nontemporal)
        copy_nontemporal(to, from, size);
    else
        copy_rep_movsb(to, from, size);
}

}  // namespace causeway::bench
