#include "engine/copy.hpp"

#include <array>
#include <cstring>

#include "platform/cpu.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace causeway::engine {
namespace {

constexpr std::array<const char*, kCopyKernels> kNames{
    "cached",        "rep_movsb",        "vector_sse2",     "vector_avx",
    "vector_avx512", "nontemporal_sse2", "nontemporal_avx", "nontemporal_avx512",
};

#if defined(__x86_64__)

// The loops of each width: `steps` times four registers to `to`, which is aligned to a register.
// No prefetching: where it was tried, the processor's own did as well within its caches and better
// outside of them. Compiled for their width one by one; runs_here() says who may call them.

constexpr std::size_t kRegisters = 4;

void vector_sse2(std::byte* to, const std::byte* from, std::size_t steps) noexcept {
    for (; steps != 0; --steps, to += 64, from += 64) {
        const auto* const in = reinterpret_cast<const __m128i*>(from);
        auto* const out = reinterpret_cast<__m128i*>(to);
        const __m128i a = _mm_loadu_si128(in);
        const __m128i b = _mm_loadu_si128(in + 1);
        const __m128i c = _mm_loadu_si128(in + 2);
        const __m128i d = _mm_loadu_si128(in + 3);
        _mm_store_si128(out, a);
        _mm_store_si128(out + 1, b);
        _mm_store_si128(out + 2, c);
        _mm_store_si128(out + 3, d);
    }
}

void nontemporal_sse2(std::byte* to, const std::byte* from, std::size_t steps) noexcept {
    for (; steps != 0; --steps, to += 64, from += 64) {
        const auto* const in = reinterpret_cast<const __m128i*>(from);
        auto* const out = reinterpret_cast<__m128i*>(to);
        const __m128i a = _mm_loadu_si128(in);
        const __m128i b = _mm_loadu_si128(in + 1);
        const __m128i c = _mm_loadu_si128(in + 2);
        const __m128i d = _mm_loadu_si128(in + 3);
        _mm_stream_si128(out, a);
        _mm_stream_si128(out + 1, b);
        _mm_stream_si128(out + 2, c);
        _mm_stream_si128(out + 3, d);
    }
}

[[gnu::target("avx")]] void vector_avx(std::byte* to, const std::byte* from,
                                       std::size_t steps) noexcept {
    for (; steps != 0; --steps, to += 128, from += 128) {
        const auto* const in = reinterpret_cast<const __m256i*>(from);
        auto* const out = reinterpret_cast<__m256i*>(to);
        const __m256i a = _mm256_loadu_si256(in);
        const __m256i b = _mm256_loadu_si256(in + 1);
        const __m256i c = _mm256_loadu_si256(in + 2);
        const __m256i d = _mm256_loadu_si256(in + 3);
        _mm256_store_si256(out, a);
        _mm256_store_si256(out + 1, b);
        _mm256_store_si256(out + 2, c);
        _mm256_store_si256(out + 3, d);
    }
}

[[gnu::target("avx")]] void nontemporal_avx(std::byte* to, const std::byte* from,
                                            std::size_t steps) noexcept {
    for (; steps != 0; --steps, to += 128, from += 128) {
        const auto* const in = reinterpret_cast<const __m256i*>(from);
        auto* const out = reinterpret_cast<__m256i*>(to);
        const __m256i a = _mm256_loadu_si256(in);
        const __m256i b = _mm256_loadu_si256(in + 1);
        const __m256i c = _mm256_loadu_si256(in + 2);
        const __m256i d = _mm256_loadu_si256(in + 3);
        _mm256_stream_si256(out, a);
        _mm256_stream_si256(out + 1, b);
        _mm256_stream_si256(out + 2, c);
        _mm256_stream_si256(out + 3, d);
    }
}

[[gnu::target("avx512f")]] void vector_avx512(std::byte* to, const std::byte* from,
                                              std::size_t steps) noexcept {
    for (; steps != 0; --steps, to += 256, from += 256) {
        const __m512i a = _mm512_loadu_si512(from);
        const __m512i b = _mm512_loadu_si512(from + 64);
        const __m512i c = _mm512_loadu_si512(from + 128);
        const __m512i d = _mm512_loadu_si512(from + 192);
        _mm512_store_si512(to, a);
        _mm512_store_si512(to + 64, b);
        _mm512_store_si512(to + 128, c);
        _mm512_store_si512(to + 192, d);
    }
}

[[gnu::target("avx512f")]] void nontemporal_avx512(std::byte* to, const std::byte* from,
                                                   std::size_t steps) noexcept {
    for (; steps != 0; --steps, to += 256, from += 256) {
        auto* const out = reinterpret_cast<__m512i*>(to);
        const __m512i a = _mm512_loadu_si512(from);
        const __m512i b = _mm512_loadu_si512(from + 64);
        const __m512i c = _mm512_loadu_si512(from + 128);
        const __m512i d = _mm512_loadu_si512(from + 192);
        _mm512_stream_si512(out, a);
        _mm512_stream_si512(out + 1, b);
        _mm512_stream_si512(out + 2, c);
        _mm512_stream_si512(out + 3, d);
    }
}

// The bytes before the first whole line of the target, the loop, and the bytes behind it.
template<typename Loop>
void copy_by(Loop loop, std::size_t width, std::byte* to, const std::byte* from,
             std::size_t length) noexcept {
    const std::size_t to_line = -reinterpret_cast<std::uintptr_t>(to) & 63;
    const std::size_t head = to_line < length ? to_line : length;
    std::memmove(to, from, head);
    to += head;
    from += head;
    length -= head;
    const std::size_t step = kRegisters * width;
    const std::size_t middle = length / step * step;
    loop(to, from, length / step);
    std::memmove(to + middle, from + middle, length - middle);
}

template<typename Loop>
void stream_by(Loop loop, std::size_t width, std::byte* to, const std::byte* from,
               std::size_t length) noexcept {
    copy_by(loop, width, to, from, length);
    _mm_sfence();  // streamed stores are not ordered by a later release store
}

void copy_rep_movsb(std::byte* to, const std::byte* from, std::size_t length) noexcept {
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

#endif

struct Runnable {
    std::array<CopyKernel, kCopyKernels> kernels{};
    std::size_t count = 0;
    std::uint32_t bits = 0;

    void add(CopyKernel kernel) noexcept {
        kernels[count++] = kernel;
        bits |= 1U << static_cast<unsigned>(kernel);
    }
};

Runnable find_runnable() noexcept {
    Runnable found;
    found.add(CopyKernel::cached);
#if defined(__x86_64__)
    const platform::CpuFeatures& cpu = platform::cpu_features();
    found.add(CopyKernel::rep_movsb);
    found.add(CopyKernel::vector_sse2);
    if (cpu.avx)
        found.add(CopyKernel::vector_avx);
    if (cpu.avx512f)
        found.add(CopyKernel::vector_avx512);
    found.add(CopyKernel::nontemporal_sse2);
    if (cpu.avx)
        found.add(CopyKernel::nontemporal_avx);
    if (cpu.avx512f)
        found.add(CopyKernel::nontemporal_avx512);
#endif
    return found;
}

const Runnable& runnable() noexcept {
    static const Runnable found = find_runnable();
    return found;
}

}  // namespace

const char* name(CopyKernel kernel) noexcept { return kNames[static_cast<std::size_t>(kernel)]; }

std::optional<CopyKernel> copy_kernel_named(std::string_view name) noexcept {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (name == kNames[i])
            return static_cast<CopyKernel>(i);
    }
    return std::nullopt;
}

std::span<const CopyKernel> copy_kernels() noexcept {
    const Runnable& all = runnable();
    return {all.kernels.data(), all.count};
}

bool runs_here(CopyKernel kernel) noexcept {
    return (runnable().bits >> static_cast<unsigned>(kernel) & 1U) != 0;
}

void settle_stores() noexcept {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

void copy(std::byte* to, const std::byte* from, std::size_t length, CopyKernel kernel) noexcept {
#if defined(__x86_64__)
    switch (kernel) {
        case CopyKernel::cached:
            break;
        case CopyKernel::rep_movsb:
            return copy_rep_movsb(to, from, length);
        case CopyKernel::vector_sse2:
            return copy_by(vector_sse2, 16, to, from, length);
        case CopyKernel::vector_avx:
            return copy_by(vector_avx, 32, to, from, length);
        case CopyKernel::vector_avx512:
            return copy_by(vector_avx512, 64, to, from, length);
        case CopyKernel::nontemporal_sse2:
            return stream_by(nontemporal_sse2, 16, to, from, length);
        case CopyKernel::nontemporal_avx:
            return stream_by(nontemporal_avx, 32, to, from, length);
        case CopyKernel::nontemporal_avx512:
            return stream_by(nontemporal_avx512, 64, to, from, length);
    }
#else
    (void)kernel;
#endif
    std::memmove(to, from, length);
}

}  // namespace causeway::engine
