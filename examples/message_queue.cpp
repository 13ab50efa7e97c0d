// A message queue: two senders, each a process of its own, and one receiver that takes what they
// have for it in an epoll loop.
//
// Needs a running adapter (`causewayd --runtime-dir DIR`) and CAUSEWAY_SOCKET=DIR/fabric.sock.
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <causeway/ipc.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace std::chrono_literals;
using causeway::Partition;
namespace ipc = causeway::ipc;

constexpr int kSenders = 2;
constexpr int kEach = 1000;

void send(int number) {
    auto partition = Partition::attach("sender-" + std::to_string(number)).value();
    auto sender = ipc::MessageSender::open(partition, "collector/orders").value();
    for (int i = 0; i < kEach; ++i) {
        // Waits where the receiver is behind; with ipc::kNow it would fail instead.
        sender.send("order " + std::to_string(i), 5s).value();
    }
}

int receive(Partition& partition) {
    auto receiver = ipc::MessageReceiver::open(partition, "orders").value();
    const int poll = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event want{};
    want.events = EPOLLIN;
    if (poll < 0 || ::epoll_ctl(poll, EPOLL_CTL_ADD, receiver.fd().value(), &want) != 0)
        return EXIT_FAILURE;
    for (int n = 1; n <= kSenders; ++n) {
        if (::fork() == 0) {  // attaches anew: nothing of its parent's partition works in it
            send(n);
            std::exit(EXIT_SUCCESS);
        }
    }
    int got = 0;
    std::size_t bytes = 0;
    while (got < kSenders * kEach) {
        while (auto message = receiver.receive(ipc::kNow)) {
            ++got;
            bytes += message->bytes().size();  // read in place; given back at the end of its life
        }
        epoll_event event{};
        if (got < kSenders * kEach && ::epoll_wait(poll, &event, 1, 5000) != 1) {
            std::fprintf(stderr, "message_queue: nothing came\n");
            return EXIT_FAILURE;
        }
    }
    ::close(poll);
    std::printf("%d messages of %d senders, %zu bytes\n", got, kSenders, bytes);
    return EXIT_SUCCESS;
}

}  // namespace

int main() {
    auto partition = Partition::attach("collector");
    if (!partition) {
        std::fprintf(stderr, "message_queue: %s\n", partition.error().text.c_str());
        return EXIT_FAILURE;
    }
    int status = EXIT_FAILURE;
    try {
        status = receive(*partition);
    } catch (const causeway::BadResult& bad) {
        std::fprintf(stderr, "message_queue: %s\n", bad.what());
    }
    while (::wait(nullptr) > 0) {}
    return status;
}
