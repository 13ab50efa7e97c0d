// OwnFigures: how many descriptors and mappings this process has, and how much memory, as /proc
// says. Looking takes the kernel the longer the more there are (80 ms for 60,000 mappings), and
// whoever may ask for stats may ask all day.
//
// Threading: one thread.
// Invariant: looking takes at most a twentieth of the thread's time; in between, the figures are
// those of the last look.
#pragma once

#include <cstdint>
#include <functional>

namespace causeway::adapter {

class OwnFigures {
public:
    struct Figures {
        std::uint64_t open_files = 0;
        std::uint64_t mappings = 0;
        std::uint64_t memory = 0;  // bytes
    };
    OwnFigures();
    // For tests: another clock (ns), another place to look at.
    OwnFigures(std::function<std::uint64_t()> clock, std::function<Figures()> look);

    [[nodiscard]] Figures get();

private:
    std::function<std::uint64_t()> clock_;
    std::function<Figures()> look_;
    Figures last_;
    std::uint64_t next_ns_ = 0;
};

}  // namespace causeway::adapter
