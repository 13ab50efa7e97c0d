// What is believed of a journal's cells. An adapter that died leaves whole ones; a damaged disk, or
// somebody's editor, anything: such a cell is as good as not there.
//
// Threading: any thread.
//
// Invariants:
//  1. Texts of a sound cell end, enums and counts are in their range, numbers are not zero.
//  2. What a cell says together with others (one owner for each number) is for who collects them.
#pragma once

#include <string_view>

#include "adapter/journal_cells.hpp"

namespace causeway::adapter {

[[nodiscard]] bool sound(const PartitionCell& cell);
// `movers`: as many as there are.
[[nodiscard]] bool sound(const DoorbellCell& cell, std::uint32_t movers);
[[nodiscard]] bool sound(const RegionCell& cell);
[[nodiscard]] bool sound(const RegionFilesCell& cell);
[[nodiscard]] bool sound(const ListenerCell& cell);
[[nodiscard]] bool sound(const QueuePairCell& cell, std::uint32_t movers);
[[nodiscard]] bool sound(const SegmentCell& cell);

}  // namespace causeway::adapter
