#include "io/network/frame.hpp"

#include <algorithm>
#include <cstring>

#include "base/untrusted.hpp"

namespace causeway::io::network {

namespace {

constexpr std::uint16_t kIpv4 = 0x0800;
constexpr std::uint16_t kIpv6 = 0x86dd;
constexpr std::uint16_t kVlan = 0x8100;
constexpr std::uint16_t kServiceVlan = 0x88a8;

constexpr std::uint32_t kIpv4Header = 20;
constexpr std::uint32_t kIpv6Header = 40;
constexpr std::uint32_t kTcpHeader = 20;
constexpr std::uint32_t kUdpHeader = 8;
constexpr std::uint32_t kTcpChecksum = 16;  // where it is in the header
constexpr std::uint32_t kUdpChecksum = 6;

// The one load. A plain memcpy is one the compiler may do again.
template<std::size_t Size>
std::array<std::byte, Size> take(std::span<const std::byte> from) noexcept {
    using Bytes = std::array<std::byte, Size>;
    return Untrusted(*reinterpret_cast<const Bytes*>(from.data())).load();
}

MacAddress mac_at(std::span<const std::byte> from) noexcept {
    MacAddress::Bytes bytes;
    std::memcpy(bytes.data(), from.data(), bytes.size());
    return MacAddress(bytes);
}

std::uint16_t network_order(std::span<const std::byte> from) noexcept {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(from[0]) << 8 |
                                      std::to_integer<unsigned>(from[1]));
}

void read_head(FrameFacts& facts, std::span<const std::byte> frame) noexcept {
    facts.head_ = take<kHeadSize>(frame);
    std::memcpy(&facts.header, facts.head_.data(), sizeof facts.header);
    // Nobody reads num_buffers where frames are sent to; in what is sent on it says nothing.
    constexpr std::size_t at = offsetof(VnetHeader, num_buffers);
    std::fill_n(facts.head_.begin() + at, sizeof facts.header.num_buffers, std::byte{0});
    const std::span<const std::byte> ethernet = std::span(facts.head_).subspan(sizeof(VnetHeader));
    facts.destination = mac_at(ethernet);
    facts.source = mac_at(ethernet.subspan(MacAddress::kSize));
    facts.ethertype = network_order(ethernet.subspan(2 * MacAddress::kSize));
    facts.length = static_cast<std::uint32_t>(frame.size() - sizeof(VnetHeader));
    if (facts.ethertype != kVlan && facts.ethertype != kServiceVlan)
        return;
    facts.tagged = true;
    if (frame.size() >= kHeadSize + kVlanTag)
        facts.ethertype = network_order(take<2>(frame.subspan(kHeadSize + 2)));
}

// What segmentation of this type is: nothing if it is none.
struct Transport {
    std::uint32_t network_header = 0;  // at least
    std::uint32_t header = 0;          // at least
    std::uint32_t checksum = 0;        // the place in it
};

Transport transport_of(const FrameFacts& facts) noexcept {
    switch (facts.header.gso_type) {
        case kGsoTcp4:
        case kGsoTcp4 | kGsoEcn:
            if (facts.ethertype == kIpv4)
                return {kIpv4Header, kTcpHeader, kTcpChecksum};
            break;
        case kGsoTcp6:
        case kGsoTcp6 | kGsoEcn:
            if (facts.ethertype == kIpv6)
                return {kIpv6Header, kTcpHeader, kTcpChecksum};
            break;
        case kGsoUdp:
            if (facts.ethertype == kIpv4)
                return {kIpv4Header, kUdpHeader, kUdpChecksum};
            if (facts.ethertype == kIpv6)
                return {kIpv6Header, kUdpHeader, kUdpChecksum};
            break;
        default:
            break;
    }
    return {};
}

// The Ethernet header, and with it one tag that is there.
std::uint32_t link_header(const FrameFacts& facts) noexcept {
    return static_cast<std::uint32_t>(kEthernetHeader + (facts.tagged ? kVlanTag : 0));
}

FrameVerdict judge_checksum(const FrameFacts& facts) noexcept {
    if ((facts.header.flags & kNeedsChecksum) == 0)
        return FrameVerdict::good;
    const std::uint32_t start = facts.header.csum_start;
    // No network header that Linux would look behind is shorter than IPv4's.
    if (start < kEthernetHeader + kIpv4Header ||
        start + facts.header.csum_offset + std::uint32_t{2} > facts.length)
        return FrameVerdict::checksum_start;
    return FrameVerdict::good;
}

FrameVerdict judge_segmentation(const FrameFacts& facts, std::uint32_t mtu) noexcept {
    const VnetHeader& header = facts.header;
    const Transport transport = transport_of(facts);
    if (transport.header == 0)
        return FrameVerdict::gso_type;
    // Linux refuses 0. What makes thousands of segments of one frame is refused, too.
    if (header.gso_size == 0 || (header.gso_type != kGsoUdp && header.gso_size < kMinSegment))
        return FrameVerdict::gso_size;
    if ((header.flags & kNeedsChecksum) == 0 || header.csum_offset != transport.checksum)
        return FrameVerdict::gso_checksum;
    const std::uint32_t headers = header.csum_start + transport.header;
    if (header.csum_start < link_header(facts) + transport.network_header || headers > facts.length)
        return FrameVerdict::checksum_start;
    const std::uint32_t payload = facts.length - headers;
    if (header.gso_type == kGsoUdp && payload > kMaxDatagramsOfUso * std::uint32_t{header.gso_size})
        return FrameVerdict::gso_segments;
    if (std::min<std::uint32_t>(headers + header.gso_size, facts.length) >
        mtu + kEthernetHeader + kVlanTag)
        return FrameVerdict::over_mtu;
    return FrameVerdict::good;
}

FrameVerdict judge(const FrameFacts& facts, std::uint32_t mtu) noexcept {
    const VnetHeader& header = facts.header;
    if (facts.source.is_multicast())
        return FrameVerdict::source_multicast;
    if (facts.source.is_zero())
        return FrameVerdict::source_zero;
    if ((header.flags & ~(kNeedsChecksum | kDataValid)) != 0)
        return FrameVerdict::flags;
    if (header.num_buffers > 1)
        return FrameVerdict::buffers;
    // No least: it is what the sender happened to have in one piece, in 16 bits.
    if (header.hdr_len > facts.length)
        return FrameVerdict::header_length;
    if (const FrameVerdict verdict = judge_checksum(facts); verdict != FrameVerdict::good)
        return verdict;
    if (facts.segmented())
        return judge_segmentation(facts, mtu);
    if (header.gso_size != 0)  // some versions of Linux look at it all the same
        return FrameVerdict::gso_size;
    if (facts.length > mtu + kEthernetHeader + kVlanTag)
        return FrameVerdict::over_mtu;
    return FrameVerdict::good;
}

}  // namespace

CheckedFrame check_frame(std::span<const std::byte> frame, std::uint32_t mtu) noexcept {
    CheckedFrame checked;
    if (frame.size() < kMinFrame)
        return checked;
    if (frame.size() > kMaxFrame) {
        checked.verdict = FrameVerdict::too_long;
        return checked;
    }
    read_head(checked.facts, frame);
    checked.verdict = judge(checked.facts, mtu);
    return checked;
}

const char* name(FrameVerdict verdict) noexcept {
    switch (verdict) {
        case FrameVerdict::good:
            return "good";
        case FrameVerdict::too_short:
            return "too_short";
        case FrameVerdict::too_long:
            return "too_long";
        case FrameVerdict::over_mtu:
            return "over_mtu";
        case FrameVerdict::flags:
            return "flags";
        case FrameVerdict::buffers:
            return "buffers";
        case FrameVerdict::header_length:
            return "header_length";
        case FrameVerdict::checksum_start:
            return "checksum_start";
        case FrameVerdict::gso_type:
            return "gso_type";
        case FrameVerdict::gso_size:
            return "gso_size";
        case FrameVerdict::gso_checksum:
            return "gso_checksum";
        case FrameVerdict::gso_segments:
            return "gso_segments";
        case FrameVerdict::source_multicast:
            return "source_multicast";
        case FrameVerdict::source_zero:
            return "source_zero";
    }
    return "unknown";
}

}  // namespace causeway::io::network
