// gRPC over a Unix socket: a synchronous server and a blocking unary stub on one channel, as its
// guides have them. No compression, no deadline, no tracing; channel, stub and messages are reused.
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>

#include "echo.grpc.pb.h"
#include "ipc/contest.hpp"

namespace causeway::bench {
namespace {

std::string address_of(const Place& place) { return "unix:" + place.folder + "/grpc"; }

class EchoServer final : public Echo::Service {
    grpc::Status Call(grpc::ServerContext*, const Blob* request, Blob* answer) override {
        Message message;
        std::memcpy(&message, request->data().data(), sizeof message);
        message[1] = message[0] + message[7];
        answer->set_data(&message, sizeof message);
        return grpc::Status::OK;
    }
};

}  // namespace

void answer_grpc(const Place& place) {
    EchoServer service;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address_of(place), grpc::InsecureServerCredentials());
    builder.RegisterService(&service);
    builder.BuildAndStart()->Wait();
    std::abort();
}

RoundTrips ask_grpc(const Place& place) {
    auto channel = grpc::CreateChannel(address_of(place), grpc::InsecureChannelCredentials());
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20))) {
        std::fprintf(stderr, "bench_ipc: gRPC: the server does not come up\n");
        std::exit(EXIT_FAILURE);
    }
    const auto stub = Echo::NewStub(channel);
    Blob request;
    Blob answer;
    return call_for(place.time, [&](const Message& message) {
        request.set_data(&message, sizeof message);
        grpc::ClientContext context;
        const grpc::Status status = stub->Call(&context, request, &answer);
        Message back;
        std::memcpy(&back, answer.data().data(), sizeof back);
        if (!status.ok() || back[1] != message[0] + message[7]) {
            std::fprintf(stderr, "bench_ipc: gRPC: %s\n", status.error_message().c_str());
            std::exit(EXIT_FAILURE);
        }
    });
}

}  // namespace causeway::bench
