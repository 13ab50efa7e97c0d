// ZeroMQ: a pair of sockets over ipc (a Unix socket underneath, in the abstract namespace).
#include <fmt/format.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "peer/peer.hpp"
#include "perf/endpoint.hpp"

namespace causeway::bench {
namespace {

using namespace perf;

constexpr std::uint64_t kBytesAtEachEnd = std::uint64_t{64} << 20;

tl::unexpected<Error> fail_zmq(const char* what) {
    return fail(ErrorCode::system, fmt::format("ZeroMQ: {}: {}", what, zmq_strerror(errno)));
}

class ZmqEndpoint final : public Endpoint {
public:
    explicit ZmqEndpoint(const Plan& plan) : plan_(plan), outgoing_(plan.size * plan.buffers) {
        zmq_msg_init(&message_);
    }
    ~ZmqEndpoint() override {
        zmq_msg_close(&message_);
        if (socket_ != nullptr)
            zmq_close(socket_);
        if (context_ != nullptr)
            zmq_ctx_term(context_);
    }

    Result<void> open(Role role, SideChannel& side) {
        context_ = zmq_ctx_new();
        socket_ = context_ != nullptr ? zmq_socket(context_, ZMQ_PAIR) : nullptr;
        if (socket_ == nullptr)
            return fail_zmq("zmq_socket");
        const int patience = static_cast<int>(std::chrono::milliseconds(kPatience).count());
        // Messages that may lie about at each end: its default, but for what fills the memory.
        const int most = static_cast<int>(
            std::clamp<std::uint64_t>(kBytesAtEachEnd / plan_.size, plan_.outstanding, 1000));
        const std::pair<int, int> options[] = {{ZMQ_LINGER, 0},
                                               {ZMQ_RCVTIMEO, patience},
                                               {ZMQ_SNDTIMEO, patience},
                                               {ZMQ_SNDHWM, most},
                                               {ZMQ_RCVHWM, most}};
        for (const auto& [option, value] : options) {
            if (zmq_setsockopt(socket_, option, &value, sizeof value) != 0)
                return fail_zmq("zmq_setsockopt");
        }
        const std::string address = fmt::format("ipc://@causeway-bench-{}", ::getppid());
        if (role == Role::responder) {
            if (zmq_bind(socket_, address.c_str()) != 0)
                return fail_zmq("zmq_bind");
            return side.put('b');
        }
        CW_TRY(side.get<char>());
        return zmq_connect(socket_, address.c_str()) == 0 ? Result<void>()
                                                          : fail_zmq("zmq_connect");
    }

    std::span<std::byte> buffer(std::uint32_t slot) override {
        return std::span(outgoing_).subspan(slot * plan_.size, plan_.size);
    }
    Result<void> submit(std::uint32_t slot) override {
        const std::span<std::byte> message = buffer(slot);
        return zmq_send(socket_, message.data(), message.size(), 0) >= 0 ? Result<void>()
                                                                         : fail_zmq("zmq_send");
    }
    Result<void> complete() override { return {}; }
    Result<std::span<std::byte>> receive() override {
        if (zmq_msg_recv(&message_, socket_, 0) < 0)
            return fail_zmq("zmq_msg_recv");
        return std::span(static_cast<std::byte*>(zmq_msg_data(&message_)), zmq_msg_size(&message_));
    }
    Result<void> release() override {
        zmq_msg_close(&message_);
        zmq_msg_init(&message_);
        return {};
    }
    std::string executor() const override { return "zeromq"; }

private:
    const Plan& plan_;
    std::vector<std::byte> outgoing_;
    void* context_ = nullptr;
    void* socket_ = nullptr;
    zmq_msg_t message_{};  // that is out
};

Result<std::unique_ptr<Endpoint>> make_ipc(const Plan& plan, Role role, SideChannel& side) {
    auto endpoint = std::make_unique<ZmqEndpoint>(plan);
    CW_TRY(endpoint->open(role, side));
    return endpoint;
}

}  // namespace
}  // namespace causeway::bench

int main(int argc, char** argv) {
    using namespace causeway::bench;
    return run_peer(argc, argv,
                    {.name = "bench_peer_zeromq",
                     .what = "ZeroMQ between two processes; it always blocks, its own threads work",
                     .variants = {{"ipc", "a pair of sockets over ipc", make_ipc}}});
}
