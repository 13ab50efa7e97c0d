// A message queue of Causeway: one sender, one receiver.
#include <causeway/ipc.h>

#include <cstdio>
#include <cstdlib>

#include "ipc/contest.hpp"

namespace causeway::bench {
namespace {

constexpr std::uint64_t kPatience = 20'000'000'000;  // ns

void check(int code, const char* what) {
    if (code == CW_OK)
        return;
    std::fprintf(stderr, "bench_ipc: %s: %s\n", what, cw_error_text());
    std::exit(EXIT_FAILURE);
}

cw_partition* attach(const Place& place, const char* name) {
    cw_attach_options options{};
    options.size = sizeof options;
    options.socket = place.socket.c_str();
    options.name = name;
    cw_partition* partition = nullptr;
    check(cw_partition_attach(&options, &partition), "attach");
    return partition;
}

cw_ipc_options options_of(Manner manner) {
    cw_ipc_options options{};
    options.size = sizeof options;
    options.max_message = kMessage;
    options.max_answer = kMessage;
    options.wait = manner.sleeps ? CW_WAIT_BLOCK : CW_WAIT_SPIN;
    options.executor = manner.executor;
    return options;
}

}  // namespace

Received receive_causeway(const Place& place, Manner manner) {
    cw_partition* const partition = attach(place, "receiver");
    const cw_ipc_options options = options_of(manner);
    cw_mq_receiver* receiver = nullptr;
    check(cw_mq_receiver_open(partition, "queue", &options, &receiver), "open the receiver");
    Tally tally;
    for (;;) {
        cw_message message;
        check(cw_mq_receive(receiver, &message, kPatience), "receive");
        const bool more = tally.take(message.data);
        check(cw_mq_release(receiver, &message), "release");
        if (!more)
            return tally.result();
    }
}

void send_causeway(const Place& place, Manner manner) {
    cw_partition* const partition = attach(place, "sender");
    const cw_ipc_options options = options_of(manner);
    cw_mq_sender* sender = nullptr;
    int code = CW_ERROR_NOT_FOUND;
    while (code == CW_ERROR_NOT_FOUND)  // the receiver is on its way
        code = cw_mq_sender_open(partition, "receiver/queue", &options, kPatience, &sender);
    check(code, "connect");
    send_for(place.time, [&](const Message& message) {
        check(cw_mq_send(sender, message.data(), sizeof message, kPatience), "send");
    });
    cw_mq_sender_close(sender);
}

}  // namespace causeway::bench
