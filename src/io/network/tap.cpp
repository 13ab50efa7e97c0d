#include "io/network/tap.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "io/network/netns.hpp"

namespace causeway::io::network {

namespace {

using platform::UniqueFd;

// TUN_F_USO4 and TUN_F_USO6 of Linux 6.2, which older headers lack.
constexpr unsigned kUso = 0x20 | 0x40;
constexpr unsigned kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

Result<void> check(const TapOptions& options) {
    CW_TRY(check_interface_name(options.name));
    if (options.mtu < kMinMtu || options.mtu > kMaxMtu)
        return fail_format(ErrorCode::invalid_argument, "an MTU of %u bytes: take %u to %u",
                           options.mtu, kMinMtu, kMaxMtu);
    if (options.mac && !options.mac->is_station())
        return fail_format(ErrorCode::invalid_argument,
                           "MAC address %s cannot be an interface's: take one whose first byte is "
                           "even and that is not all zero",
                           options.mac->to_string().c_str());
    return {};
}

Result<UniqueFd> open_device(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (fd)
        return fd;
    const int err = errno;
    if (err == ENOENT || err == ENXIO || err == ENODEV)
        return fail_format(ErrorCode::unsupported,
                           "open %s: %s. Load the kernel's module (modprobe tun); give it to a "
                           "container (--device /dev/net/tun) or to a sandbox (bwrap --dev-bind "
                           "/dev/net/tun /dev/net/tun)",
                           path.c_str(), errno_text(err).c_str());
    if (err == EACCES || err == EPERM)
        return fail_format(ErrorCode::denied,
                           "open %s: %s. Run as root, or let this user read and write it (it is "
                           "harmless: making interfaces takes CAP_NET_ADMIN all the same)",
                           path.c_str(), errno_text(err).c_str());
    return fail_errno_format(err, "open %s", path.c_str());
}

ifreq request_for(const std::string& name) {
    ifreq request{};
    std::memcpy(request.ifr_name, name.data(), name.size());  // checked; the rest is NUL
    return request;
}

Result<void> create(int fd, const std::string& name) {
    ifreq request = request_for(name);
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
    if (::ioctl(fd, TUNSETIFF, &request) == 0)
        return {};
    const int err = errno;
    if (err == EBUSY || err == EEXIST)
        return fail_format(ErrorCode::name_in_use,
                           "there is an interface %s already: take another name", name.c_str());
    if (err == EPERM)
        return fail_format(ErrorCode::denied,
                           "make interface %s: not without CAP_NET_ADMIN in its network namespace: "
                           "run as root, or give the container or service that capability",
                           name.c_str());
    return fail_errno_format(err, "make interface %s", name.c_str());
}

Result<void> set_format(int fd) {
    const int size = sizeof(VnetHeader);
    const int little = 1;
    if (::ioctl(fd, TUNSETVNETHDRSZ, &size) != 0)
        return fail_errno("set the TAP's header to 12 bytes", errno);
    if (::ioctl(fd, TUNSETVNETLE, &little) != 0)
        return fail_errno("set the TAP's header to little-endian", errno);
    return {};
}

// What the interface leaves to us; less where the kernel is older.
Offload set_offload(int fd, Offload most) {
    if (most >= Offload::tcp_udp && ::ioctl(fd, TUNSETOFFLOAD, kTcp | kUso) == 0)
        return Offload::tcp_udp;
    if (most >= Offload::tcp && ::ioctl(fd, TUNSETOFFLOAD, kTcp) == 0)
        return Offload::tcp;
    (void)::ioctl(fd, TUNSETOFFLOAD, 0U);
    return Offload::none;
}

Result<void> change_carrier(int fd, Carrier carrier) {
    const int on = carrier == Carrier::on ? 1 : 0;
    if (::ioctl(fd, TUNSETCARRIER, &on) != 0)
        return fail_errno("set the TAP's carrier", errno);
    return {};
}

// Everything that is done in the interface's own namespace.
Result<UniqueFd> make_interface(const TapOptions& options) {
    CW_TRY_ASSIGN(UniqueFd fd, open_device(options.device));
    CW_TRY(create(fd.get(), options.name));
    CW_TRY(set_format(fd.get()));
    CW_TRY(change_carrier(fd.get(), options.carrier));
    (void)set_offload(fd.get(), options.offload);
    CW_TRY_ASSIGN(RouteSocket route, RouteSocket::open());
    CW_TRY(route.change_link(options.name, {.mac = options.mac, .mtu = options.mtu}));
    for (const InterfaceAddress& address : options.addresses)
        CW_TRY(route.add_address(options.name, address));
    CW_TRY(route.change_link(options.name, {.up = true}));
    return fd;
}

}  // namespace

Result<Tap> Tap::open(const TapOptions& options) {
    CW_TRY(check(options));
    Tap tap;
    CW_TRY_ASSIGN(tap.fd_, open_within(options.netns, [&] { return make_interface(options); }));
    tap.name_ = options.name;
    tap.mtu_ = options.mtu;
    tap.offload_ = set_offload(tap.fd_.get(), options.offload);  // again, to know what it is
    ifreq request = request_for(options.name);
    if (::ioctl(tap.fd_.get(), SIOCGIFHWADDR, &request) != 0)
        return fail_errno("ask for the TAP's MAC address", errno);
    MacAddress::Bytes bytes{};
    std::memcpy(bytes.data(), request.ifr_hwaddr.sa_data, bytes.size());
    tap.mac_ = MacAddress(bytes);
    return tap;
}

IoResult Tap::read(std::span<std::byte> frame) noexcept {
    if (frame.size() < kMinFrame)
        return {IoStatus::refused, 0, EINVAL};
    // The kernel cuts off in silence what does not fit: a byte beyond the buffer tells.
    std::byte beyond{};
    const iovec pieces[] = {{frame.data(), frame.size()}, {&beyond, 1}};
    ssize_t got = 0;
    do {
        got = ::readv(fd_.get(), pieces, 2);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return {errno == EAGAIN ? IoStatus::again : IoStatus::gone, 0, errno};
    const auto size = static_cast<std::size_t>(got);
    if (size > frame.size())
        return {IoStatus::refused, 0, EMSGSIZE};
    if (size < kMinFrame)
        return {IoStatus::refused, 0, EPROTO};
    // The kernel fills the first ten bytes of the header, and before 6.15 only those.
    std::memset(frame.data() + offsetof(VnetHeader, num_buffers), 0,
                sizeof(VnetHeader::num_buffers));
    return {IoStatus::done, size, 0};
}

IoResult Tap::write(std::span<const std::byte, kHeadSize> head,
                    std::span<const std::byte> rest) noexcept {
    // writev only reads them.
    const iovec pieces[] = {{const_cast<std::byte*>(head.data()), head.size()},
                            {const_cast<std::byte*>(rest.data()), rest.size()}};
    ssize_t put = 0;
    do {
        put = ::writev(fd_.get(), pieces, 2);
    } while (put < 0 && errno == EINTR);
    if (put >= 0)
        return {IoStatus::done, head.size() + rest.size(), 0};
    if (errno == EAGAIN)
        return {IoStatus::again, 0, EAGAIN};
    if (errno == EBADFD || errno == EBADF)
        return {IoStatus::gone, 0, errno};
    return {IoStatus::refused, 0, errno};
}

Result<void> Tap::set_carrier(Carrier carrier) { return change_carrier(fd_.get(), carrier); }

}  // namespace causeway::io::network
