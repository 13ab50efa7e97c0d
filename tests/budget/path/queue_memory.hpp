// Which cache lines of queue memory a message has changed, by comparing what stood there before and
// after.
//
// Threading: one thread. Ownership: borrows the mapped memory.
#pragma once

#include <causeway/abi/queue_pair.hpp>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace causeway::test {

// Memory of one end of a queue pair.
struct QueueMemory {
    std::string name;
    std::span<const std::byte> bytes;
    abi::QueuePairShape shape{};

    // "sends", "receives", "send completions", "receive completions", "line 0" to "line 3".
    [[nodiscard]] std::string place_of(std::size_t offset) const;
};

// That of the two ends with the lowest numbers, as this process has it mapped: "a" and "b" (queue
// pair memory, each partition's own) and, with executor direct, "a inbound" and "b inbound".
[[nodiscard]] std::vector<QueueMemory> mapped_queue_memory();

class ChangedLines {
public:
    // `adapter_runs`: the adapter writes its line (line 1 of each end) when it likes to, so that
    // line is not looked at.
    ChangedLines(std::vector<QueueMemory> memory, bool adapter_runs);

    void remember();
    // Counts the lines that differ from what was remembered.
    void compare();
    // "a sends" -> how often a line of these was changed.
    [[nodiscard]] const std::map<std::string, int>& counts() const noexcept { return counts_; }

private:
    std::vector<QueueMemory> memory_;
    bool adapter_runs_;
    std::vector<std::vector<std::byte>> remembered_;
    std::map<std::string, int> counts_;
};

}  // namespace causeway::test
