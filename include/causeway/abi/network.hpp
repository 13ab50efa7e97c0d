// What a network host module and a network unit say to each other, over the messaging layer
// (abi/messaging.hpp). The number of a message is its Header's kind.
//
// The host module begins with join, as soon as the channel is open, and again where it was refused;
// the unit answers with joined or refused. Frames before that are dropped. A frame is a virtio-net
// header of 12 bytes and an Ethernet frame; an Ethernet frame ends where the message does.
#pragma once

#include <cstddef>
#include <cstdint>

namespace causeway::abi::network {

// Hello::service: ControllerType::network.
inline constexpr std::uint16_t kService = 1;

enum class Kind : std::uint16_t {
    join = 1,     // to the unit: Join
    joined = 2,   // to the host module: Joined
    refused = 3,  // to the host module: why, as text
    frame = 4,    // both ways
};

// What an end takes in frames' virtio-net headers. Where the host module does not take it, its unit
// still sends it: a TAP of Linux takes all of it. Features of the Hello.
namespace offload {
inline constexpr std::uint32_t kChecksum = 1;
inline constexpr std::uint32_t kTcp4 = 2;  // segmentation
inline constexpr std::uint32_t kTcp6 = 4;
inline constexpr std::uint32_t kUdp = 8;
inline constexpr std::uint32_t kAll = 15;
}  // namespace offload

struct Join {
    std::uint8_t mac[6];  // the only one that it sends from
    std::uint16_t flags;  // zero
    std::uint32_t mtu;    // that it would like; 0: the unit's
    std::uint32_t reserved;
};
static_assert(sizeof(Join) == 16 && offsetof(Join, mtu) == 8);

struct Joined {
    std::uint32_t mtu;    // of the network
    std::uint32_t port;   // of the switch, as the unit's figures name it
    std::uint32_t flags;  // zero
    std::uint32_t reserved;
};
static_assert(sizeof(Joined) == 16 && offsetof(Joined, port) == 4);

}  // namespace causeway::abi::network
