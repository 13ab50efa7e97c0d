// Requests and answers of Causeway: one client, one request at a time.
#include <causeway/ipc.hpp>

#include <cstdio>
#include <cstdlib>

#include "ipc/contest.hpp"

namespace causeway::bench {
namespace {

using namespace std::chrono_literals;

ipc::Options options_of(Manner manner) {
    ipc::Options options;
    options.max_message = kMessage;
    options.max_answer = kMessage;
    options.wait = manner.sleeps ? Wait::block : Wait::spin;
    options.executor = manner.executor;
    return options;
}

}  // namespace

void answer_causeway(const Place& place, Manner manner) {
    Partition partition = Partition::attach("server", {.socket = place.socket}).value();
    auto server = ipc::RequestServer::open(partition, "echo", options_of(manner)).value();
    for (;;) {
        auto request = server.next().value();
        Message message;
        std::memcpy(&message, request.bytes().data(), sizeof message);
        message[1] = message[0] + message[7];
        (void)request.reply(std::as_bytes(std::span(message)));
    }
}

RoundTrips ask_causeway(const Place& place, Manner manner) {
    Partition partition = Partition::attach("client", {.socket = place.socket}).value();
    auto opened = ipc::RequestClient::open(partition, "server/echo", options_of(manner), 20s);
    while (!opened && opened.error().code == ErrorCode::not_found)  // it is on its way
        opened = ipc::RequestClient::open(partition, "server/echo", options_of(manner), 20s);
    ipc::RequestClient client = std::move(opened).value();
    return call_for(place.time, [&](const Message& message) {
        const auto answer = client.call(std::as_bytes(std::span(message)), 20s).value();
        Message back;
        std::memcpy(&back, answer.bytes().data(), sizeof back);
        if (back[1] != message[0] + message[7])
            std::abort();
    });
}

}  // namespace causeway::bench
