#include "adapter/totals.hpp"

namespace causeway::adapter {

void Totals::add(const Totals& other) noexcept {
    operations += other.operations;
    bytes += other.bytes;
    errors += other.errors;
    stalls += other.stalls;
    stall_ns += other.stall_ns;
    mover_ns += other.mover_ns;
}

void PartitionTotals::add(End& end) noexcept {
    const engine::Counters& counters = end.endpoint().counters;
    adapter.add({counters.operations.load(), counters.bytes.load(), counters.errors.load(),
                 counters.stalls.load(), counters.stall_ns.load(), counters.mover_ns.load()});
    if (!end.executes_itself())
        return;
    const abi::Tally& tally = end.layout().tally;
    claimed.add({tally.operations.load(std::memory_order_relaxed),
                 tally.bytes.load(std::memory_order_relaxed),
                 tally.errors.load(std::memory_order_relaxed),
                 tally.stalls.load(std::memory_order_relaxed),
                 tally.stall_ns.load(std::memory_order_relaxed), 0});
}

void PartitionTotals::add(const PartitionTotals& other) noexcept {
    adapter.add(other.adapter);
    claimed.add(other.claimed);
}

}  // namespace causeway::adapter
