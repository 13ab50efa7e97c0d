// Frames for tests of the network: what a TAP would give, byte by byte.
//
// Threading: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "io/network/frame.hpp"
#include "io/network/mac.hpp"

namespace causeway::test {

using Frame = std::vector<std::byte>;

// 02:00:00:00:00:NN, or whatever number stands for.
[[nodiscard]] inline io::network::MacAddress station(std::uint64_t number) {
    io::network::MacAddress::Bytes bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[5 - i] = static_cast<std::uint8_t>(number >> (8 * i));
    bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0xfc) | 2);
    return io::network::MacAddress(bytes);
}

inline void put_header(Frame& frame, const io::network::VnetHeader& header) {
    std::memcpy(frame.data(), &header, sizeof header);
}

inline void put_number(Frame& frame, std::size_t at, std::uint16_t value) {
    frame[at] = static_cast<std::byte>(value >> 8);
    frame[at + 1] = static_cast<std::byte>(value & 0xff);
}

// An Ethernet frame of `ethernet` bytes behind an empty virtio-net header; the payload counts up.
[[nodiscard]] inline Frame make_frame(const io::network::MacAddress& to,
                                      const io::network::MacAddress& from,
                                      std::size_t ethernet = 60, std::uint16_t type = 0x88b5) {
    Frame frame(sizeof(io::network::VnetHeader) + ethernet);
    for (std::size_t i = io::network::kHeadSize; i < frame.size(); ++i)
        frame[i] = static_cast<std::byte>(i);
    std::memcpy(frame.data() + 12, to.bytes().data(), 6);
    std::memcpy(frame.data() + 18, from.bytes().data(), 6);
    put_number(frame, 24, type);
    return frame;
}

// As Linux would give a TCP segment of `ethernet` bytes over IPv4 that is to be cut every
// `gso_size`.
[[nodiscard]] inline io::network::VnetHeader tcp4_header(std::uint16_t gso_size) {
    return {.flags = io::network::kNeedsChecksum,
            .gso_type = io::network::kGsoTcp4,
            .hdr_len = 54,
            .gso_size = gso_size,
            .csum_start = 34,
            .csum_offset = 16,
            .num_buffers = 0};
}
[[nodiscard]] inline Frame make_tcp4(const io::network::MacAddress& to,
                                     const io::network::MacAddress& from,
                                     std::size_t ethernet = 60000, std::uint16_t gso_size = 1448) {
    Frame frame = make_frame(to, from, ethernet, 0x0800);
    put_header(frame, tcp4_header(gso_size));
    return frame;
}

}  // namespace causeway::test
