// RDMA Write with immediate: the writer places blocks into the reader's memory, where the reader
// has told it to; the immediate says which block has come. The reader copies nothing and asks
// nobody.
//
// Needs a running adapter (`causewayd --runtime-dir DIR`) and CAUSEWAY_SOCKET=DIR/fabric.sock.
#include <causeway/causeway.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;
using causeway::Access, causeway::Completion, causeway::Immediate, causeway::Partition;

constexpr std::uint32_t kBlock = 64 << 10;  // bytes
constexpr std::uint32_t kBlocks = 16;

// Waits for the one descriptor that is posted.
Completion await_one(causeway::CompletionQueue& queue) {
    const auto batch = queue.wait(5s);
    if (batch.size() != 1 || !batch.front().ok())
        throw std::runtime_error(batch.empty() ? "nothing came within 5 s" : "a transfer failed");
    return batch.front();
}

// `target` is plain data: it could as well have come in a message.
void writer(causeway::Remote target) try {
    auto partition = Partition::attach("writer").value();
    auto memory = partition.allocate(kBlock).value();
    auto queue = partition.create_completion_queue(64).value();
    auto pair = partition.connect("reader/blocks", {.completions = queue}).value();

    for (std::uint32_t block = 0; block < kBlocks; ++block) {
        std::memset(memory.data(), 'a' + static_cast<int>(block), kBlock);
        causeway::Remote place = target;
        place.address += std::uint64_t{block} * kBlock;
        pair.post_write(memory.slice(0, kBlock), place, block, Immediate{block}).value();
        await_one(queue);  // then the memory may be used again
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "writer: %s\n", error.what());
}

}  // namespace

int main() try {
    auto partition = Partition::attach("reader").value();
    auto blocks = partition.allocate(kBlocks * kBlock, Access::remote_write).value();
    auto queue = partition.create_completion_queue(64).value();
    auto pair = partition.create_queue_pair({.completions = queue}).value();
    auto listener = partition.listen("blocks").value();
    // Each Write with immediate uses up one receive, which needs no memory of its own.
    for (std::uint32_t i = 0; i < kBlocks; ++i)
        pair.post_receive(blocks.slice(0, 0), i).value();
    const std::jthread peer(writer, blocks.remote());
    listener.accept(pair, 5s).value();

    for (std::uint32_t come = 0; come < kBlocks;) {
        const auto batch = queue.wait(5s);
        if (batch.empty())
            throw std::runtime_error("no block came within 5 s");
        for (const Completion& completion : batch) {
            const std::uint32_t block = completion.immediate().value();
            const std::string wanted(kBlock, static_cast<char>('a' + block));
            if (std::memcmp(blocks.data() + block * kBlock, wanted.data(), kBlock) != 0)
                throw std::runtime_error("a block holds something else than was written");
            ++come;
        }
    }
    std::printf("%u blocks of %u bytes were written into place\n", kBlocks, kBlock);
} catch (const std::exception& error) {
    std::fprintf(stderr, "reader: %s\n", error.what());
    return 1;
}
