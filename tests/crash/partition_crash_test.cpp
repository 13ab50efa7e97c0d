// A partition is killed at a random moment, with descriptors outstanding in both directions. Its
// peer hears of each of its own exactly once, its name is free at once, and nothing of it remains.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <causeway/causeway.hpp>
#include <cstring>
#include <vector>

#include "platform/clock.hpp"
#include "support/live_adapter.hpp"
#include "support/mortal.hpp"
#include "support/random.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kLarge = 1 << 20;
constexpr std::uint64_t kWatchdog = 60'000'000'000;

// The victim: connects to the survivor, tells it a region, and then posts whatever there is room
// for.
void keep_busy(const std::string& socket, Remote target) {
    auto partition = Partition::attach("victim", {socket}).value();
    auto memory =
        partition.allocate(2 * kLarge, Access::remote_read | Access::remote_write | Access::append)
            .value();
    auto queue = partition.create_completion_queue(256).value();
    auto pair = partition.create_queue_pair({.completions = queue}).value();
    for (std::uint64_t i = 0; i < 16; ++i)
        pair.post_receive(memory.slice(kLarge, kLarge), i).value();
    const Remote told = memory.remote();
    std::memcpy(memory.data(), &told, sizeof told);
    pair.connect("survivor/door", 30s).value();
    pair.post_send(memory.slice(0, sizeof told), 100).value();
    for (std::uint64_t n = 0;; ++n) {
        const auto size = static_cast<std::uint32_t>(n % 3 == 0 ? kLarge : 64 * (n % 50 + 1));
        const Slice slice = memory.slice(0, size);
        switch (n % 4) {
            case 0:
                (void)pair.post_write(slice, target, 200);
                break;
            case 1:
                (void)pair.post_read(slice, target, 200);
                break;
            default:
                (void)pair.post_send(memory.slice(0, 64), 200);
        }
        for (const Completion& done : queue.poll()) {
            if (done.opcode() == Opcode::receive || done.id() < 16)
                (void)pair.post_receive(memory.slice(kLarge, kLarge), done.id());
        }
    }
}

// The survivor's side of one connection: what was posted, and how often each of it ended.
class Ledger {
public:
    std::uint64_t next() {
        ended_.push_back(0);
        return ended_.size() - 1;
    }
    void take_back() { ended_.pop_back(); }
    void end(const Completion& done) {
        ASSERT_LT(done.id(), ended_.size());
        ++ended_[done.id()];
        ++total_;
        const Status status = done.status();
        ASSERT_TRUE(done.ok() || status == Status::peer_gone || status == Status::flushed ||
                    status == Status::remote_access)
            << name(status);
        unfinished_ += status == Status::peer_gone || status == Status::flushed ? 1 : 0;
    }
    [[nodiscard]] bool all_ended() const { return total_ >= ended_.size(); }
    [[nodiscard]] bool each_once() const {
        return std::all_of(ended_.begin(), ended_.end(), [](int count) { return count == 1; });
    }
    [[nodiscard]] std::uint64_t unfinished() const { return unfinished_; }
    [[nodiscard]] std::size_t posted() const { return ended_.size(); }

private:
    std::vector<int> ended_;
    std::uint64_t total_ = 0;
    std::uint64_t unfinished_ = 0;
};

class PartitionCrash : public testing::Test {
protected:
    PartitionCrash()
        : adapter(LiveAdapter::Kind::program),
          idle(adapter.settled()),
          partition(Partition::attach("survivor", {adapter.socket()}).value()),
          memory(
              partition.allocate(2 * kLarge, Access::remote_read | Access::remote_write).value()),
          queue(partition.create_completion_queue(512).value()),
          listener(partition.listen("door").value()) {
        // The mover's doorbell comes with the first queue pair and stays.
        (void)partition.create_queue_pair({.completions = queue}).value();
        before = adapter.settled();
    }

    // Is the name free for somebody else, without waiting?
    void attach_again() {
        const auto again = Partition::attach("victim", {adapter.socket()});
        ASSERT_TRUE(again.has_value()) << again.error().text;
    }

    LiveAdapter adapter;
    Holdings idle;
    Partition partition;
    Region memory;
    CompletionQueue queue;
    Listener listener;
    Holdings before;
};

TEST_F(PartitionCrash, EndsEveryDescriptorOfThePeerExactlyOnce) {
    Random random(1);
    std::uint64_t unfinished = 0;
    std::size_t posted = 0;
    for (int round = 0; round < 100; ++round) {
        Mortal victim([&] { keep_busy(adapter.socket(), memory.remote()); });
        Ledger ledger;
        auto pair = partition.create_queue_pair({.completions = queue}).value();
        const auto post_receive = [&] {
            if (!pair.post_receive(memory.slice(kLarge, 4096), ledger.next()).has_value())
                ledger.take_back();
        };
        const std::uint64_t first = ledger.next();
        pair.post_receive(memory.slice(0, sizeof(Remote)), first).value();
        for (int i = 0; i < 20; ++i)
            post_receive();
        listener.accept(pair, 30s).value();

        Remote theirs{};
        bool told = false;
        bool dead = false;
        std::uint64_t moment = UINT64_MAX;
        const std::uint64_t deadline = platform::monotonic_ns() + kWatchdog;
        while (!(dead && ledger.all_ended())) {
            ASSERT_LT(platform::monotonic_ns(), deadline) << "not everything ended";
            if (told && !dead && platform::monotonic_ns() >= moment) {
                ASSERT_TRUE(victim.kill()) << "the partition had ended by itself";
                dead = true;
            }
            if (told && !dead) {
                const auto size =
                    static_cast<std::uint32_t>(random.one_in(3) ? kLarge : random.between(1, 4096));
                const Slice slice = memory.slice(0, size);
                const std::uint64_t id = ledger.next();
                const auto kind = random.below(4);
                const auto result = kind == 0   ? pair.post_write(slice, theirs, id)
                                    : kind == 1 ? pair.post_read(slice, theirs, id)
                                    : kind == 2 ? pair.post_append(memory.slice(0, 8), theirs, id)
                                                : pair.post_send(slice, id);
                if (!result.has_value())
                    ledger.take_back();
            }
            // Asleep in every other round: the end must wake it.
            const auto batch =
                queue.wait(dead ? 1s : 0s, round % 2 == 0 ? Wait::block : Wait::adaptive);
            for (const Completion& done : batch) {
                ledger.end(done);
                if (HasFatalFailure())
                    return;
                if (done.id() == first && done.ok()) {
                    std::memcpy(&theirs, memory.data(), sizeof theirs);
                    told = true;
                    moment = platform::monotonic_ns() + random.below(3'000'000);
                }
                if (!dead && done.opcode() == Opcode::receive)
                    post_receive();
            }
        }
        EXPECT_TRUE(ledger.each_once());
        EXPECT_TRUE(queue.poll().empty());
        // It may all have ended before the adapter noticed.
        while (pair.state() != QueuePair::State::closed)
            ASSERT_LT(platform::monotonic_ns(), deadline) << "the queue pair was not closed";
        unfinished += ledger.unfinished();
        posted += ledger.posted();
        attach_again();
    }
    // The kills hit what they were aimed at: much was posted, and some of it was cut off.
    EXPECT_GT(posted, 2000u);
    EXPECT_GT(unfinished, 200u);
    const Holdings after = adapter.settled_to(before);
    EXPECT_EQ(after, before) << text_of(after) << " now, before " << text_of(before);
}

TEST_F(PartitionCrash, LeavesNothingWhereverItWasInItsRequests) {
    Random random(2);
    for (int round = 0; round < 100; ++round) {
        Mortal victim([&] {
            auto other = Partition::attach("victim", {adapter.socket()}).value();
            for (;;) {
                auto region = other.allocate(4 << 20, Access::remote_write).value();
                auto cq = other.create_completion_queue(16).value();
                auto pair = other.create_queue_pair({.completions = cq}).value();
                auto service = other.listen("service").value();
                (void)pair.connect("survivor/door", 0ns);
                region.close().value();
            }
        });
        ::usleep(static_cast<useconds_t>(random.below(12'000)));
        ASSERT_TRUE(victim.kill());
        attach_again();
    }
    const Holdings after = adapter.settled_to(before);
    EXPECT_EQ(after, before) << text_of(after) << " now, before " << text_of(before);
}

TEST_F(PartitionCrash, WakesAPeerThatSleeps) {
    for (int round = 0; round < 10; ++round) {
        Mortal victim([&] {
            auto other = Partition::attach("victim", {adapter.socket()}).value();
            auto cq = other.create_completion_queue(16).value();
            auto pair = other.connect("survivor/door", {.completions = cq}, 30s).value();
            ::usleep(20'000);
            ::raise(SIGKILL);
        });
        auto pair = partition.create_queue_pair({.completions = queue}).value();
        pair.post_receive(memory.slice(0, 64), 1).value();
        listener.accept(pair, 30s).value();
        const CompletionBatch batch = queue.wait(60s, Wait::block);
        ASSERT_EQ(batch.size(), 1u) << "nobody woke it";
        EXPECT_EQ(batch.front().status(), Status::peer_gone) << name(batch.front().status());
        EXPECT_EQ(victim.reap(), 128 + SIGKILL);
        EXPECT_FALSE(pair.post_send(memory.slice(0, 64), 2).has_value());
    }
}

TEST_F(PartitionCrash, ConnectorsOfADeadListenerHearOfIt) {
    for (int round = 0; round < 10; ++round) {
        Mortal victim([&] {
            auto other = Partition::attach("victim", {adapter.socket()}).value();
            auto service = other.listen("service").value();
            for (;;)
                ::pause();
        });
        QueuePair pair;
        for (;;) {  // until it listens
            pair = partition.create_queue_pair({.completions = queue}).value();
            const auto begun = pair.connect("victim/service", 0ns);
            if (begun.has_value())
                break;
            ASSERT_EQ(begun.error().code, ErrorCode::not_found) << begun.error().text;
        }
        pair.post_send(memory.slice(0, 64), 1).value();
        ASSERT_TRUE(victim.kill());
        const CompletionBatch batch = queue.wait(60s, Wait::block);
        ASSERT_EQ(batch.size(), 1u) << "the connector was not told";
        EXPECT_FALSE(batch.front().ok());
        EXPECT_TRUE(pair.state() == QueuePair::State::refused ||
                    pair.state() == QueuePair::State::closed);
    }
}

TEST_F(PartitionCrash, ADeadConnectorIsNotAccepted) {
    for (int round = 0; round < 10; ++round) {
        Mortal victim([&] {
            auto other = Partition::attach("victim", {adapter.socket()}).value();
            auto cq = other.create_completion_queue(16).value();
            auto pair = other.create_queue_pair({.completions = cq}).value();
            pair.connect("survivor/door", 0ns).value();
            ::raise(SIGKILL);
        });
        EXPECT_EQ(victim.reap(), 128 + SIGKILL);
        attach_again();  // its end has been noticed
        auto pair = partition.create_queue_pair({.completions = queue}).value();
        const auto accepted = listener.accept(pair, 0ns);
        ASSERT_FALSE(accepted.has_value());
        EXPECT_EQ(accepted.error().code, ErrorCode::again) << accepted.error().text;
    }
}

}  // namespace
}  // namespace causeway::test
