// Ping-pong: two processes send one another eight bytes, and say how long one way takes.
//
// Needs a running adapter (`causewayd --runtime-dir DIR`) and CAUSEWAY_SOCKET=DIR/fabric.sock.
#include <sys/wait.h>
#include <unistd.h>

#include <causeway/causeway.hpp>
#include <chrono>
#include <cstdio>

namespace {

using namespace std::chrono_literals;
using causeway::CompletionQueue, causeway::Partition;

constexpr int kRounds = 20'000;

// Waits for the one completion that can come.
void await_one(CompletionQueue& queue) {
    const auto batch = queue.wait(5s);
    if (batch.size() != 1 || !batch.front().ok())
        throw std::runtime_error(batch.empty() ? "nothing came within 5 s" : "a transfer failed");
}

void ping() {
    auto partition = Partition::attach("ping").value();
    auto memory = partition.allocate(4096).value();
    auto queue = partition.create_completion_queue(64).value();
    auto pair = partition.connect("pong/table", {.completions = queue}).value();

    const auto start = std::chrono::steady_clock::now();
    for (int round = 0; round < kRounds; ++round) {
        pair.post_receive(memory.slice(0, 8), 1).value();
        pair.post_send(memory.slice(8, 8), 2, {.signaled = false}).value();
        await_one(queue);
    }
    const std::chrono::nanoseconds elapsed = std::chrono::steady_clock::now() - start;
    std::printf("one way takes %lld ns\n", static_cast<long long>(elapsed.count()) / kRounds / 2);
}

void pong(Partition& partition, causeway::Listener& listener) {
    auto memory = partition.allocate(4096).value();
    auto queue = partition.create_completion_queue(64).value();
    auto pair = partition.create_queue_pair({.completions = queue}).value();
    pair.post_receive(memory.slice(0, 8), 1).value();  // before the first ping can come
    listener.accept(pair, 5s).value();
    for (int round = 1; round < kRounds; ++round) {
        await_one(queue);
        pair.post_receive(memory.slice(0, 8), 1).value();
        pair.post_send(memory.slice(8, 8), 2, {.signaled = false}).value();
    }
    await_one(queue);
    pair.post_send(memory.slice(8, 8), 2).value();
    await_one(queue);  // closing the queue pair would end a send that is still on its way
}

}  // namespace

int main() try {
    auto partition = Partition::attach("pong").value();
    auto listener = partition.listen("table").value();
    const pid_t child = fork();
    if (child == 0) {  // a child shares nothing with its parent's partition: it attaches anew
        ping();
        return 0;
    }
    pong(partition, listener);
    int status = 0;
    waitpid(child, &status, 0);
    return status == 0 ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "pingpong: %s\n", error.what());
    return 1;
}
