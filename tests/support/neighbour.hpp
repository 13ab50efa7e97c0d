// Two well-behaved partitions, connected through an adapter: what goes on around them must not
// disturb them.
#pragma once

#include <gtest/gtest.h>

#include <causeway/causeway.hpp>
#include <cstring>
#include <string>
#include <utility>

namespace causeway::test {

class Neighbours {
public:
    explicit Neighbours(const std::string& socket, const std::string& prefix = "neighbour")
        : left_(Partition::attach(prefix + "-left", {socket}).value()),
          right_(Partition::attach(prefix + "-right", {socket}).value()),
          left_memory_(left_.allocate(kSize).value()),
          right_memory_(right_.allocate(kSize).value()),
          left_queue_(left_.create_completion_queue(64).value()),
          right_queue_(right_.create_completion_queue(64).value()),
          left_pair_(left_.create_queue_pair({.completions = left_queue_}).value()),
          right_pair_(right_.create_queue_pair({.completions = right_queue_}).value()),
          listener_(right_.listen("service").value()) {
        left_pair_.connect(prefix + "-right/service", std::chrono::nanoseconds(0)).value();
        listener_.accept(right_pair_, std::chrono::seconds(30)).value();
    }

    // A message there and back, compared; and a control request on each side.
    void exchange() {
        ++round_;
        std::memset(left_memory_.data(), round_, kSize);
        std::memset(right_memory_.data(), 0, kSize);
        transfer(left_pair_, left_queue_, left_memory_, right_pair_, right_queue_, right_memory_);
        std::memset(left_memory_.data(), 0, kSize);
        transfer(right_pair_, right_queue_, right_memory_, left_pair_, left_queue_, left_memory_);
        ASSERT_EQ(left_memory_.data()[0], std::byte(round_));
        ASSERT_EQ(left_memory_.data()[kSize - 1], std::byte(round_));
        ASSERT_TRUE(left_memory_.append_offset().has_value());
        ASSERT_TRUE(right_memory_.append_offset().has_value());
    }

private:
    static constexpr std::uint32_t kSize = 64 << 10;

    static void transfer(QueuePair& from, CompletionQueue& from_queue, Region& from_memory,
                         QueuePair& to, CompletionQueue& to_queue, Region& to_memory) {
        to.post_receive(to_memory.slice(0, kSize), 1).value();
        from.post_send(from_memory.slice(0, kSize), 2).value();
        const auto received = to_queue.wait(std::chrono::seconds(60));
        ASSERT_EQ(received.size(), 1u);
        ASSERT_TRUE(received.front().ok()) << name(received.front().status());
        const auto sent = from_queue.wait(std::chrono::seconds(60));
        ASSERT_EQ(sent.size(), 1u);
        ASSERT_TRUE(sent.front().ok()) << name(sent.front().status());
    }

    int round_ = 0;
    Partition left_;
    Partition right_;
    Region left_memory_;
    Region right_memory_;
    CompletionQueue left_queue_;
    CompletionQueue right_queue_;
    QueuePair left_pair_;
    QueuePair right_pair_;
    Listener listener_;
};

}  // namespace causeway::test
