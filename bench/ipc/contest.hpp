// What is measured of interprocess communication, each way by one function per end: both ends are
// the whole life of a forked child.
//
// Threading: one thread (but for what a peer's library starts).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace causeway::bench {

inline constexpr std::size_t kMessage = 64;  // bytes, each way
using Message = std::array<std::uint64_t, kMessage / 8>;
inline constexpr std::uint64_t kLast = UINT64_MAX;  // in the first word: the sender is done

// How a Causeway end is to be: who moves, and how it waits.
struct Manner {
    const char* executor;
    bool sleeps;  // blocks at once instead of spinning
};

struct Place {
    std::string socket;  // of the adapter
    std::string folder;  // for the peers' sockets
    std::chrono::nanoseconds time;
};

// What was received: messages per second, and the sum of every word.
struct Received {
    double per_second = 0;
    std::uint64_t sum = 0;
    std::uint64_t count = 0;
};

// Takes messages as the receiving ends do, reading each of them.
class Tally {
public:
    // False: that was the last one.
    [[nodiscard]] bool take(const void* data) noexcept {
        Message message;
        std::memcpy(&message, data, sizeof message);
        if (count_ == 0)
            began_ = std::chrono::steady_clock::now();
        if (message[0] == kLast)
            return false;
        for (const std::uint64_t word : message)
            sum_ += word;
        ++count_;
        return true;
    }
    [[nodiscard]] Received result() const noexcept {
        const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began_;
        return {static_cast<double>(count_) / passed.count(), sum_, count_};
    }

private:
    std::chrono::steady_clock::time_point began_;
    std::uint64_t sum_ = 0;
    std::uint64_t count_ = 0;
};

// Calls `send` with one message after the other for `time`, then with the last one; the sum of what
// a receiver must have read.
template<typename Send>
void send_for(std::chrono::nanoseconds time, Send&& send) {
    const auto end = std::chrono::steady_clock::now() + time;
    Message message{};
    for (std::uint64_t i = 0;; ++i) {
        message[0] = i;
        message[7] = ~i;
        if (i % 256 == 0 && std::chrono::steady_clock::now() > end)
            break;
        send(message);
    }
    message[0] = kLast;
    send(message);
}

// Round trips of a request and an answer: nanoseconds each.
using RoundTrips = std::vector<std::uint32_t>;

template<typename Call>
[[nodiscard]] RoundTrips call_for(std::chrono::nanoseconds time, Call&& call) {
    using Clock = std::chrono::steady_clock;
    RoundTrips trips;
    trips.reserve(1 << 20);
    const auto begin = Clock::now();
    auto before = begin;
    Message message{};
    while (before < begin + time && trips.size() < trips.capacity()) {
        message[0] = trips.size();
        message[7] = ~message[0];
        call(message);
        const auto after = Clock::now();
        if (before - begin > time / 10)  // the first tenth warms up
            trips.push_back(static_cast<std::uint32_t>((after - before).count()));
        before = after;
    }
    return trips;
}

[[nodiscard]] Received receive_causeway(const Place& place, Manner manner);
void send_causeway(const Place& place, Manner manner);
[[nodiscard]] Received receive_zeromq(const Place& place);
void send_zeromq(const Place& place);

[[noreturn]] void answer_causeway(const Place& place, Manner manner);
[[nodiscard]] RoundTrips ask_causeway(const Place& place, Manner manner);
[[noreturn]] void answer_grpc(const Place& place);
[[nodiscard]] RoundTrips ask_grpc(const Place& place);

}  // namespace causeway::bench
