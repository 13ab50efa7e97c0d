// What a frame on the fabric is, and which frames are one.
//
// A 12-byte virtio-net header (struct virtio_net_hdr_v1, as a TAP with IFF_VNET_HDR gives and takes
// it, little-endian) and an Ethernet frame behind it, without its check sequence. The header lets a
// TCP segment of 64 KiB cross as one frame: the checksum is computed, and the segment cut, by
// whoever puts it on a real wire, or by nobody.
//
// Threading: pure functions on private values; the frame itself may be written to meanwhile.
// Ownership: facts are copies.
//
// Invariants:
//  1. check_frame() reads every byte that it judges once, into FrameFacts, and judges the copy.
//     Whoever acts on a frame acts on its facts, never on these bytes again: it sends facts.head()
//     and then what lies behind kHeadSize in the buffer. So nobody gets past the check by changing
//     a header after it.
//  2. What lies behind the head may still change where the sender can write (executor `direct`).
//     That harms only the receiver's view of this sender's data; the receiver's network stack
//     looks at its own copy, as with any frame from a wire.
//  3. A frame that is `good` is one that Linux takes at a TAP or a packet socket, as far as the
//     header and the lengths decide that (virtio_net_hdr_to_skb, include/linux/virtio_net.h).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "io/network/mac.hpp"

namespace causeway::io::network {

// Little-endian on the fabric, and this is only built where that is the machine's order.
static_assert(std::endian::native == std::endian::little);

struct VnetHeader {
    std::uint8_t flags = 0;
    std::uint8_t gso_type = 0;
    std::uint16_t hdr_len = 0;      // a hint: how much the receiver should have in one piece
    std::uint16_t gso_size = 0;     // payload of one segment
    std::uint16_t csum_start = 0;   // from the Ethernet header
    std::uint16_t csum_offset = 0;  // from csum_start: where the checksum is written
    std::uint16_t num_buffers = 0;  // 0 or 1: a frame is in one piece
};
static_assert(sizeof(VnetHeader) == 12);

// The numbers of <linux/virtio_net.h>, of which older ones lack some.
inline constexpr std::uint8_t kNeedsChecksum = 1;
inline constexpr std::uint8_t kDataValid = 2;
inline constexpr std::uint8_t kGsoNone = 0;
inline constexpr std::uint8_t kGsoTcp4 = 1;
inline constexpr std::uint8_t kGsoTcp6 = 4;
inline constexpr std::uint8_t kGsoUdp = 5;  // USO: each segment is a datagram
inline constexpr std::uint8_t kGsoEcn = 0x80;

inline constexpr std::size_t kEthernetHeader = 14;
inline constexpr std::size_t kVlanTag = 4;
// What is copied at the check: the virtio-net header and the Ethernet header.
inline constexpr std::size_t kHeadSize = sizeof(VnetHeader) + kEthernetHeader;
inline constexpr std::size_t kMinFrame = kHeadSize;
// The longest IPv4 packet, which IPv6 without jumbograms exceeds by its header only in theory:
// Linux hands a device at most 65535 bytes, Ethernet header and all, as one segmentation offload
// (GSO_LEGACY_MAX_SIZE) unless an administrator turns "BIG TCP" on, which a TAP does not carry;
// and an MTU of a TAP is at most kMaxMtu.
inline constexpr std::size_t kMaxEthernet = 65535 + kEthernetHeader + kVlanTag;
inline constexpr std::size_t kMaxFrame = sizeof(VnetHeader) + kMaxEthernet;

inline constexpr std::uint32_t kMinMtu = 68;              // IPv4's least
inline constexpr std::uint32_t kMaxMtu = 65535 - 14;      // a TAP's most
inline constexpr std::uint32_t kMinSegment = 8;           // of TCP: Linux's least MSS, all options
inline constexpr std::uint32_t kMaxDatagramsOfUso = 128;  // Linux's UDP_MAX_SEGMENTS

enum class FrameVerdict : std::uint8_t {
    good,
    too_short,         // less than both headers
    too_long,          // over kMaxFrame
    over_mtu,          // the frame, or a segment that it would be cut into
    flags,             // others than NEEDS_CSUM and DATA_VALID
    buffers,           // num_buffers over 1
    header_length,     // hdr_len over the frame
    checksum_start,    // inside the Ethernet or IP header, or with the checksum outside the frame
    gso_type,          // none of those above, ECN without TCP, or not what the Ethertype says
    gso_size,          // 0 with segmentation or not 0 without; under kMinSegment
    gso_checksum,      // segmentation without NEEDS_CSUM, or with another protocol's csum_offset
    gso_segments,      // over kMaxDatagramsOfUso
    source_multicast,  // no station sends from a multicast address
    source_zero,
};
inline constexpr std::size_t kFrameVerdicts = 14;
[[nodiscard]] const char* name(FrameVerdict verdict) noexcept;

// What was decided upon: private copies.
struct FrameFacts {
    VnetHeader header;
    MacAddress destination;
    MacAddress source;
    std::uint16_t ethertype = 0;  // behind a VLAN tag if there is one
    bool tagged = false;          // with one VLAN tag at least
    std::uint32_t length = 0;     // of the Ethernet frame, without the virtio-net header

    [[nodiscard]] bool segmented() const noexcept { return header.gso_type != kGsoNone; }
    // The first kHeadSize bytes, as they were judged (num_buffers is 0).
    [[nodiscard]] std::span<const std::byte, kHeadSize> head() const noexcept { return head_; }

    std::array<std::byte, kHeadSize> head_{};
};

struct CheckedFrame {
    FrameVerdict verdict = FrameVerdict::too_short;
    FrameFacts facts;  // whole if the verdict is good; else what was read until then
};

// `frame` is what one message brought. `mtu` counts as everywhere: without the Ethernet header and
// one VLAN tag. Neither the network header nor the payload is looked at.
[[nodiscard]] CheckedFrame check_frame(std::span<const std::byte> frame,
                                       std::uint32_t mtu) noexcept;

}  // namespace causeway::io::network
