// DirectVictim: a well-behaved partition that serves three kinds of peers in one thread with one
// completion queue, and answers every message with the same bytes:
//
//   victim/door     by executor direct, for attackers
//   victim/friends  by executor direct
//   victim/plain    by executor adapter, from memory that is not exportable
//
// Everything that it moves by executor direct lies in `arena`, which its peers are granted as a
// whole; what is theirs to harm. Nothing else is.
//
// DirectFriend: one of the others, which exchanges checked messages with it all the time.
//
// Threading: both serve on threads of their own; the public functions are for the test's.
#pragma once

#include <atomic>
#include <causeway/causeway.hpp>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "support/rounds.hpp"

namespace causeway::test {

class DirectVictim {
public:
    static constexpr std::uint32_t kSlot = 32 << 10;  // bytes of a message at most
    static constexpr std::uint32_t kSlots = 4;        // receives on each connection

    explicit DirectVictim(const std::string& socket);
    ~DirectVictim();
    DirectVictim(const DirectVictim&) = delete;
    DirectVictim& operator=(const DirectVictim&) = delete;

    // From now on it also Writes to, Reads from and Appends to this place of an attacker's, and
    // sends it messages that nobody asked for.
    void aim(const Remote& target);
    [[nodiscard]] Remote window() const { return window_.remote(); }  // exportable, every right

    // What was done to it that should not have been possible; empty if nothing.
    [[nodiscard]] std::string check() const;
    // Of attackers' connections.
    [[nodiscard]] std::uint64_t accepted() const noexcept { return accepted_.load(); }
    [[nodiscard]] std::uint64_t received() const noexcept { return received_.load(); }
    [[nodiscard]] std::uint64_t sent() const noexcept { return sent_.load(); }
    [[nodiscard]] std::uint64_t failed() const noexcept { return failed_sends_.load(); }
    [[nodiscard]] std::uint64_t closed() const noexcept { return closed_.load(); }  // all reasons
    // Rounds of its loop: it is not stuck while these grow.
    [[nodiscard]] std::uint64_t rounds() const noexcept { return rounds_.load(); }
    void stop();

private:
    enum class Kind { attacker, friendly, plain };
    struct Connection;

    void run();
    void serve(const Completion& done);
    void accept(Kind kind, Listener& listener);
    void drop_closed();
    void provoke(Connection& connection);

    Partition partition_;
    CompletionQueue queue_;
    Region arena_, window_, plain_, secret_;
    Listener door_, friends_, plain_door_;
    std::optional<QueuePair> idle_[3];
    std::deque<Connection> connections_;
    std::deque<Connection> friendly_;  // never dropped
    std::uint32_t next_area_ = 0;
    std::mutex lock_;  // guards target_
    std::optional<Remote> target_;
    std::uint64_t provoked_ = 0;
    std::atomic<std::uint64_t> accepted_{0};
    std::atomic<std::uint64_t> received_{0};
    std::atomic<std::uint64_t> sent_{0};
    std::atomic<std::uint64_t> failed_sends_{0};
    std::atomic<std::uint64_t> closed_{0};
    std::atomic<std::uint64_t> rounds_{0};
    std::atomic<bool> stop_{false};
    std::atomic<bool> failed_{false};
    std::string trouble_;  // written before failed_
    std::thread thread_;
};

class DirectFriend {
public:
    // Whether what comes back must be what was sent: not where its peer's memory is open to others.
    enum class Content { checked, whatever };

    // `executor`: "direct" connects to victim/friends, "adapter" to victim/plain.
    DirectFriend(const std::string& socket, const std::string& name, const char* executor);

    void set(Content content) { content_.store(content); }
    // Whether it exchanges `rounds` more messages (a minute is the watchdog).
    [[nodiscard]] bool go_on(std::uint64_t rounds = 5) { return rounds_.go_on(rounds); }
    [[nodiscard]] std::string trouble() const { return rounds_.trouble(); }
    void stop() { rounds_.stop(); }

private:
    void run(Rounds& rounds, const std::string& socket, const std::string& name,
             const std::string& executor);

    std::atomic<Content> content_{Content::checked};
    Rounds rounds_;  // last: it uses the rest
};

}  // namespace causeway::test
