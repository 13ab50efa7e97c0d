#include "io/network/packet_socket.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include "io/network/netns.hpp"
#include "io/network/rtnetlink.hpp"

namespace causeway::io::network {

namespace {

using platform::UniqueFd;

// A packet socket's header lacks num_buffers. (Since 6.4 it can have it, PACKET_VNET_HDR_SZ; two
// pieces do the same everywhere.)
constexpr std::size_t kShortHeader = offsetof(VnetHeader, num_buffers);
constexpr std::size_t kMacs = 2 * MacAddress::kSize;

ifreq request_for(const std::string& name) {
    ifreq request{};
    std::memcpy(request.ifr_name, name.data(), name.size());  // checked; the rest is NUL
    return request;
}

Result<void> set_option(int fd, int option, const char* what) {
    const int on = 1;
    if (::setsockopt(fd, SOL_PACKET, option, &on, sizeof on) != 0)
        return fail_errno_format(errno, "set up a packet socket: %s", what);
    return {};
}

Result<int> ethernet_index(int fd, const std::string& name) {
    ifreq request = request_for(name);
    if (::ioctl(fd, SIOCGIFHWADDR, &request) != 0) {
        if (errno == ENODEV)
            return fail_format(ErrorCode::not_found, "there is no interface %s", name.c_str());
        return fail_errno_format(errno, "look at interface %s", name.c_str());
    }
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return fail_format(ErrorCode::invalid_argument,
                           "interface %s is not Ethernet: take one end of a veth pair, or a card",
                           name.c_str());
    if (::ioctl(fd, SIOCGIFINDEX, &request) != 0)
        return fail_errno_format(errno, "look at interface %s", name.c_str());
    return request.ifr_ifindex;
}

void enlarge_buffer(int fd, std::uint32_t bytes) {
    const int half = static_cast<int>(bytes / 2);  // the kernel doubles it
    if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &half, sizeof half) != 0)
        (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &half, sizeof half);
}

// Everything that is done in the interface's own namespace. With protocol 0 it receives nothing
// until it is bound, and by then all is set.
Result<UniqueFd> open_socket(const PacketSocketOptions& options) {
    UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
        if (errno == EPERM)
            return fail_format(ErrorCode::denied,
                               "a packet socket on interface %s takes CAP_NET_RAW in its network "
                               "namespace: run as root, or give the container or service that "
                               "capability",
                               options.interface.c_str());
        return fail_errno("open a packet socket", errno);
    }
    CW_TRY_ASSIGN(const int index, ethernet_index(fd.get(), options.interface));
    CW_TRY(set_option(fd.get(), PACKET_VNET_HDR, "offload headers"));
    CW_TRY(set_option(fd.get(), PACKET_AUXDATA, "VLAN tags"));
    CW_TRY(set_option(fd.get(), PACKET_IGNORE_OUTGOING, "not its own frames (Linux 4.20)"));
    enlarge_buffer(fd.get(), options.receive_buffer);
    packet_mreq membership{};
    membership.mr_ifindex = index;
    membership.mr_type = PACKET_MR_PROMISC;
    if (::setsockopt(fd.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) !=
        0)
        return fail_errno_format(errno, "make interface %s promiscuous", options.interface.c_str());
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = index;
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail_errno_format(errno, "bind a packet socket to interface %s",
                                 options.interface.c_str());
    return fd;
}

struct Tag {
    bool there = false;
    std::uint16_t protocol = ETH_P_8021Q;
    std::uint16_t control = 0;
};

Tag tag_of(msghdr& message) noexcept {
    Tag tag;
    for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr;
         item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level != SOL_PACKET || item->cmsg_type != PACKET_AUXDATA)
            continue;
        tpacket_auxdata data{};
        std::memcpy(&data, CMSG_DATA(item), sizeof data);
        tag.there = (data.tp_status & TP_STATUS_VLAN_VALID) != 0;
        tag.control = data.tp_vlan_tci;
        if ((data.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0)
            tag.protocol = data.tp_vlan_tpid;
    }
    return tag;
}

// Puts the tag behind the addresses, where it was on the wire. `size` without it; there is room.
void insert(const Tag& tag, std::span<std::byte> frame, std::size_t size) noexcept {
    std::byte* at = frame.data() + sizeof(VnetHeader) + kMacs;
    std::memmove(at + kVlanTag, at, size - sizeof(VnetHeader) - kMacs);
    const std::uint16_t words[] = {htons(tag.protocol), htons(tag.control)};
    std::memcpy(at, words, sizeof words);
    VnetHeader header;
    std::memcpy(&header, frame.data(), sizeof header);
    if ((header.flags & kNeedsChecksum) != 0)
        header.csum_start = static_cast<std::uint16_t>(header.csum_start + kVlanTag);
    std::memcpy(frame.data(), &header, sizeof header);
}

}  // namespace

Result<PacketSocket> PacketSocket::open(const PacketSocketOptions& options) {
    CW_TRY(check_interface_name(options.interface));
    PacketSocket packets;
    CW_TRY_ASSIGN(packets.fd_, open_within(options.netns, [&] { return open_socket(options); }));
    packets.name_ = options.interface;
    // The socket asks in its own namespace, wherever this process is.
    CW_TRY_ASSIGN(packets.index_, ethernet_index(packets.fd(), options.interface));
    ifreq request = request_for(options.interface);
    if (::ioctl(packets.fd(), SIOCGIFHWADDR, &request) != 0)
        return fail_errno_format(errno, "look at interface %s", options.interface.c_str());
    MacAddress::Bytes bytes{};
    std::memcpy(bytes.data(), request.ifr_hwaddr.sa_data, bytes.size());
    packets.mac_ = MacAddress(bytes);
    if (::ioctl(packets.fd(), SIOCGIFMTU, &request) != 0)
        return fail_errno_format(errno, "look at interface %s", options.interface.c_str());
    packets.mtu_ = static_cast<std::uint32_t>(request.ifr_mtu);
    return packets;
}

bool PacketSocket::interface_is_there() const noexcept {
    ifreq request{};
    request.ifr_ifindex = index_;
    return ::ioctl(fd_.get(), SIOCGIFNAME, &request) == 0;
}

IoResult PacketSocket::read(std::span<std::byte> frame) noexcept {
    if (frame.size() < kMinFrame)
        return {IoStatus::refused, 0, EINVAL};
    iovec pieces[] = {{frame.data(), kShortHeader},
                      {frame.data() + sizeof(VnetHeader), frame.size() - sizeof(VnetHeader)}};
    alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(tpacket_auxdata))];
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = 0;
    do {
        got = ::recvmsg(fd_.get(), &message, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        const int err = errno;
        if (err == EAGAIN)
            return {IoStatus::again, 0, err};
        if (err == ENETDOWN && interface_is_there())
            return {IoStatus::again, 0, err};
        // The kernel cannot say of this frame how to cut it.
        if (err == EINVAL || err == ENOMEM || err == ENOBUFS)
            return {IoStatus::refused, 0, err};
        return {IoStatus::gone, 0, err};
    }
    if ((message.msg_flags & MSG_TRUNC) != 0)
        return {IoStatus::refused, 0, EMSGSIZE};
    std::memset(frame.data() + kShortHeader, 0, sizeof(VnetHeader) - kShortHeader);
    std::size_t size = static_cast<std::size_t>(got) + sizeof(VnetHeader) - kShortHeader;
    if (size < kMinFrame)
        return {IoStatus::refused, 0, EPROTO};
    if (const Tag tag = tag_of(message); tag.there) {
        if (frame.size() - size < kVlanTag)
            return {IoStatus::refused, 0, EMSGSIZE};
        insert(tag, frame, size);
        size += kVlanTag;
    }
    return {IoStatus::done, size, 0};
}

IoResult PacketSocket::write(std::span<const std::byte, kHeadSize> head,
                             std::span<const std::byte> rest) noexcept {
    const auto ethernet = head.subspan<sizeof(VnetHeader)>();
    // sendmsg only reads them.
    iovec pieces[] = {{const_cast<std::byte*>(head.data()), kShortHeader},
                      {const_cast<std::byte*>(ethernet.data()), ethernet.size()},
                      {const_cast<std::byte*>(rest.data()), rest.size()}};
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = 3;
    ssize_t put = 0;
    do {
        put = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    if (put >= 0)
        return {IoStatus::done, head.size() + rest.size(), 0};
    const int err = errno;
    if (err == EAGAIN)
        return {IoStatus::again, 0, err};
    if ((err == ENXIO || err == ENODEV || err == ENETDOWN) && !interface_is_there())
        return {IoStatus::gone, 0, err};
    return {IoStatus::refused, 0, err};
}

std::uint64_t PacketSocket::take_lost() noexcept {
    tpacket_stats stats{};
    socklen_t size = sizeof stats;
    if (::getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0)
        return 0;
    return stats.tp_drops;
}

}  // namespace causeway::io::network
