// Places: after which of so many instructions a test kills. All of them with a stride
// (CAUSEWAY_KILL_EVERY, 1: each), otherwise as many as the time allows, others in every run
// (CAUSEWAY_KILL_SEED repeats them).
//
// Threading: one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "support/random.hpp"

namespace causeway::test {

class Places {
public:
    // Instead of a place: all of the way, to learn its length.
    static constexpr std::uint64_t kAll = UINT64_MAX;

    explicit Places(std::uint64_t length)
        : length_(length),
          seed_(chosen("CAUSEWAY_KILL_SEED", std::random_device()())),
          stride_(chosen("CAUSEWAY_KILL_EVERY", 0)),
          random_(seed_) {
        if (stride_ != 0)
            place_ = random_.below(stride_) - stride_;  // next() comes first
    }

    [[nodiscard]] bool next() {
        if (stride_ != 0) {
            place_ += stride_;
            return place_ < length_ && ++count_ != 0;
        }
        if (count_ >= kMost ||
            (count_ >= kLeast && std::chrono::steady_clock::now() - begin_ > kEnough)) {
            return false;
        }
        place_ = random_.below(length_);
        ++count_;
        return true;
    }
    [[nodiscard]] std::uint64_t place() const noexcept { return place_; }
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    // For who reads the log: what was done, and how to do it again.
    void say(const std::string& what) const {
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
        std::printf("%s: %llu kills in %llu instructions, %.1f s; CAUSEWAY_KILL_SEED=%llu\n",
                    what.c_str(), static_cast<unsigned long long>(count_),
                    static_cast<unsigned long long>(length_), took.count(),
                    static_cast<unsigned long long>(seed_));
    }

private:
    static constexpr std::uint64_t kLeast = 3;
    static constexpr std::uint64_t kMost = 40;
    static constexpr auto kEnough = std::chrono::milliseconds(600);

    static std::uint64_t chosen(const char* variable, std::uint64_t otherwise) {
        const char* const given = std::getenv(variable);
        return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
    }

    std::uint64_t length_;
    std::uint64_t seed_;
    std::uint64_t stride_;
    Random random_;
    std::uint64_t place_ = 0;
    std::uint64_t count_ = 0;
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace causeway::test
