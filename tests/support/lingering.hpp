// A socket whose last owner waits when it goes: it lingers over bytes that nobody takes. Passed to
// somebody as a descriptor and given up here, it makes him wait.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "platform/fd.hpp"

namespace causeway::test {

class Lingering {
public:
    explicit Lingering(int seconds) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        platform::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        end_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 1) != 0 ||
            ::getsockname(listener.get(), generic, &size) != 0 ||
            ::connect(end_.get(), generic, size) != 0)
            throw std::runtime_error("no TCP connection on the loopback interface");
        peer_.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        const std::vector<char> bytes(1 << 16);
        while (::send(end_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {}
        const linger wait{1, seconds};
        ::setsockopt(end_.get(), SOL_SOCKET, SO_LINGER, &wait, sizeof wait);
    }
    [[nodiscard]] int fd() const { return end_.get(); }
    // Gives up this end, without waiting where it should be the last one.
    void give_up() {
        std::thread([end = std::move(end_)]() mutable { end.reset(); }).detach();
    }
    // Whoever waits need not any more.
    void release() {
        peer_.reset();
        end_.reset();
    }

private:
    platform::UniqueFd end_;
    platform::UniqueFd peer_;
};

}  // namespace causeway::test
