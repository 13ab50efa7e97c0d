#include "perf/stream_endpoint.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "platform/cpu.hpp"

namespace causeway::perf {
namespace {

constexpr unsigned kTriesPerLook = 4096;  // at the clock, while spinning

class StreamEndpoint final : public Endpoint {
public:
    StreamEndpoint(const Plan& plan, StreamEnds ends, StreamWait wait)
        : plan_(plan),
          wait_(wait),
          ends_(std::move(ends)),
          in_(ends_.in.get()),
          out_(ends_.out ? ends_.out.get() : in_),
          outgoing_(plan.size * plan.buffers),
          incoming_(plan.size * plan.buffers) {}

    std::span<std::byte> buffer(std::uint32_t slot) override { return slot_of(outgoing_, slot); }

    Result<void> submit(std::uint32_t slot) override {
        std::span<const std::byte> left = slot_of(outgoing_, slot);
        while (!left.empty()) {
            const ssize_t n = ends_.sockets ? ::send(out_, left.data(), left.size(), MSG_NOSIGNAL)
                                            : ::write(out_, left.data(), left.size());
            if (n < 0)
                CW_TRY(try_again("send on the stream"));
            else
                left = left.subspan(progress(n));
        }
        return {};
    }
    Result<void> complete() override { return {}; }

    Result<std::span<std::byte>> receive() override {
        const std::span<std::byte> message = slot_of(incoming_, next_);
        next_ = next_ + 1 == plan_.buffers ? 0 : next_ + 1;
        for (std::span<std::byte> left = message; !left.empty();) {
            const ssize_t n = ends_.sockets ? ::recv(in_, left.data(), left.size(), 0)
                                            : ::read(in_, left.data(), left.size());
            if (n == 0)
                return fail(ErrorCode::peer_gone, "the other end of the stream is gone");
            if (n < 0)
                CW_TRY(try_again("receive from the stream"));
            else
                left = left.subspan(progress(n));
        }
        return message;
    }
    Result<void> release() override { return {}; }
    std::string executor() const override { return "kernel"; }

private:
    [[nodiscard]] std::span<std::byte> slot_of(std::vector<std::byte>& all, std::uint32_t slot) {
        return std::span(all).subspan(slot * plan_.size, plan_.size);
    }
    [[nodiscard]] std::size_t progress(ssize_t n) noexcept {
        tries_ = 0;
        return static_cast<std::size_t>(n);
    }
    // After a call that failed: nothing where spinning goes on.
    [[nodiscard]] Result<void> try_again(const char* what) {
        const int error = errno;
        if (error != EAGAIN || wait_ != StreamWait::spin)
            return fail_errno(what, error);
        if (tries_++ == 0)
            since_ = platform::monotonic_ns();
        if (tries_ % kTriesPerLook == 0 &&
            platform::monotonic_ns() - since_ >
                static_cast<std::uint64_t>(std::chrono::nanoseconds(kPatience).count()))
            return fail_errno(what, ETIMEDOUT);
        return {};
    }

    const Plan& plan_;
    const StreamWait wait_;
    StreamEnds ends_;
    const int in_;
    const int out_;
    std::vector<std::byte> outgoing_;
    std::vector<std::byte> incoming_;
    std::uint32_t next_ = 0;
    unsigned tries_ = 0;       // in a row that moved nothing,
    std::uint64_t since_ = 0;  // since then
};

Result<void> set_nonblocking(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return fail_errno("fcntl(O_NONBLOCK)", errno);
    return {};
}

}  // namespace

Result<std::unique_ptr<Endpoint>> make_stream_endpoint(const Plan& plan, StreamEnds ends,
                                                       StreamWait wait) {
    const timeval patience{kPatience.count(), 0};
    for (const int fd : {ends.in.get(), ends.out.get()}) {
        if (fd < 0)
            continue;
        if (wait == StreamWait::spin)
            CW_TRY(set_nonblocking(fd));
        for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
            if (ends.sockets &&
                ::setsockopt(fd, SOL_SOCKET, option, &patience, sizeof patience) != 0)
                return fail_errno("setsockopt(SO_RCVTIMEO)", errno);
        }
    }
    return std::make_unique<StreamEndpoint>(plan, std::move(ends), wait);
}

Result<void> put_descriptor(SideChannel& side, int fd) {
    const std::byte mark{};
    return platform::send_message(side.fd(), std::span(&mark, 1), fd, platform::Blocking::yes);
}

Result<platform::UniqueFd> get_descriptor(SideChannel& side) {
    std::byte mark{};
    CW_TRY_ASSIGN(auto received, platform::receive_message(side.fd(), std::span(&mark, 1),
                                                           platform::Blocking::yes));
    if (!received.descriptor)
        return fail(ErrorCode::protocol, "no descriptor came through the side channel");
    return std::move(received.descriptor);
}

Result<platform::UniqueFd> unix_socket_end(Role role, SideChannel& side) {
    if (role == Role::initiator)
        return get_descriptor(side);
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail_errno("socketpair", errno);
    platform::UniqueFd mine(ends[0]);
    const platform::UniqueFd theirs(ends[1]);
    CW_TRY(put_descriptor(side, theirs.get()));
    return mine;
}

// A Unix stream socket with blocking reads and writes: the way that Causeway replaces.
Result<std::unique_ptr<Endpoint>> make_unix_endpoint(const Plan& plan, Role role,
                                                     SideChannel& side) {
    CW_TRY_ASSIGN(auto socket, unix_socket_end(role, side));
    return make_stream_endpoint(plan, {.in = std::move(socket)}, StreamWait::block);
}

}  // namespace causeway::perf
