// Killer: a small process that starts partitions one after the other, and kills each after a given
// instruction of the one thing that it does between two marks (support/stepper.hpp).
//
// It is small so that starting a victim is cheap, and a process of its own so that the test can be
// the victim's peer meanwhile.
//
//   order() -> the victim prepares -> wait_until_ready() -> go() -> it does its act, and dies ->
//   report()
//
// Threading: one thread; make it before the test has threads (it forks). Ownership: ends and reaps.
#pragma once

#include <sys/types.h>

#include <causeway/causeway.hpp>
#include <cstdint>
#include <functional>
#include <limits>

#include "platform/fd.hpp"

namespace causeway::test {

class Killer {
public:
    // Instead of a place: to record the way.
    static constexpr std::uint64_t kRecord = std::numeric_limits<std::uint64_t>::max();

    struct Order {
        std::uint32_t act = 0;
        std::uint32_t reserved = 0;
        std::uint64_t number = 0;  // of the victim, different for each
        std::uint64_t after = 0;   // so many instructions of the act, or kRecord
        Remote window{}, source{}, log{};
    };
    struct Report {
        std::uint64_t length = 0;  // of the way: instructions
        std::uint32_t inside = 0;  // killed before the end of the act
        std::int32_t status = 0;   // of waitpid(), where it ended before it was killed
    };

    // `life` prepares, marks, acts, marks and waits to be killed; it runs in the victims.
    explicit Killer(std::function<void(const Order&)> life);
    ~Killer();
    Killer(const Killer&) = delete;
    Killer& operator=(const Killer&) = delete;

    void order(const Order& order);
    // Until the victim stands at its first mark. False: it has ended by itself.
    [[nodiscard]] bool wait_until_ready();
    void go();
    // Has it said anything that was not taken yet? Waits a moment for it.
    [[nodiscard]] bool has_news() const;
    [[nodiscard]] Report report();

private:
    [[noreturn]] void run(const std::function<void(const Order&)>& life);

    platform::UniqueFd line_;
    pid_t pid_ = -1;
};

}  // namespace causeway::test
