// What is said to the kernel about an interface: its addresses, its MTU, that it is up.
//
// By rtnetlink itself rather than a library (libmnl, libnl-route): it is two kinds of messages in a
// few dozen lines, and the tool stays loadable where neither is installed.
//
// Threading: one thread for each socket, in the network namespace that it was opened in.
// Ownership: closes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "io/network/mac.hpp"
#include "platform/fd.hpp"

namespace causeway::io::network {

// An IPv4 or IPv6 address with the length of its network: "10.1.0.2/24", "fd00::2/64".
struct InterfaceAddress {
    int family = 0;  // AF_INET or AF_INET6
    std::array<std::uint8_t, 16> bytes{};
    std::uint8_t prefix = 0;

    [[nodiscard]] static Result<InterfaceAddress> parse(std::string_view text);
    [[nodiscard]] std::size_t size() const noexcept;  // 4 or 16
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] bool operator==(const InterfaceAddress&) const noexcept = default;
};

struct LinkChange {
    std::optional<MacAddress> mac{};
    std::optional<std::uint32_t> mtu{};
    bool up = false;  // false: as it is
};

// 1 to 15 bytes without slash, colon, percent sign or space, neither "." nor "..".
[[nodiscard]] Result<void> check_interface_name(std::string_view name);

class RouteSocket {
public:
    [[nodiscard]] static Result<RouteSocket> open();

    [[nodiscard]] Result<void> change_link(const std::string& interface, const LinkChange& change);
    [[nodiscard]] Result<void> add_address(const std::string& interface,
                                           const InterfaceAddress& address);

private:
    explicit RouteSocket(platform::UniqueFd socket) : socket_(std::move(socket)) {}
    // Sends it and waits for the answer: 0 or an errno, `why` what the kernel says beyond that.
    [[nodiscard]] Result<int> ask(std::span<const std::byte> request, std::string& why);

    platform::UniqueFd socket_;
    std::uint32_t sequence_ = 0;
};

}  // namespace causeway::io::network
