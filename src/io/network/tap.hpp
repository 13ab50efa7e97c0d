// Tap: a network interface whose cable this process holds.
//
// What programs in its network namespace send through the interface is read here, and what is
// written here they receive. TCP segments of up to 64 KiB pass uncut in both directions, and
// checksums uncomputed, where the kernel can.
//
// Threading: as Device; open() may fork (netns.hpp). Ownership: the interface lives as long as
// the Tap.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "io/network/device.hpp"
#include "io/network/rtnetlink.hpp"
#include "platform/fd.hpp"

namespace causeway::io::network {

enum class Carrier : std::uint8_t { off, on };
enum class Offload : std::uint8_t {
    none,     // frames have at most the MTU, with their checksums
    tcp,      // TCP over IPv4 and IPv6 uncut, any checksum left open
    tcp_udp,  // and UDP that the program asked to be cut (UDP_SEGMENT): since Linux 6.2
};

struct TapOptions {
    std::string name;                           // of the interface; must be free
    std::vector<InterfaceAddress> addresses{};  // none: whatever else configures it
    std::uint32_t mtu = 1500;                   // kMinMtu to kMaxMtu; IPv6 wants 1280
    std::optional<MacAddress> mac{};            // none: the kernel makes one up
    std::string netns{};                        // as open_within() takes it; empty: here
    Carrier carrier = Carrier::on;              // off: until somebody is at the other end
    Offload offload = Offload::tcp_udp;         // at most; see Tap::offload()
    std::string device = "/dev/net/tun";
};

class Tap final : public Device {
public:
    // Up, with its addresses. Errors: invalid_argument (a name, MTU or address that cannot be, a
    // path that is no namespace), name_in_use, denied (CAP_NET_ADMIN; the text says for what),
    // unsupported (no /dev/net/tun), not_found (the namespace), system.
    [[nodiscard]] static Result<Tap> open(const TapOptions& options);

    [[nodiscard]] int fd() const noexcept override { return fd_.get(); }
    [[nodiscard]] const std::string& interface() const noexcept override { return name_; }
    [[nodiscard]] MacAddress mac() const noexcept override { return mac_; }
    [[nodiscard]] std::uint32_t mtu() const noexcept override { return mtu_; }
    [[nodiscard]] Offload offload() const noexcept { return offload_; }

    using Device::write;
    [[nodiscard]] IoResult read(std::span<std::byte> frame) noexcept override;
    // While the interface is down the kernel refuses frames with EIO.
    [[nodiscard]] IoResult write(std::span<const std::byte, kHeadSize> head,
                                 std::span<const std::byte> rest) noexcept override;

    // Off: programs see a pulled cable, at once, and nothing is queued for it.
    [[nodiscard]] Result<void> set_carrier(Carrier carrier);

private:
    Tap() = default;

    platform::UniqueFd fd_;
    std::string name_;
    MacAddress mac_;
    std::uint32_t mtu_ = 0;
    Offload offload_ = Offload::none;
};

}  // namespace causeway::io::network
