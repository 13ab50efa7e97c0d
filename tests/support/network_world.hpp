// Network namespaces for tests, and what is needed to look into them. Everything goes with the
// process that made it: tests run their parts by in_network().
//
// Threading: one thread, before the test has others (it forks and changes namespaces).
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "io/network/device.hpp"
#include "platform/fd.hpp"
#include "support/command.hpp"
#include "support/frames.hpp"
#include "support/in_child.hpp"

namespace causeway::test {

// The Ethertype of the tests' own frames, which the kernel's own (IPv6 asks for routers, groups and
// doubles) are told apart by.
inline constexpr std::uint16_t kTestType = 0x88b5;

// Why these tests cannot run here; empty if they can.
[[nodiscard]] inline std::string no_network_tests() {
    if (::geteuid() != 0)
        return "needs root, to make network namespaces";
    if (::access("/dev/net/tun", R_OK | W_OK) != 0)
        return "no /dev/net/tun here";
    return {};
}

// A network namespace of this process.
class Namespace {
public:
    // A new one, and this process is in it.
    Namespace() {
        if (::unshare(CLONE_NEWNET) != 0) {
            std::printf("no network namespace can be made here: %s\n", std::strerror(errno));
            std::fflush(nullptr);
            ::_exit(kSkipped);
        }
        fd_.reset(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    }
    void enter() const { ASSERT_EQ(::setns(fd_.get(), CLONE_NEWNET), 0); }
    // Also good in a child of this process.
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

private:
    platform::UniqueFd fd_;
};

// Runs `part` in a process and a network namespace of its own.
template<typename Part>
void in_network(Part part) {
    if (const std::string reason = no_network_tests(); !reason.empty())
        GTEST_SKIP() << reason;
    in_child([&] {
        const Namespace here;
        part(here);
    });
}

// `ip` with these arguments; what it printed. It must succeed.
[[nodiscard]] inline std::string ip(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "ip");
    const Finished finished = run_command(arguments);
    EXPECT_EQ(finished.status, 0) << finished.err;
    return finished.out;
}

// The kernel takes notice of a cable in its own time, and drops what is sent until then.
inline void wait_until_up(const std::string& interface) {
    EXPECT_TRUE(eventually([&] {
        return ip({"-json", "link", "show", "dev", interface}).find("\"operstate\":\"UP\"") !=
               std::string::npos;
    })) << interface;
}

inline void make_veth(const std::string& one, const std::string& other) {
    (void)ip({"link", "add", one, "type", "veth", "peer", "name", other});
    (void)ip({"link", "set", one, "up"});
    (void)ip({"link", "set", other, "up"});
    wait_until_up(one);
    wait_until_up(other);
}

[[nodiscard]] inline bool readable(int fd, int patience_ms = 30000) {
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, patience_ms) == 1;
}

// The next of the tests' own frames; empty if none comes.
[[nodiscard]] inline Frame next_frame(io::network::Device& device) {
    Frame frame(io::network::kMaxFrame);
    while (readable(device.fd())) {
        const io::network::IoResult result = device.read(frame);
        if (result.status == io::network::IoStatus::again)
            continue;
        if (result.status != io::network::IoStatus::done) {
            ADD_FAILURE() << name(result.status) << ": " << std::strerror(result.error);
            return {};
        }
        const std::uint16_t type =
            io::network::check_frame({frame.data(), result.bytes}, io::network::kMaxMtu)
                .facts.ethertype;
        if (type != kTestType)
            continue;
        frame.resize(result.bytes);
        return frame;
    }
    return {};
}

// A packet socket as plain as can be: whole Ethernet frames, nothing in front of them.
class RawSocket {
public:
    explicit RawSocket(const std::string& interface) {
        fd_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(kTestType)));
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(kTestType);
        address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
        EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    void send(std::span<const std::byte> ethernet) const {
        EXPECT_EQ(::send(fd_.get(), ethernet.data(), ethernet.size(), 0),
                  static_cast<ssize_t>(ethernet.size()))
            << std::strerror(errno);
    }
    [[nodiscard]] Frame next() const {
        Frame frame(io::network::kMaxFrame);
        if (!readable(fd_.get()))
            return {};
        const ssize_t got = ::recv(fd_.get(), frame.data(), frame.size(), 0);
        frame.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return frame;
    }

private:
    platform::UniqueFd fd_;
};

[[nodiscard]] inline Frame ethernet_of(const Frame& frame) {
    return {frame.begin() + sizeof(io::network::VnetHeader), frame.end()};
}

// This process, still the same user, may do nothing special any more.
inline void drop_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    ASSERT_EQ(::syscall(SYS_capset, &header, none), 0);
}

}  // namespace causeway::test
