// Containers in registered memory: a std::pmr::vector grows as it likes and is then sent from where
// it lies.
//
// Needs a running adapter (`causewayd --runtime-dir DIR`) and CAUSEWAY_SOCKET=DIR/fabric.sock.
#include <causeway/causeway.hpp>
#include <causeway/memory_resource.hpp>
#include <chrono>
#include <cstdio>
#include <memory_resource>
#include <numeric>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using causeway::Completion, causeway::Partition, causeway::RegionResource;

constexpr std::size_t kValues = 100'000;

// Waits for the one descriptor that is posted.
Completion await_one(causeway::CompletionQueue& queue) {
    const auto batch = queue.wait(5s);
    if (batch.size() != 1 || !batch.front().ok())
        throw std::runtime_error(batch.empty() ? "nothing came within 5 s" : "a transfer failed");
    return batch.front();
}

void sender() try {
    auto partition = Partition::attach("sender").value();
    RegionResource memory(partition);
    std::pmr::unsynchronized_pool_resource pool(&memory);  // small allocations end here
    std::pmr::vector<double> values(&pool);
    for (std::size_t i = 0; i < kValues; ++i)
        values.push_back(static_cast<double>(i));

    auto queue = partition.create_completion_queue(64).value();
    auto pair = partition.connect("adder/values", {.completions = queue}).value();
    const auto bytes = values.size() * sizeof(double);
    pair.post_send(memory.slice(values.data(), bytes).value(), 1).value();
    await_one(queue);  // until then the vector must stay as it is
} catch (const std::exception& error) {
    std::fprintf(stderr, "sender: %s\n", error.what());
}

}  // namespace

int main() try {
    auto partition = Partition::attach("adder").value();
    RegionResource memory(partition);
    std::pmr::vector<double> values(kValues, &memory);
    const auto bytes = values.size() * sizeof(double);

    auto queue = partition.create_completion_queue(64).value();
    auto pair = partition.create_queue_pair({.completions = queue}).value();
    pair.post_receive(memory.slice(values.data(), bytes).value(), 1).value();
    auto listener = partition.listen("values").value();
    const std::jthread peer(sender);
    listener.accept(pair, 5s).value();

    const Completion received = await_one(queue);
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    std::printf("%u bytes received, the sum is %.0f\n", received.length(), sum);
    return sum == static_cast<double>(kValues) * (kValues - 1) / 2 ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "pmr: %s\n", error.what());
    return 1;
}
