#include "io/network/rtnetlink.hpp"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include "base/names.hpp"

namespace causeway::io::network {

namespace {

using platform::UniqueFd;

// A message under construction: header, body, attributes, each aligned to 4 bytes.
class Request {
public:
    template<typename Body>
    Request(int type, int flags, const Body& body) {
        nlmsghdr header{};
        header.nlmsg_type = static_cast<std::uint16_t>(type);
        header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
        append(&header, sizeof header);
        append(&body, sizeof body);
    }
    void attribute(int type, std::span<const std::uint8_t> value) {
        rtattr header{};
        header.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value.size()));
        header.rta_type = static_cast<std::uint16_t>(type);
        append(&header, sizeof header);
        append(value.data(), value.size());
    }
    [[nodiscard]] std::span<const std::byte> finish(std::uint32_t sequence) {
        nlmsghdr header{};
        std::memcpy(&header, bytes_.data(), sizeof header);
        header.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
        header.nlmsg_seq = sequence;
        std::memcpy(bytes_.data(), &header, sizeof header);
        return bytes_;
    }

private:
    void append(const void* from, std::size_t size) {
        const std::size_t at = bytes_.size();
        bytes_.resize(at + NLMSG_ALIGN(size));
        std::memcpy(bytes_.data() + at, from, size);
    }
    std::vector<std::byte> bytes_;
};

// The kernel's own words in an acknowledgement, if it has any.
std::string words_of(std::span<const std::byte> message) {
    std::size_t at = NLMSG_LENGTH(sizeof(nlmsgerr));  // NETLINK_CAP_ACK: no request in between
    while (at + sizeof(rtattr) <= message.size()) {
        rtattr attribute{};
        std::memcpy(&attribute, message.data() + at, sizeof attribute);
        if (attribute.rta_len < sizeof attribute || attribute.rta_len > message.size() - at)
            break;
        if ((attribute.rta_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG) {
            const auto* text = reinterpret_cast<const char*>(message.data() + at + RTA_LENGTH(0));
            return printable({text, ::strnlen(text, attribute.rta_len - RTA_LENGTH(0))});
        }
        at += RTA_ALIGN(attribute.rta_len);
    }
    return {};
}

tl::unexpected<Error> refused(int err, const std::string& what, const std::string& why) {
    std::string text = what + ": " + errno_text(err);
    if (!why.empty())
        text += " (" + why + ")";
    if (err == EPERM)
        text += ": it takes CAP_NET_ADMIN in that network namespace";
    return fail(errno_code(err), text);
}

Result<int> index_of(const std::string& interface) {
    const unsigned index = ::if_nametoindex(interface.c_str());
    if (index == 0)
        return fail_format(ErrorCode::not_found, "there is no interface %s",
                           printable(interface).c_str());
    return static_cast<int>(index);
}

}  // namespace

Result<InterfaceAddress> InterfaceAddress::parse(std::string_view text) {
    const auto refuse = [&](const char* why) {
        return fail_format(ErrorCode::invalid_argument,
                           "address '%s' %s: write it as 10.1.0.2/24 or fd00::2/64",
                           printable(text).c_str(), why);
    };
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos)
        return refuse("lacks the length of its network");
    const std::string address(text.substr(0, slash));
    const std::string_view length = text.substr(slash + 1);
    InterfaceAddress parsed;
    if (::inet_pton(AF_INET, address.c_str(), parsed.bytes.data()) == 1)
        parsed.family = AF_INET;
    else if (::inet_pton(AF_INET6, address.c_str(), parsed.bytes.data()) == 1)
        parsed.family = AF_INET6;
    else
        return refuse("is neither IPv4 nor IPv6");
    const auto [end, error] =
        std::from_chars(length.data(), length.data() + length.size(), parsed.prefix);
    if (error != std::errc() || end != length.data() + length.size() || parsed.prefix == 0 ||
        parsed.prefix > parsed.size() * 8)
        return refuse("has a network length that cannot be");
    return parsed;
}

std::size_t InterfaceAddress::size() const noexcept { return family == AF_INET ? 4 : 16; }

std::string InterfaceAddress::to_string() const {
    char text[INET6_ADDRSTRLEN] = "";
    (void)::inet_ntop(family, bytes.data(), text, sizeof text);
    return format_text("%s/%u", text, prefix);
}

Result<void> check_interface_name(std::string_view name) {
    const bool bad = std::any_of(name.begin(), name.end(), [](char c) {
        return c == '/' || c == ':' || c == '%' || c <= ' ' || c > '~';
    });
    if (name.empty() || name == "." || name == ".." || bad)
        return fail_format(ErrorCode::invalid_argument,
                           "interface name '%s' cannot be: take letters, digits, '-', '_' and '.'",
                           printable(name).c_str());
    if (name.size() >= IFNAMSIZ)
        return fail_format(ErrorCode::invalid_argument,
                           "interface name '%s' has %zu bytes; at most %d are allowed",
                           printable(name).c_str(), name.size(), IFNAMSIZ - 1);
    return {};
}

Result<RouteSocket> RouteSocket::open() {
    UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket)
        return fail_errno("open a netlink socket", errno);
    const int on = 1;  // without them there are fewer words, no more
    (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    return RouteSocket(std::move(socket));
}

Result<int> RouteSocket::ask(std::span<const std::byte> request, std::string& why) {
    if (::send(socket_.get(), request.data(), request.size(), 0) < 0)
        return fail_errno("send to the kernel by netlink", errno);
    alignas(nlmsghdr) std::array<std::byte, 4096> answer;
    while (true) {
        const ssize_t got = ::recv(socket_.get(), answer.data(), answer.size(), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno("the kernel's answer by netlink", errno);
        nlmsghdr header{};
        nlmsgerr error{};
        const auto size = static_cast<std::size_t>(got);
        if (size < NLMSG_LENGTH(sizeof error))
            continue;
        std::memcpy(&header, answer.data(), sizeof header);
        std::memcpy(&error, answer.data() + NLMSG_HDRLEN, sizeof error);
        if (header.nlmsg_type != NLMSG_ERROR || header.nlmsg_seq != sequence_)
            continue;
        why = words_of(std::span(answer).first(size));
        return -error.error;
    }
}

Result<void> RouteSocket::change_link(const std::string& interface, const LinkChange& change) {
    CW_TRY_ASSIGN(const int index, index_of(interface));
    ifinfomsg body{};
    body.ifi_family = AF_UNSPEC;
    body.ifi_index = index;
    if (change.up)
        body.ifi_flags = body.ifi_change = IFF_UP;
    Request request(RTM_NEWLINK, 0, body);
    if (change.mac)
        request.attribute(IFLA_ADDRESS, change.mac->bytes());
    if (change.mtu) {
        std::array<std::uint8_t, sizeof *change.mtu> bytes{};
        std::memcpy(bytes.data(), &*change.mtu, bytes.size());
        request.attribute(IFLA_MTU, bytes);
    }
    std::string why;
    CW_TRY_ASSIGN(const int err, ask(request.finish(++sequence_), why));
    if (err == 0)
        return {};
    std::string what = "set up interface " + interface;
    if (change.mac)
        what += ", MAC address " + change.mac->to_string();
    if (change.mtu)
        what += ", MTU " + std::to_string(*change.mtu);
    return refused(err, what, why);
}

Result<void> RouteSocket::add_address(const std::string& interface,
                                      const InterfaceAddress& address) {
    CW_TRY_ASSIGN(const int index, index_of(interface));
    ifaddrmsg body{};
    body.ifa_family = static_cast<std::uint8_t>(address.family);
    body.ifa_prefixlen = address.prefix;
    body.ifa_index = static_cast<std::uint32_t>(index);
    Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body);
    const auto bytes = std::span(address.bytes).first(address.size());
    request.attribute(IFA_LOCAL, bytes);
    request.attribute(IFA_ADDRESS, bytes);
    if (address.family == AF_INET && address.prefix < 31) {
        std::uint32_t network = 0;
        std::memcpy(&network, bytes.data(), sizeof network);
        const std::uint32_t all = network | htonl(0xffffffffU >> address.prefix);
        std::array<std::uint8_t, sizeof all> broadcast{};
        std::memcpy(broadcast.data(), &all, sizeof all);
        request.attribute(IFA_BROADCAST, broadcast);
    }
    std::string why;
    CW_TRY_ASSIGN(const int err, ask(request.finish(++sequence_), why));
    if (err == 0)
        return {};
    if (address.family == AF_INET6 && (err == EACCES || err == EAFNOSUPPORT || err == EOPNOTSUPP))
        why = "IPv6 is turned off there: see net.ipv6.conf.all.disable_ipv6";
    return refused(err, "add address " + address.to_string() + " to interface " + interface, why);
}

}  // namespace causeway::io::network
