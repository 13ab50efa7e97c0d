// What partitions and their queue pairs have done, added up.
//
// Threading: plain values of the control thread; add() reads what movers and partitions write.
//
// Invariants:
//  1. `adapter` is what the adapter has executed itself. `claimed` is what partitions have written
//     into their queue memory about what they executed (executor direct): any number at all, never
//     checked and never acted upon, and kept apart from `adapter`.
//  2. A queue pair is counted once: while the fabric has it by its end, afterwards in its
//     partition's PartitionTotals. Sums never go down, except where a partition claims less.
#pragma once

#include <cstdint>

#include "adapter/end.hpp"

namespace causeway::adapter {

struct Totals {
    std::uint64_t operations = 0;
    std::uint64_t bytes = 0;
    std::uint64_t errors = 0;
    std::uint64_t stalls = 0;
    std::uint64_t stall_ns = 0;
    std::uint64_t mover_ns = 0;

    void add(const Totals& other) noexcept;
    bool operator==(const Totals&) const = default;
};

struct PartitionTotals {
    Totals adapter;
    Totals claimed;

    void add(End& end) noexcept;
    void add(const PartitionTotals& other) noexcept;
};

}  // namespace causeway::adapter
