// Requests and answers: a client with four requests under way, a server that answers them in
// another order, and one that it answers too late.
//
// Needs a running adapter (`causewayd --runtime-dir DIR`) and CAUSEWAY_SOCKET=DIR/fabric.sock.
#include <sys/wait.h>
#include <unistd.h>

#include <causeway/ipc.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using causeway::ErrorCode;
using causeway::Partition;
namespace ipc = causeway::ipc;

// Takes four requests, and answers the last one first.
void serve(ipc::RequestServer& server) {
    std::vector<ipc::Request> requests;
    while (requests.size() < 4)
        requests.push_back(server.next(5s).value());
    std::this_thread::sleep_for(100ms);  // too long for the hasty one
    while (!requests.empty()) {
        const int number = std::stoi(std::string(requests.back().text()));
        requests.back().reply(std::to_string(number * number)).value();
        requests.pop_back();
    }
}

int ask() {
    auto partition = Partition::attach("client").value();
    auto client = ipc::RequestClient::open(partition, "server/squares").value();
    for (std::uint64_t number = 2; number < 5; ++number)
        client.start(std::to_string(number), number, 5s).value();
    client.start("5", 5, 20ms).value();  // in a hurry
    for (int i = 0; i < 4; ++i) {
        const auto answer = client.finish().value();
        if (answer.ok()) {
            std::printf("%d squared is %s\n", static_cast<int>(answer.user()),
                        std::string(answer.text()).c_str());
        } else if (answer.error() == ErrorCode::timed_out) {
            std::printf("no answer about %d in time\n", static_cast<int>(answer.user()));
        } else {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}

}  // namespace

int main() {
    auto partition = Partition::attach("server");
    if (!partition) {
        std::fprintf(stderr, "request_response: %s\n", partition.error().text.c_str());
        return EXIT_FAILURE;
    }
    try {
        auto server = ipc::RequestServer::open(*partition, "squares").value();
        if (::fork() == 0)  // attaches anew: nothing of its parent's partition works in it
            std::exit(ask());
        serve(server);
        int status = EXIT_FAILURE;
        ::wait(&status);
        return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const causeway::BadResult& bad) {
        std::fprintf(stderr, "request_response: %s\n", bad.what());
        return EXIT_FAILURE;
    }
}
