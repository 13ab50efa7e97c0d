// BitPool: the bits of one doorbell, lowest free one first.
//
// Threading: one thread. Invariant: a bit is below abi::kDoorbellBits and has one holder at a time.
#pragma once

#include <array>
#include <bit>
#include <causeway/abi/doorbell.hpp>
#include <cstdint>
#include <optional>

namespace causeway::adapter {

class BitPool {
public:
    [[nodiscard]] std::optional<std::uint32_t> take() noexcept {
        for (std::uint32_t word = 0; word < abi::kDoorbellWords; ++word) {
            if (taken_[word] == ~std::uint64_t{0})
                continue;
            const auto bit = static_cast<std::uint32_t>(std::countr_one(taken_[word]));
            taken_[word] |= std::uint64_t{1} << bit;
            ++count_;
            return word * 64 + bit;
        }
        return std::nullopt;
    }
    // Takes this one; false: it is taken already, or there is no such bit.
    [[nodiscard]] bool take(std::uint32_t bit) noexcept {
        if (bit >= abi::kDoorbellBits || (taken_[bit / 64] >> (bit % 64) & 1) != 0)
            return false;
        taken_[bit / 64] |= std::uint64_t{1} << (bit % 64);
        ++count_;
        return true;
    }
    void give_back(std::uint32_t bit) noexcept {
        taken_[bit / 64] &= ~(std::uint64_t{1} << (bit % 64));
        --count_;
    }
    [[nodiscard]] std::uint32_t taken() const noexcept { return count_; }

private:
    std::array<std::uint64_t, abi::kDoorbellWords> taken_{};
    std::uint32_t count_ = 0;
};

}  // namespace causeway::adapter
