// PacketSocket: an uplink over an interface that is there already: one end of a veth pair, or a
// network card.
//
// It sees every frame that the interface receives, for whatever station, and sends whatever it is
// given. The host's own stack sees what is received, too: an interface without addresses, that
// nothing else uses, is what one wants. The interface's own settings stay, but that it is
// promiscuous while this lives.
//
// Threading: as Device; open() may fork (netns.hpp). Ownership: as Device.
//
// Invariants:
//  1. What it sent, and what the host sends through the interface, it does not read.
//  2. A VLAN tag that the kernel took off is in its place again.
//
// Frames that a card has put together by itself (large receive offload) come without what is needed
// to cut them again, and check_frame() refuses them: `ethtool -K IF lro off`, as for any bridge.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.hpp"
#include "io/network/device.hpp"
#include "platform/fd.hpp"

namespace causeway::io::network {

struct PacketSocketOptions {
    std::string interface;
    std::string netns{};  // where that is, as open_within() takes it; empty: here
    std::uint32_t receive_buffer = 8U << 20;  // bytes; less where the system allows no more
};

class PacketSocket final : public Device {
public:
    // Errors: invalid_argument (the name; an interface that is not Ethernet), not_found (the
    // interface or namespace), denied (CAP_NET_RAW), system.
    [[nodiscard]] static Result<PacketSocket> open(const PacketSocketOptions& options);

    [[nodiscard]] int fd() const noexcept override { return fd_.get(); }
    [[nodiscard]] const std::string& interface() const noexcept override { return name_; }
    // Of the interface, as they were when it was opened.
    [[nodiscard]] MacAddress mac() const noexcept override { return mac_; }
    [[nodiscard]] std::uint32_t mtu() const noexcept override { return mtu_; }

    using Device::write;
    // While the interface is down there is nothing to read, and `error` says ENETDOWN once.
    [[nodiscard]] IoResult read(std::span<std::byte> frame) noexcept override;
    [[nodiscard]] IoResult write(std::span<const std::byte, kHeadSize> head,
                                 std::span<const std::byte> rest) noexcept override;

    // Frames that the kernel had no room for since the last call.
    [[nodiscard]] std::uint64_t take_lost() noexcept;

private:
    PacketSocket() = default;
    [[nodiscard]] bool interface_is_there() const noexcept;

    platform::UniqueFd fd_;
    std::string name_;
    int index_ = 0;
    MacAddress mac_;
    std::uint32_t mtu_ = 0;
};

}  // namespace causeway::io::network
