// The owner of a region takes its memory away, or tries to, while others read and write it.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <thread>

#include "support/hostile_world.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

class RegionHostile : public DataHostile {};

TEST_F(RegionHostile, CannotShrinkWhatItHasHandedOverOrWasGiven) {
    const RawRegion region = attacker->allocate(1 << 20, 0);
    const RawPair pair = connected();
    for (const int fd : {region.file.get(), pair.file.get(), attacker->mover().file.get(),
                         attacker->completions().file.get(), attacker->events().file.get()}) {
        EXPECT_EQ(::ftruncate(fd, 0), -1);
        EXPECT_EQ(errno, EPERM);
        EXPECT_EQ(::ftruncate(fd, 1 << 21), -1);
        EXPECT_EQ(errno, EPERM);
        // Neither can it stop the adapter from writing.
        EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    }
}

// A partition on the right side of the law that reads and writes the attacker's region.
struct Reader {
    explicit Reader(const std::string& socket)
        : partition(Partition::attach("reader", {socket}).value()),
          queue(partition.create_completion_queue(64).value()),
          memory(partition.allocate(kMove).value()),
          pair(partition.create_queue_pair({.completions = queue}).value()) {}
    static constexpr std::uint32_t kMove = 32 << 20;
    Partition partition;
    CompletionQueue queue;
    Region memory;
    QueuePair pair;
};

TEST_F(RegionHostile, PunchingHolesCostsTheOwnerItsSession) {
    constexpr std::uint64_t kSize = abi::kRegionPart;
    Reader reader(adapter->socket());
    const RawRegion region =
        attacker->allocate(kSize, abi::right::kRemoteRead | abi::right::kRemoteWrite);
    const std::uint32_t listener = attacker->listen("trap");
    RawPair pair = attacker->create_pair(kSmallShape);
    reader.pair.connect("attacker/trap", 0ns).value();
    while (!attacker->accept(listener, pair)) {}

    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> punched{0};
    std::thread owner([&] {
        Random random(9);
        while (!stop.load(std::memory_order_relaxed)) {
            const auto offset = static_cast<off_t>(random.below(8) * (kSize / 8));
            (void)::fallocate(region.file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                              static_cast<off_t>(kSize / 8));
            punched.fetch_add(1, std::memory_order_relaxed);
        }
    });
    const Remote remote{region.handle, region.generation, region.address()};
    std::uint64_t moves = 0;
    bool gone = false;
    const auto begin = std::chrono::steady_clock::now();
    while (!gone && std::chrono::steady_clock::now() - begin < 60s) {
        const Slice slice = reader.memory.slice(0, Reader::kMove);
        const auto posted = moves % 2 == 0 ? reader.pair.post_read(slice, remote, moves)
                                           : reader.pair.post_write(slice, remote, moves);
        if (!posted.has_value())
            break;  // the queue pair has ended
        const CompletionBatch batch = reader.queue.wait(60s);
        ASSERT_EQ(batch.size(), 1u) << "a move neither ended nor failed";
        const Status status = batch.front().status();
        gone = status == Status::peer_gone || status == Status::flushed;
        ASSERT_TRUE(gone || status == Status::success || status == Status::remote_access)
            << name(status);
        ++moves;
    }
    stop.store(true);
    owner.join();
    EXPECT_GT(punched.load(), 0u);
    EXPECT_GT(moves, 0u);
    EXPECT_TRUE(attacker->evicted()) << moves << " moves, " << punched.load() << " holes";
    EXPECT_TRUE(bystanders->go_on()) << bystanders->trouble();
}

TEST_F(RegionHostile, DeregistersInTheMiddleOfMoves) {
    Reader reader(adapter->socket());
    const std::uint32_t listener = attacker->listen("trap");
    RawPair pair = attacker->create_pair(kSmallShape);
    reader.pair.connect("attacker/trap", 0ns).value();
    while (!attacker->accept(listener, pair)) {}
    std::uint64_t refused = 0;
    std::uint64_t done = 0;
    Random random(13);
    for (int round = 0; round < 30; ++round) {
        const RawRegion region =
            attacker->allocate(Reader::kMove, abi::right::kRemoteRead | abi::right::kRemoteWrite);
        const Remote remote{region.handle, region.generation, region.address()};
        const Slice slice = reader.memory.slice(0, Reader::kMove);
        for (std::uint64_t i = 0; i < 4; ++i) {
            if (i % 2 == 0)
                reader.pair.post_read(slice, remote, i).value();
            else
                reader.pair.post_write(slice, remote, i).value();
        }
        std::this_thread::sleep_for(std::chrono::microseconds(random.below(6000)));
        attacker->deregister(region);
        // From here on nothing of it can be read or written any more.
        for (std::size_t ended = 0; ended < 4;) {
            const CompletionBatch batch = reader.queue.wait(60s);
            ASSERT_FALSE(batch.empty()) << "a move neither ended nor failed";
            for (const Completion& completion : batch) {
                ASSERT_TRUE(completion.ok() || completion.status() == Status::remote_access)
                    << name(completion.status());
                ++(completion.ok() ? done : refused);
                ++ended;
            }
        }
        reader.pair.post_read(reader.memory.slice(0, 64), remote, 9).value();
        const CompletionBatch after = reader.queue.wait(60s);
        ASSERT_EQ(after.size(), 1u);
        ASSERT_EQ(after.front().status(), Status::remote_access);
    }
    EXPECT_GT(refused, 0u);
    EXPECT_EQ(reader.pair.state(), QueuePair::State::connected);
}

TEST_F(RegionHostile, UnmapsAndDropsItsOwnMemory) {
    RawRegion region = attacker->allocate(1 << 20, 0);
    RawPair pair = connected();
    region.memory.reset();
    region.file.reset();
    // The adapter's own descriptor keeps it: sends from it go on.
    for (int i = 0; i < 3; ++i) {
        auto send = make_descriptor(abi::Opcode::send, abi::descriptor_flag::kSignaled);
        send.control.segments = 1;
        send.data[0] = {128, region.handle, 0};
        pair.sends.publish(send);
    }
    attacker->ring(pair);
    std::uint32_t ended = 0;
    for (int i = 0; i < 30'000 && ended < 3; ++i) {
        ended += pair.take_all();
        std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(ended, 3u);
}

}  // namespace
}  // namespace causeway::test
