// A Unix stream socket with blocking reads and writes: the way that Causeway replaces.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "perf/endpoint.hpp"

namespace causeway::perf {
namespace {

class UnixEndpoint final : public Endpoint {
public:
    UnixEndpoint(const Plan& plan, platform::UniqueFd socket)
        : plan_(plan),
          socket_(std::move(socket)),
          outgoing_(plan.size * plan.buffers),
          incoming_(plan.size * plan.buffers) {}

    std::span<std::byte> buffer(std::uint32_t slot) override { return slot_of(outgoing_, slot); }

    Result<void> submit(std::uint32_t slot) override {
        std::span<const std::byte> left = slot_of(outgoing_, slot);
        while (!left.empty()) {
            const ssize_t n = ::send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL);
            if (n < 0)
                return fail_errno("send on the Unix socket", errno);
            left = left.subspan(static_cast<std::size_t>(n));
        }
        return {};
    }
    Result<void> complete() override { return {}; }

    Result<std::span<std::byte>> receive() override {
        const std::span<std::byte> message = slot_of(incoming_, next_);
        next_ = (next_ + 1) % plan_.buffers;
        for (std::span<std::byte> left = message; !left.empty();) {
            const ssize_t n = ::recv(socket_.get(), left.data(), left.size(), 0);
            if (n < 0)
                return fail_errno("receive from the Unix socket", errno);
            if (n == 0)
                return fail(ErrorCode::peer_gone, "the other end of the Unix socket is gone");
            left = left.subspan(static_cast<std::size_t>(n));
        }
        return message;
    }
    Result<void> release() override { return {}; }
    std::string executor() const override { return "kernel"; }

private:
    [[nodiscard]] std::span<std::byte> slot_of(std::vector<std::byte>& all, std::uint32_t slot) {
        return std::span(all).subspan(slot * plan_.size, plan_.size);
    }

    const Plan& plan_;
    platform::UniqueFd socket_;
    std::vector<std::byte> outgoing_;
    std::vector<std::byte> incoming_;
    std::uint32_t next_ = 0;
};

Result<platform::UniqueFd> connected_socket(Role role, SideChannel& side) {
    std::byte mark{};
    if (role == Role::initiator) {
        CW_TRY_ASSIGN(auto received, platform::receive_message(side.fd(), std::span(&mark, 1),
                                                               platform::Blocking::yes));
        if (!received.descriptor)
            return fail(ErrorCode::protocol, "no Unix socket came through the side channel");
        return std::move(received.descriptor);
    }
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail_errno("socketpair", errno);
    platform::UniqueFd mine(ends[0]);
    const platform::UniqueFd theirs(ends[1]);
    CW_TRY(platform::send_message(side.fd(), std::span(&mark, 1), theirs.get(),
                                  platform::Blocking::yes));
    return mine;
}

}  // namespace

Result<std::unique_ptr<Endpoint>> make_unix_endpoint(const Plan& plan, Role role,
                                                     SideChannel& side) {
    CW_TRY_ASSIGN(auto socket, connected_socket(role, side));
    const timeval patience{kPatience.count(), 0};
    for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
        if (::setsockopt(socket.get(), SOL_SOCKET, option, &patience, sizeof patience) != 0)
            return fail_errno("setsockopt(SO_RCVTIMEO)", errno);
    }
    return std::make_unique<UnixEndpoint>(plan, std::move(socket));
}

}  // namespace causeway::perf
