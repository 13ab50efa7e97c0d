// The adapter is killed. Clients that have no patience get a clear end, soon and of everything; a
// new adapter starts in the same directory and serves.
#include <gtest/gtest.h>
#include <signal.h>

#include <causeway/causeway.hpp>
#include <cstring>
#include <thread>

#include "support/live_adapter.hpp"
#include "support/random.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

struct World {
    explicit World(const std::string& socket)
        : a(Partition::attach("a", {socket, 0ns}).value()),
          b(Partition::attach("b", {socket, 0ns}).value()),
          a_memory(a.allocate(1 << 20).value()),
          b_memory(b.allocate(1 << 20, Access::remote_write).value()),
          a_queue(a.create_completion_queue(256).value()),
          b_queue(b.create_completion_queue(256).value()),
          a_pair(a.create_queue_pair({.completions = a_queue}).value()),
          b_pair(b.create_queue_pair({.completions = b_queue}).value()),
          listener(b.listen("service").value()) {
        a_pair.connect("b/service", 0ns).value();
        listener.accept(b_pair, 30s).value();
    }
    Partition a, b;
    Region a_memory, b_memory;
    CompletionQueue a_queue, b_queue;
    QueuePair a_pair, b_pair;
    Listener listener;
};

// Takes completions until `wanted` have come; ids counted, statuses as allowed.
void expect_each_once(CompletionQueue& queue, std::vector<int> wanted, Wait how) {
    std::size_t left = wanted.size();
    while (left != 0) {
        const CompletionBatch batch = queue.wait(60s, how);
        ASSERT_FALSE(batch.empty()) << left << " descriptors did not end; " << name(batch.error());
        for (const Completion& done : batch) {
            ASSERT_LT(done.id(), wanted.size());
            ASSERT_EQ(wanted[done.id()]++, 0) << "descriptor " << done.id() << " ended twice";
            ASSERT_TRUE(done.ok() || done.status() == Status::flushed) << name(done.status());
            --left;
        }
    }
    // After the last: the error, not silence.
    const CompletionBatch after = queue.wait(60s, how);
    EXPECT_TRUE(after.empty());
    EXPECT_EQ(after.error(), ErrorCode::adapter_gone) << name(after.error());
}

TEST(AdapterCrash, FlushesEverythingThatWasOutstanding) {
    Random random(3);
    LiveAdapter adapter(LiveAdapter::Kind::program);
    for (int round = 0; round < 20; ++round) {
        World world(adapter.socket());
        std::vector<int> of_a, of_b;
        for (std::uint64_t i = 0; i < 32; ++i) {
            // Sends that nobody receives wait; writes and receives are under way.
            if (i < 16)
                world.b_pair.post_receive(world.b_memory.slice(0, 4096), of_b.size()).value();
            of_b.resize(std::min<std::size_t>(i + 1, 16), 0);
            if (i % 2 == 0)
                world.a_pair
                    .post_write(world.a_memory.slice(0, 1 << 20), world.b_memory.remote(), i)
                    .value();
            else
                world.a_pair.post_send(world.a_memory.slice(0, 2048), i).value();
            of_a.push_back(0);
        }
        std::this_thread::sleep_for(std::chrono::microseconds(random.below(3000)));
        adapter.kill();
        const Wait how = round % 2 == 0 ? Wait::block : Wait::adaptive;
        expect_each_once(world.a_queue, of_a, how);
        if (testing::Test::HasFatalFailure())
            return;
        expect_each_once(world.b_queue, of_b, how);
        if (testing::Test::HasFatalFailure())
            return;
        EXPECT_EQ(world.a_pair.state(), QueuePair::State::closed);
        adapter.start_again();
    }
}

TEST(AdapterCrash, EveryCallSaysThatItHasGone) {
    LiveAdapter adapter(LiveAdapter::Kind::program);
    World world(adapter.socket());
    adapter.kill();
    const auto code = [](const auto& result) {
        return result.has_value() ? ErrorCode::none : result.error().code;
    };
    auto idle = QueuePair();
    EXPECT_EQ(code(world.a.allocate(4096)), ErrorCode::adapter_gone);
    EXPECT_EQ(code(world.a.create_completion_queue(16)), ErrorCode::adapter_gone);
    EXPECT_EQ(code(world.a.create_queue_pair({.completions = world.a_queue})),
              ErrorCode::adapter_gone);
    EXPECT_EQ(code(world.a.listen("other")), ErrorCode::adapter_gone);
    EXPECT_EQ(code(world.a_memory.append_offset()), ErrorCode::adapter_gone);
    // Posting makes no system call: it says so, or the descriptor is flushed.
    if (world.a_pair.post_send(world.a_memory.slice(0, 8), 0).has_value())
        expect_each_once(world.a_queue, {0}, Wait::adaptive);
    EXPECT_EQ(code(world.a_pair.post_send(world.a_memory.slice(0, 8), 0)), ErrorCode::adapter_gone);
    EXPECT_EQ(code(Partition::attach("c", {adapter.socket()})), ErrorCode::no_adapter);
    // Its memory is still the partition's own.
    std::memset(world.a_memory.data(), 1, world.a_memory.size());
}

TEST(AdapterCrash, WakesWhoeverWaits) {
    LiveAdapter adapter(LiveAdapter::Kind::program);
    World world(adapter.socket());
    world.b_pair.post_receive(world.b_memory.slice(0, 64), 0).value();
    auto spare = world.b.create_queue_pair({.completions = world.b_queue}).value();
    ErrorCode accepted = ErrorCode::none;
    std::thread acceptor([&] {
        const auto result = world.listener.accept(spare, 60s);
        accepted = result.has_value() ? ErrorCode::none : result.error().code;
    });
    std::thread killer([&] {
        std::this_thread::sleep_for(50ms);
        ::kill(adapter.pid(), SIGKILL);
    });
    const CompletionBatch batch = world.b_queue.wait(60s, Wait::block);
    EXPECT_EQ(batch.size(), 1u);
    if (!batch.empty()) {
        EXPECT_EQ(batch.front().status(), Status::flushed);
    }
    acceptor.join();
    killer.join();
    EXPECT_EQ(accepted, ErrorCode::adapter_gone) << name(accepted);
    adapter.kill();
}

TEST(AdapterCrash, ANewOneServesInTheSameDirectory) {
    LiveAdapter adapter(LiveAdapter::Kind::program, {"orders"});
    adapter.kill();
    adapter.start_again();
    World world(adapter.socket());
    auto orders = Partition::attach("", {adapter.entrance("orders") + "/fabric.sock"});
    ASSERT_TRUE(orders.has_value()) << orders.error().text;
    EXPECT_EQ(orders->name(), "orders");
    world.b_pair.post_receive(world.b_memory.slice(0, 64), 1).value();
    world.a_pair.post_send(world.a_memory.slice(0, 64), 2).value();
    const CompletionBatch batch = world.b_queue.wait(60s);
    ASSERT_EQ(batch.size(), 1u);
    EXPECT_TRUE(batch.front().ok());
    EXPECT_EQ(adapter.stop(), 0);
}

}  // namespace
}  // namespace causeway::test
