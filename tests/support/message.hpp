// Message: the n-th of a stream, which both of its ends know without telling each other.
//
// Threading: any; no shared state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "support/random.hpp"

namespace causeway::test {

struct Message {
    enum class Kind : std::uint8_t { send, write, append };
    static constexpr std::uint32_t kLargest = 256 << 10;  // bytes

    Message(std::uint64_t seed, std::uint64_t n) : number(n), salt_(seed * 0x10001 + n) {
        Random random(salt_);
        constexpr Kind kKinds[] = {Kind::send, Kind::send, Kind::send, Kind::write, Kind::append};
        kind = random.pick(kKinds);
        constexpr std::uint32_t kMost[] = {32, 32, 32, 4096, 4096, kLargest};
        const std::uint32_t most = kind == Kind::append ? 2048 : random.pick(kMost);
        length = static_cast<std::uint32_t>(random.between(8, most));
    }
    // Its bytes; the first eight are its number.
    void fill(std::byte* at) const {
        std::memcpy(at, &number, sizeof number);
        Random content(salt_);
        content.fill(std::span(at + sizeof number, length - sizeof number));
    }
    [[nodiscard]] bool stands_at(const std::byte* at) const {
        thread_local std::vector<std::byte> wanted;
        wanted.resize(length);
        fill(wanted.data());
        return std::memcmp(at, wanted.data(), length) == 0;
    }

    std::uint64_t number;
    Kind kind = Kind::send;
    std::uint32_t length = 0;

private:
    std::uint64_t salt_;
};

}  // namespace causeway::test
