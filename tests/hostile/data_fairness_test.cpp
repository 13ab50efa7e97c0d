// A partition that keeps as many connections busy as it may gets no larger share of a mover than
// one that has a single one, and no mover to which somebody else could be moved is shared with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <causeway/abi/control.hpp>
#include <causeway/causeway.hpp>
#include <cstring>
#include <memory>

#include "client/stats.hpp"
#include "support/in_process_adapter.hpp"
#include "support/live_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kPiece = 64 << 10;

// Writes into a partition of its own, over `count` connections with `depth` Writes under way each,
// as fast as they are served.
struct Writer {
    Writer(const std::string& socket, const std::string& name, int count, std::uint32_t depth = 8)
        : depth_(depth),
          from(Partition::attach(name, {.socket = socket}).value()),
          to(Partition::attach(name + "-sink", {.socket = socket}).value()),
          source(from.allocate(kPiece).value()),
          target(to.allocate(kPiece, Access::remote_write).value()),
          queue(from.create_completion_queue(1024).value()),
          sink_queue(to.create_completion_queue(1024).value()),
          listener(to.listen("sink").value()) {
        for (int i = 0; i < count; ++i) {
            QueuePair out =
                from.create_queue_pair({.completions = queue, .send_entries = std::max(depth, 64U)})
                    .value();
            QueuePair in = to.create_queue_pair({.completions = sink_queue}).value();
            out.connect(name + "-sink/sink", 0ns).value();
            listener.accept(in, 30s).value();
            pairs.push_back(std::move(out));
            sinks.push_back(std::move(in));
        }
    }
    void begin() {
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            for (std::uint32_t n = 0; n < depth_; ++n)
                write(i);
        }
    }
    void go_on() {
        for (const Completion& done : queue.poll()) {
            ASSERT_TRUE(done.ok());
            write(done.id());
        }
    }
    void write(std::size_t i) {
        pairs[i].post_write(source.slice(0, kPiece), target.remote(), i).value();
    }

    std::uint32_t depth_;
    Partition from, to;
    Region source, target;
    CompletionQueue queue, sink_queue;
    std::vector<QueuePair> pairs, sinks;
    Listener listener;
};

// Nanoseconds that movers have worked for a partition.
std::uint64_t served(const std::string& socket, const std::string& name) {
    std::uint64_t ns = 0;
    client::read_stats(socket, static_cast<std::uint32_t>(abi::StatsKind::partitions),
                       [&](const void* data, std::size_t size) {
                           abi::PartitionRow row{};
                           std::memcpy(&row, data, std::min(size, sizeof row));
                           if (row.name == name)
                               ns = row.mover_ns;
                       })
        .value();
    return ns;
}

TEST(FairnessHostileSerial, ManyConnectionsAreNotMoreThanOne) {
    LiveAdapter adapter(LiveAdapter::Kind::forked);
    // As much under way each: where this thread is kept from posting, both run out.
    Writer greedy(adapter.socket(), "greedy", 64, 8);
    Writer modest(adapter.socket(), "modest", 1, 64 * 8);
    greedy.begin();
    modest.begin();
    const auto run_for = [&](std::chrono::milliseconds time) {
        const auto end = std::chrono::steady_clock::now() + time;
        while (std::chrono::steady_clock::now() < end) {
            greedy.go_on();
            modest.go_on();
        }
    };
    run_for(100ms);
    const std::uint64_t greedy_before = served(adapter.socket(), "greedy");
    const std::uint64_t modest_before = served(adapter.socket(), "modest");
    run_for(400ms);
    const std::uint64_t of_greedy = served(adapter.socket(), "greedy") - greedy_before;
    const std::uint64_t of_modest = served(adapter.socket(), "modest") - modest_before;
    // One in 65 by connections, one in 2 by partitions.
    EXPECT_GT(of_modest * 16, of_greedy) << of_modest << " and " << of_greedy << " ns";
}

// The mover that serves what `name` has connected.
std::uint32_t mover_of(const std::string& socket, const std::string& name) {
    std::uint32_t mover = UINT32_MAX;
    client::read_stats(socket, static_cast<std::uint32_t>(abi::StatsKind::queue_pairs),
                       [&](const void* data, std::size_t size) {
                           abi::QueuePairRow row{};
                           std::memcpy(&row, data, std::min(size, sizeof row));
                           if (row.partition == name)
                               mover = row.mover;
                       })
        .value();
    return mover;
}

TEST(FairnessHostileSerial, WhatOthersAreAtLeavesTheMoverThatOnePartitionFills) {
    LiveAdapter adapter(LiveAdapter::Kind::forked, {}, 2);
    // Of two movers one serves two of these three.
    std::vector<std::unique_ptr<Writer>> modest;
    modest.push_back(std::make_unique<Writer>(adapter.socket(), "modest-0", 1));
    modest.push_back(std::make_unique<Writer>(adapter.socket(), "modest-1", 1));
    Writer greedy(adapter.socket(), "greedy", 64);
    for (auto& it : modest)
        it->write(0);
    greedy.begin();
    const auto apart = [&](const std::string& name) {
        return mover_of(adapter.socket(), name) != mover_of(adapter.socket(), "greedy");
    };
    EXPECT_TRUE(eventually([&] {
        const auto end = std::chrono::steady_clock::now() + 20ms;
        while (std::chrono::steady_clock::now() < end) {
            greedy.go_on();
            for (auto& it : modest)
                it->go_on();
        }
        return apart("modest-0") && apart("modest-1");
    }));
    // And both ends of what was moved are still served, and can be closed.
    for (auto& it : modest) {
        it->pairs.clear();
        EXPECT_TRUE(eventually([&] { return it->sinks[0].state() == QueuePair::State::closed; }));
    }
}

}  // namespace
}  // namespace causeway::test
