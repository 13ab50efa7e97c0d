#include "engine/copy.hpp"

#include <cstring>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace causeway::engine {
namespace {

#if defined(__x86_64__)

void copy_rep_movsb(std::byte* to, const std::byte* from, std::size_t length) noexcept {
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

__attribute__((target("avx2"))) void stream_avx2(std::byte* to, const std::byte* from,
                                                 std::size_t lines) noexcept {
    for (std::size_t i = 0; i < lines; ++i, to += 64, from += 64) {
        _mm_prefetch(reinterpret_cast<const char*>(from + 512), _MM_HINT_T0);
        const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32));
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to), a);
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to + 32), b);
    }
}

void stream_sse2(std::byte* to, const std::byte* from, std::size_t lines) noexcept {
    for (std::size_t i = 0; i < lines * 4; ++i, to += 16, from += 16) {
        const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
        _mm_stream_si128(reinterpret_cast<__m128i*>(to), a);
    }
}

void copy_nontemporal(std::byte* to, const std::byte* from, std::size_t length) noexcept {
    static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
    const std::size_t to_line = -reinterpret_cast<std::uintptr_t>(to) & 63;
    const std::size_t head = to_line < length ? to_line : length;
    std::memmove(to, from, head);
    to += head;
    from += head;
    length -= head;
    const std::size_t lines = length / 64;
    if (avx2) {
        stream_avx2(to, from, lines);
    } else {
        stream_sse2(to, from, lines);
    }
    std::memmove(to + lines * 64, from + lines * 64, length % 64);
    _mm_sfence();  // streamed stores are not ordered by a later release store
}

#else

void copy_rep_movsb(std::byte* to, const std::byte* from, std::size_t length) noexcept {
    std::memmove(to, from, length);
}
void copy_nontemporal(std::byte* to, const std::byte* from, std::size_t length) noexcept {
    std::memmove(to, from, length);
}

#endif

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

[[nodiscard]] std::string from_text(const char* name, std::uint64_t from) {
    if (from == kNever)
        return {};
    return std::string(", ") + name + " from " + std::to_string(from) + " B";
}

}  // namespace

std::string CopyPlan::describe() const {
    return "cached" + from_text("rep movsb", rep_movsb_from) +
           from_text("non-temporal", nontemporal_from) + " (built in)";
}

CopyPlan default_copy_plan() noexcept {
#if defined(__x86_64__)
    return {.rep_movsb_from = kNever, .nontemporal_from = std::uint64_t{4} << 20};
#else
    return {.rep_movsb_from = kNever, .nontemporal_from = kNever};
#endif
}

void settle_stores() noexcept {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

void copy(std::byte* to, const std::byte* from, std::size_t length, CopyKernel kernel) noexcept {
    switch (kernel) {
        case CopyKernel::cached:
            std::memmove(to, from, length);
            return;
        case CopyKernel::rep_movsb:
            copy_rep_movsb(to, from, length);
            return;
        case CopyKernel::nontemporal:
            copy_nontemporal(to, from, length);
            return;
    }
}

}  // namespace causeway::engine
