// What is to be measured, and where: plain data, made by the command line, read by all others.
#pragma once

#include <algorithm>
#include <causeway/completion_queue.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace causeway::perf {

enum class Test { latency, rate, bandwidth };
enum class Operation { send, write, read, append };
enum class Peer { causeway, unix_socket };  // the data path under measurement
enum class Touch { read, none };            // does the receiver read every byte in the timed part?
enum class Role { initiator, responder };   // the two processes

[[nodiscard]] constexpr std::string_view name(Test test) {
    return test == Test::latency ? "latency" : (test == Test::rate ? "rate" : "bandwidth");
}
[[nodiscard]] constexpr std::string_view name(Operation operation) {
    constexpr std::string_view kNames[] = {"send", "write", "read", "append"};
    return kNames[static_cast<int>(operation)];
}
[[nodiscard]] constexpr std::string_view name(Peer peer) {
    return peer == Peer::causeway ? "causeway" : "unix";
}
[[nodiscard]] constexpr std::string_view name(Touch touch) {
    return touch == Touch::read ? "read" : "none";
}
[[nodiscard]] constexpr std::string_view name(Role role) {
    return role == Role::initiator ? "initiator" : "responder";
}
[[nodiscard]] constexpr std::string_view name(Wait wait) {
    return wait == Wait::spin ? "spin" : (wait == Wait::block ? "block" : "adaptive");
}

// How a test of this operation runs (workload.cpp).
enum class Flow {
    ping_pong,   // send, write: there and back, half of it is the figure
    completion,  // append: from posting to its completion at the initiator
    fetch,       // read: from posting until the data has come and is read
    stream,      // send, write, append: many on their way, the responder takes them
    pull,        // read: many on their way, the initiator takes them
};

struct Cores {
    std::optional<unsigned> initiator;
    std::optional<unsigned> responder;
    std::optional<unsigned> mover;
};

struct Plan {
    Test test = Test::latency;
    Operation operation = Operation::send;
    Peer peer = Peer::causeway;
    std::string executor = "adapter";
    std::uint64_t size = 8;  // bytes of a message
    double seconds = 1;      // of one sample
    std::uint64_t least_operations =
        0;  // a sample goes on until it has them, ten times as long at most
    Wait wait = Wait::adaptive;
    Touch touch = Touch::read;
    std::uint32_t buffers = 2;      // messages' places on each side, used in turn
    std::uint32_t outstanding = 1;  // messages on their way at once
    bool in_place = false;          // what the receiver gets to see is not its own to write
    int repeat = 5;                 // samples
    Cores cores{};
    std::string socket{};   // of the adapter
    double warm_up = 0.05;  // seconds, in front of every sample
    int helper = 0;         // process that works for both ends, whose time counts too; 0: none

    // How many `buffers` there are unless somebody asks for another number. Of small messages a
    // receiver has many receives posted, as programs do, and as UCX and iceoryx do by themselves.
    [[nodiscard]] std::uint32_t default_buffers() const {
        return std::max(outstanding, size <= 256 ? 128U : 2U);
    }
    [[nodiscard]] Flow flow() const {
        if (test == Test::latency) {
            if (operation == Operation::read)
                return Flow::fetch;
            return operation == Operation::append ? Flow::completion : Flow::ping_pong;
        }
        return operation == Operation::read ? Flow::pull : Flow::stream;
    }
    // Nobody is told of an Append by itself: its latency ends before anybody could read.
    [[nodiscard]] Touch effective_touch(Touch wanted) const {
        return flow() == Flow::completion ? Touch::none : wanted;
    }
    [[nodiscard]] Touch effective_touch() const { return effective_touch(touch); }
};

// What one sample differs in from the others of its plan.
struct SampleOrder {
    Touch touch;
    double seconds;
    bool verify;  // new data, every byte of a lap compared; otherwise that of the sample before
};

}  // namespace causeway::perf
