// An append log: several writers add records to one region of the reader. The adapter gives every
// record its place under the region's lock, so the writers need not know of one another.
//
// Needs a running adapter (`causewayd --runtime-dir DIR`) and CAUSEWAY_SOCKET=DIR/fabric.sock.
#include <causeway/causeway.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using causeway::Access, causeway::Completion, causeway::Partition;

constexpr int kWriters = 3;
constexpr int kRecords = 4;  // of each writer

struct Record {
    char text[64];
};

// Waits for the one descriptor that is posted.
Completion await_one(causeway::CompletionQueue& queue) {
    const auto batch = queue.wait(5s);
    if (batch.size() != 1 || !batch.front().ok())
        throw std::runtime_error(batch.empty() ? "nothing came within 5 s" : "a transfer failed");
    return batch.front();
}

void writer(int number, causeway::Remote log) try {
    auto partition = Partition::attach("writer-" + std::to_string(number)).value();
    auto memory = partition.allocate(sizeof(Record)).value();
    auto queue = partition.create_completion_queue(64).value();
    auto pair = partition.connect("log/append", {.completions = queue}).value();
    for (int i = 0; i < kRecords; ++i) {
        auto* record = reinterpret_cast<Record*>(memory.data());
        std::snprintf(record->text, sizeof record->text, "record %d of writer %d", i, number);
        pair.post_append(memory.slice(0, sizeof(Record)), log, 0).value();
        const Completion done = await_one(queue);
        std::printf("writer %d: record %d went to offset %llu\n", number, i,
                    static_cast<unsigned long long>(done.offset()));
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "writer %d: %s\n", number, error.what());
}

}  // namespace

int main() try {
    auto partition = Partition::attach("log").value();
    auto log = partition.allocate(1 << 16, Access::append).value();
    auto queue = partition.create_completion_queue(64).value();
    auto listener = partition.listen("append").value();

    std::vector<std::jthread> writers;
    for (int i = 0; i < kWriters; ++i)
        writers.emplace_back(writer, i, log.remote());
    std::vector<causeway::QueuePair> pairs;
    for (int i = 0; i < kWriters; ++i) {
        pairs.push_back(partition.create_queue_pair({.completions = queue}).value());
        listener.accept(pairs.back(), 5s).value();
    }
    writers.clear();  // joins them

    const std::uint64_t end = log.append_offset().value();
    std::printf("the log:\n");
    for (std::uint64_t at = 0; at < end; at += sizeof(Record))
        std::printf("%6llu  %s\n", static_cast<unsigned long long>(at),
                    reinterpret_cast<const Record*>(log.data() + at)->text);
    return end == kWriters * kRecords * sizeof(Record) ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "append_log: %s\n", error.what());
    return 1;
}
