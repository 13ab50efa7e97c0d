#include "budget/path/queue_memory.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "budget/path/mappings.hpp"

namespace causeway::test {

std::string QueueMemory::place_of(std::size_t offset) const {
    const abi::QueuePairOffsets at = abi::queue_pair_offsets(shape);
    if (offset < at.send)
        return "line " + std::to_string(offset / abi::kCacheLine);
    if (offset < at.receive)
        return "sends";
    if (offset < at.send_completions)
        return "receives";
    return offset < at.receive_completions ? "send completions" : "receive completions";
}

std::vector<QueueMemory> mapped_queue_memory() {
    std::vector<QueueMemory> found;
    std::map<std::uint32_t, std::vector<QueueMemory>> by_end;
    std::set<std::string> files;  // both ends may have mapped the same one
    for (const Mapped& mapped : own_mappings()) {
        const bool inbound = mapped.name == "causeway-inbound";
        if ((!inbound && mapped.name != "causeway-qp") || !files.insert(mapped.file).second)
            continue;
        abi::QueuePairLayout const* const layout =
            reinterpret_cast<const abi::QueuePairLayout*>(mapped.bytes.data());
        by_end[layout->id].push_back(
            {inbound ? " inbound" : "",
             mapped.bytes,
             {layout->send_entries, layout->receive_entries, layout->send_completion_entries,
              layout->receive_completion_entries}});
    }
    char end = 'a';
    for (auto& [id, memories] : by_end) {
        for (QueueMemory& memory : memories) {
            memory.name = end + memory.name;
            found.push_back(std::move(memory));
        }
        if (++end == 'c')
            break;
    }
    return found;
}

ChangedLines::ChangedLines(std::vector<QueueMemory> memory, bool adapter_runs)
    : memory_(std::move(memory)), adapter_runs_(adapter_runs) {
    for (const QueueMemory& one : memory_)
        remembered_.emplace_back(one.bytes.size());
}

void ChangedLines::remember() {
    for (std::size_t m = 0; m < memory_.size(); ++m)
        std::memcpy(remembered_[m].data(), memory_[m].bytes.data(), memory_[m].bytes.size());
}

void ChangedLines::compare() {
    for (std::size_t m = 0; m < memory_.size(); ++m) {
        const QueueMemory& one = memory_[m];
        for (std::size_t at = 0; at < one.bytes.size(); at += abi::kCacheLine) {
            if (adapter_runs_ && at == abi::kCacheLine)
                continue;
            if (std::memcmp(&remembered_[m][at], &one.bytes[at], abi::kCacheLine) != 0)
                ++counts_[one.name + " " + one.place_of(at)];
        }
    }
}

}  // namespace causeway::test
