// ZeroMQ: PUSH and PULL over ipc, each with its own I/O thread, as its guide has it. No limit on
// how much may be queued but its default high-water mark of 1000 messages at each end.
#include <zmq.h>

#include <cstdio>
#include <cstdlib>

#include "ipc/contest.hpp"

namespace causeway::bench {
namespace {

void check(bool good, const char* what) {
    if (good)
        return;
    std::fprintf(stderr, "bench_ipc: ZeroMQ: %s: %s\n", what, zmq_strerror(zmq_errno()));
    std::exit(EXIT_FAILURE);
}

std::string address_of(const Place& place) { return "ipc://" + place.folder + "/zeromq"; }

}  // namespace

Received receive_zeromq(const Place& place) {
    void* const context = zmq_ctx_new();
    void* const socket = zmq_socket(context, ZMQ_PULL);
    check(socket != nullptr && zmq_bind(socket, address_of(place).c_str()) == 0, "bind");
    Tally tally;
    zmq_msg_t message;
    for (bool more = true; more;) {
        check(zmq_msg_init(&message) == 0, "msg_init");
        check(zmq_msg_recv(&message, socket, 0) == static_cast<int>(kMessage), "recv");
        more = tally.take(zmq_msg_data(&message));
        zmq_msg_close(&message);
    }
    const Received received = tally.result();
    zmq_close(socket);
    zmq_ctx_term(context);
    return received;
}

void send_zeromq(const Place& place) {
    void* const context = zmq_ctx_new();
    void* const socket = zmq_socket(context, ZMQ_PUSH);
    check(socket != nullptr && zmq_connect(socket, address_of(place).c_str()) == 0, "connect");
    send_for(place.time, [&](const Message& message) {
        check(zmq_send(socket, message.data(), sizeof message, 0) >= 0, "send");
    });
    zmq_close(socket);  // lingers until all is sent
    zmq_ctx_term(context);
}

}  // namespace causeway::bench
