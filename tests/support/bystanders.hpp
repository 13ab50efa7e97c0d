// Bystanders: two well-behaved partitions that exchange checked data on a thread of their own, all
// the time, while a test does its worst beside them.
//
// Threading: make and destroy it on the test's thread. Counts only; nothing here measures time.
#pragma once

#include <atomic>
#include <causeway/causeway.hpp>
#include <cstdint>
#include <string>
#include <thread>

namespace causeway::test {

class Bystanders {
public:
    // Attaches "NAME-a" and "NAME-b" at `socket`, connects them and starts.
    explicit Bystanders(const std::string& socket, const std::string& name = "bystander");
    ~Bystanders();
    Bystanders(const Bystanders&) = delete;
    Bystanders& operator=(const Bystanders&) = delete;

    // Whether they exchange `rounds` more messages, all of them right (a minute is the watchdog).
    [[nodiscard]] bool go_on(std::uint64_t rounds = 5);
    [[nodiscard]] std::uint64_t rounds() const noexcept { return rounds_.load(); }
    // What went wrong; empty if nothing.
    [[nodiscard]] std::string trouble() const { return failed_.load() ? trouble_ : ""; }
    // Ends them; the adapter forgets them.
    void stop();

private:
    struct World;
    void run(World& world);
    [[nodiscard]] std::string one_round(World& world, std::uint64_t n);

    std::string socket_;
    std::string name_;
    std::atomic<std::uint64_t> rounds_{0};
    std::atomic<bool> stop_{false};
    std::atomic<bool> failed_{false};
    std::string trouble_;  // written before failed_
    std::thread thread_;
};

}  // namespace causeway::test
