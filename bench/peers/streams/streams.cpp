// Byte streams of the kernel: Unix socket, pipes, TCP over loopback.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "peer/peer.hpp"
#include "perf/stream_endpoint.hpp"

namespace causeway::bench {
namespace {

using namespace perf;
using platform::UniqueFd;

constexpr int kPipeBytes = 1 << 20;  // what an unprivileged process may ask for

StreamWait wait_of(const Plan& plan) {
    return plan.wait == Wait::spin ? StreamWait::spin : StreamWait::block;
}

Result<std::unique_ptr<Endpoint>> make_unix(const Plan& plan, Role role, SideChannel& side) {
    CW_TRY_ASSIGN(auto socket, unix_socket_end(role, side));
    return make_stream_endpoint(plan, {.in = std::move(socket)}, wait_of(plan));
}

Result<std::pair<UniqueFd, UniqueFd>> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return fail_errno("pipe2", errno);
    std::pair<UniqueFd, UniqueFd> pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
    (void)::fcntl(ends[0], F_SETPIPE_SZ, kPipeBytes);  // the default where a limit forbids it
    return pipe;
}

Result<std::unique_ptr<Endpoint>> make_pipes(const Plan& plan, Role role, SideChannel& side) {
    StreamEnds ends{.sockets = false};
    if (role == Role::responder) {
        CW_TRY_ASSIGN(auto to_responder, make_pipe());
        CW_TRY_ASSIGN(auto to_initiator, make_pipe());
        CW_TRY(put_descriptor(side, to_initiator.first.get()));
        CW_TRY(put_descriptor(side, to_responder.second.get()));
        ends.in = std::move(to_responder.first);
        ends.out = std::move(to_initiator.second);
    } else {
        CW_TRY_ASSIGN(ends.in, get_descriptor(side));
        CW_TRY_ASSIGN(ends.out, get_descriptor(side));
    }
    return make_stream_endpoint(plan, std::move(ends), wait_of(plan));
}

Result<UniqueFd> tcp_socket() {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd)
        return fail_errno("socket(AF_INET)", errno);
    return fd;
}

Result<UniqueFd> tcp_end(Role role, SideChannel& side) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    CW_TRY_ASSIGN(UniqueFd fd, tcp_socket());
    if (role == Role::initiator) {
        CW_TRY_ASSIGN(address.sin_port, side.get<in_port_t>());
        if (::connect(fd.get(), any, length) != 0)
            return fail_errno("connect to 127.0.0.1", errno);
        return fd;
    }
    if (::bind(fd.get(), any, length) != 0 || ::listen(fd.get(), 1) != 0 ||
        ::getsockname(fd.get(), any, &length) != 0)
        return fail_errno("listen on 127.0.0.1", errno);
    CW_TRY(side.put(address.sin_port));
    UniqueFd accepted(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!accepted)
        return fail_errno("accept", errno);
    return accepted;
}

Result<std::unique_ptr<Endpoint>> make_tcp(const Plan& plan, Role role, SideChannel& side) {
    CW_TRY_ASSIGN(auto socket, tcp_end(role, side));
    const int on = 1;
    if (::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        return fail_errno("setsockopt(TCP_NODELAY)", errno);
    return make_stream_endpoint(plan, {.in = std::move(socket)}, wait_of(plan));
}

}  // namespace
}  // namespace causeway::bench

int main(int argc, char** argv) {
    using namespace causeway::bench;
    return run_peer(argc, argv,
                    {.name = "bench_peer_streams",
                     .what = "Byte streams of the kernel between two processes",
                     .variants = {{"unix", "Unix stream socket", make_unix},
                                  {"pipe", "a pipe each way", make_pipes},
                                  {"tcp", "TCP over loopback", make_tcp}}});
}
