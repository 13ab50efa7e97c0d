#include "perf/payload.hpp"

#include <cstring>

namespace causeway::perf {
namespace {

// Four 8-byte words; as wide as the target has registers for.
using Words = std::uint64_t __attribute__((vector_size(32)));
using LooseWords = std::uint64_t __attribute__((vector_size(32), aligned(1), may_alias));

[[gnu::always_inline]] inline std::uint64_t sum_words(const std::byte* at,
                                                      std::size_t size) noexcept {
    Words sums[4] = {};
    for (; size >= sizeof sums; size -= sizeof sums, at += sizeof sums) {
        const auto* const words = reinterpret_cast<const LooseWords*>(at);
        sums[0] += words[0];
        sums[1] += words[1];
        sums[2] += words[2];
        sums[3] += words[3];
    }
    const Words all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    std::uint64_t sum = all[0] + all[1] + all[2] + all[3];
    for (; size >= 8; size -= 8, at += 8) {
        std::uint64_t word;
        std::memcpy(&word, at, sizeof word);
        sum += word;
    }
    if (size > 0) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, size);
        sum += word;
    }
    return sum;
}

std::uint64_t sum_plain(const std::byte* at, std::size_t size) noexcept {
    return sum_words(at, size);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] std::uint64_t sum_avx2(const std::byte* at, std::size_t size) noexcept {
    return sum_words(at, size);
}
#endif

std::uint64_t split_mix(std::uint64_t x) noexcept {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

constexpr int kOverwritten = 0xee;

}  // namespace

std::uint64_t read_all(std::span<const std::byte> data) noexcept {
#if defined(__x86_64__)
    static const bool kWide = __builtin_cpu_supports("avx2");
    if (kWide)
        return sum_avx2(data.data(), data.size());
#endif
    return sum_plain(data.data(), data.size());
}

void fill_noise(std::span<std::byte> data, std::uint64_t seed, std::uint32_t slot) noexcept {
    std::uint64_t state = split_mix((seed << 32) ^ slot);
    std::byte* at = data.data();
    for (std::size_t left = data.size(); left > 0;) {
        const std::uint64_t word = split_mix(state++);
        const std::size_t piece = left < sizeof word ? left : sizeof word;
        std::memcpy(at, &word, piece);
        at += piece;
        left -= piece;
    }
}

void Inspector::begin(Mode mode, std::uint64_t seed) {
    mode_ = mode;
    seed_ = seed;
    sum_ = 0;
    messages_ = 0;
    wrong_ = false;
    if (mode != Mode::read || seed == sums_of_)
        return;
    sums_of_ = seed;
    for (std::uint32_t slot = 0; slot < sums_.size(); ++slot) {
        fill_noise(expected_, seed, slot);
        sums_[slot] = read_all(expected_);
    }
}

bool Inspector::check() const noexcept {
    if (mode_ != Mode::read)
        return !wrong_;
    std::uint64_t wanted = 0;
    for (std::size_t slot = 0; slot < sums_.size(); ++slot) {
        const std::uint64_t laps = messages_ / sums_.size() + (slot < messages_ % sums_.size());
        wanted += laps * sums_[slot];
    }
    return sum_ == wanted;
}

void Inspector::verify(std::span<std::byte> message) noexcept {
    const std::uint64_t buffers = sums_.size();
    if (message.size() != expected_.size()) {
        wrong_ = true;
    } else if (messages_ < buffers && whose_ == Buffers::own) {
        std::memset(message.data(), kOverwritten, message.size());
    } else {
        fill_noise(expected_, seed_, static_cast<std::uint32_t>(messages_ % buffers));
        if (std::memcmp(message.data(), expected_.data(), expected_.size()) != 0)
            wrong_ = true;
    }
}

}  // namespace causeway::perf
