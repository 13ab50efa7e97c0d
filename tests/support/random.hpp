// Random numbers for tests: the same on every machine and in every run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace causeway::test {

class Random {  // SplitMix64
public:
    explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

    std::uint64_t next() noexcept {
        state_ += 0x9e3779b97f4a7c15U;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }
    std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }
    // From `least` to `most`, both included.
    std::uint64_t between(std::uint64_t least, std::uint64_t most) noexcept {
        return least + below(most - least + 1);
    }
    bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }
    template<typename T, std::size_t N>
    const T& pick(const T (&choices)[N]) noexcept {
        return choices[below(N)];
    }
    void fill(std::span<std::byte> bytes) noexcept {
        std::uint64_t word = 0;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            if (i % 8 == 0)
                word = next();
            bytes[i] = static_cast<std::byte>(word >> (i % 8 * 8));
        }
    }

private:
    std::uint64_t state_;
};

}  // namespace causeway::test
