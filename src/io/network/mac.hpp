// MacAddress: six bytes that name a station on an Ethernet.
//
// Threading: a value; the functions are pure (random_local asks the kernel).
//
// Invariants:
//  1. Every six bytes are one, also those that no station may have: what came from a peer is one
//     before anybody has looked at it. is_station() says whether one can be a sender's.
//  2. from_name() gives the same address for the same name in every version and on every machine.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace causeway::io::network {

class MacAddress {
public:
    static constexpr std::size_t kSize = 6;
    using Bytes = std::array<std::uint8_t, kSize>;

    constexpr MacAddress() noexcept = default;  // 00:00:00:00:00:00
    constexpr explicit MacAddress(const Bytes& bytes) noexcept : bytes_(bytes) {}

    // "02:1a:2B:3c:4d:5e"; with colons or hyphens, two digits each.
    [[nodiscard]] static Result<MacAddress> parse(std::string_view text);
    // A locally administered address of one station, by chance.
    [[nodiscard]] static Result<MacAddress> random_local();
    // The same, derived from a name: who starts anew under its name keeps its address, and
    // nobody's neighbour tables are wrong. Two of a thousand names meet once in 140 million tries.
    [[nodiscard]] static MacAddress from_name(std::string_view name) noexcept;
    [[nodiscard]] static constexpr MacAddress broadcast() noexcept {
        return MacAddress({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
    }

    [[nodiscard]] constexpr const Bytes& bytes() const noexcept { return bytes_; }
    // The 48 bits as one number, the first byte highest.
    [[nodiscard]] constexpr std::uint64_t number() const noexcept {
        std::uint64_t number = 0;
        for (const std::uint8_t byte : bytes_)
            number = number << 8 | byte;
        return number;
    }
    [[nodiscard]] std::string to_string() const;

    // Broadcast is multicast, too.
    [[nodiscard]] constexpr bool is_multicast() const noexcept { return (bytes_[0] & 1) != 0; }
    [[nodiscard]] constexpr bool is_broadcast() const noexcept { return *this == broadcast(); }
    [[nodiscard]] constexpr bool is_zero() const noexcept { return *this == MacAddress(); }
    [[nodiscard]] constexpr bool is_local() const noexcept { return (bytes_[0] & 2) != 0; }
    // Can it be somebody's own?
    [[nodiscard]] constexpr bool is_station() const noexcept {
        return !is_multicast() && !is_zero();
    }
    // 01:80:c2:00:00:00 to 0f: for the two ends of one cable (spanning tree, pause, LACP, LLDP),
    // which no bridge passes on (IEEE 802.1Q, table 8-1).
    [[nodiscard]] constexpr bool is_link_local() const noexcept {
        return (number() & ~std::uint64_t{0xf}) == 0x0180c2000000;
    }

    [[nodiscard]] constexpr auto operator<=>(const MacAddress&) const noexcept = default;

private:
    Bytes bytes_{};
};

// Spreads addresses over all 64 bits. Stations choose their addresses, so whoever keeps them in a
// table gives a seed that stations do not know.
[[nodiscard]] constexpr std::uint64_t hash(const MacAddress& mac, std::uint64_t seed) noexcept {
    std::uint64_t z = mac.number() ^ seed;  // the end of SplitMix64, twice for the seed's sake
    for (int round = 0; round < 2; ++round) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        z = (z ^ (z >> 31)) + seed;
    }
    return z;
}

}  // namespace causeway::io::network

template<>
struct std::hash<causeway::io::network::MacAddress> {
    [[nodiscard]] std::size_t operator()(
        const causeway::io::network::MacAddress& mac) const noexcept {
        return causeway::io::network::hash(mac, 0);
    }
};
