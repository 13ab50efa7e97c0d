// Bystanders: two well-behaved partitions that exchange checked data on a thread of their own, all
// the time, while a test does its worst beside them.
//
// Threading: make and destroy it on the test's thread. Counts only; nothing here measures time.
#pragma once

#include <causeway/causeway.hpp>
#include <cstdint>
#include <string>

#include "support/rounds.hpp"

namespace causeway::test {

class Bystanders {
public:
    // Attaches "NAME-a" and "NAME-b" at `socket`, connects them and starts.
    explicit Bystanders(const std::string& socket, const std::string& name = "bystander");

    // Whether they exchange `rounds` more messages, all of them right (a minute is the watchdog).
    [[nodiscard]] bool go_on(std::uint64_t rounds = 5) { return rounds_.go_on(rounds); }
    [[nodiscard]] std::uint64_t rounds() const noexcept { return rounds_.done(); }
    // What went wrong; empty if nothing.
    [[nodiscard]] std::string trouble() const { return rounds_.trouble(); }
    // Ends them; the adapter forgets them.
    void stop() { rounds_.stop(); }

private:
    struct World;
    [[nodiscard]] static std::string one_round(World& world, std::uint64_t n);

    Rounds rounds_;
};

}  // namespace causeway::test
