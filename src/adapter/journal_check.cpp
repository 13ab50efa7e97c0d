#include "adapter/journal_check.hpp"

#include <algorithm>
#include <causeway/abi/bus.hpp>
#include <causeway/abi/doorbell.hpp>
#include <causeway/abi/segment.hpp>
#include <iterator>

#include "adapter/quota.hpp"
#include "adapter/region_memory.hpp"
#include "base/names.hpp"
#include "engine/region_table.hpp"

namespace causeway::adapter {
namespace {

template<typename T>
[[nodiscard]] bool in_range(std::uint32_t value, T most) noexcept {
    return value <= static_cast<std::uint32_t>(most);
}

// What a daemon was writing when it died may lack its middle; it ends within its array all the
// same.
template<std::size_t N>
[[nodiscard]] bool ends(const char (&text)[N]) noexcept {
    return text[N - 1] == '\0';
}

}  // namespace

bool sound(const PartitionCell& cell) {
    const bool has_token = std::any_of(std::begin(cell.token), std::end(cell.token),
                                       [](std::uint8_t byte) { return byte != 0; });
    return cell.head.session != 0 && has_token && load_name("name", cell.name).has_value() &&
           load_text(cell.entrance).has_value();
}

bool sound(const DoorbellCell& cell, std::uint32_t movers) {
    return cell.id != 0 && in_range(cell.kind, abi::DoorbellKind::completions) &&
           cell.index <
               (cell.kind == static_cast<std::uint32_t>(abi::DoorbellKind::mover) ? movers : 1);
}

bool sound(const RegionCell& cell) {
    abi::RegisterRequest request{};
    request.size = cell.size;
    request.address = cell.address;
    request.rights = cell.rights.load(std::memory_order_relaxed);
    request.parts = cell.parts;
    const std::uint64_t offset = cell.append_offset.load(std::memory_order_relaxed);
    const bool log = (request.rights & abi::right::kExportable) != 0;
    return (cell.handle & 0xffff) - 1 < engine::RegionTable::kSlots && cell.generation != 0 &&
           cell.network_id != 0 && check_register_request(request).has_value() &&
           offset <= cell.size && (!log || offset % sizeof(std::uint64_t) == 0);
}

bool sound(const RegionFilesCell& cell) {
    return cell.count <= RegionFilesCell::kMost && cell.first <= UINT32_MAX - cell.count;
}

bool sound(const ListenerCell& cell) {
    return cell.id != 0 && cell.backlog != 0 && cell.backlog <= kMostBacklog &&
           in_range(cell.controller, abi::ControllerType::other) &&
           load_name("service", cell.service).has_value();
}

bool sound(const QueuePairCell& cell, std::uint32_t movers) {
    const bool texts = ends(cell.peer) && ends(cell.service) && ends(cell.why);
    return texts && cell.id != 0 && cell.peer_id != cell.id && cell.mover < movers &&
           cell.doorbell_bit < abi::kDoorbellBits && cell.ready_bit < abi::kDoorbellBits &&
           in_range(cell.patience, abi::Patience::bounded) &&
           in_range(cell.wanted, abi::Executor::direct) &&
           in_range(cell.executor, abi::Executor::direct) &&
           in_range(cell.state.load(std::memory_order_relaxed), abi::QueuePairState::closed) &&
           in_range(cell.reason.load(std::memory_order_relaxed), abi::kErrorCount - 1);
}

bool sound(const SegmentCell& cell) {
    const bool access = cell.access == static_cast<std::uint32_t>(abi::SegmentAccess::read) ||
                        cell.access == static_cast<std::uint32_t>(abi::SegmentAccess::write);
    const bool manner = cell.manner == static_cast<std::uint32_t>(abi::SegmentManner::descriptor) ||
                        cell.manner == static_cast<std::uint32_t>(abi::SegmentManner::copies);
    return cell.id != 0 && access && manner && cell.size != 0 &&
           load_name("segment", cell.name).has_value();
}

}  // namespace causeway::adapter
