#include "engine/region_table.hpp"

#include <algorithm>

namespace causeway::engine {
namespace {

constexpr std::uint32_t kMaxUses = 1U << 16;

[[nodiscard]] bool inside(const Region& region, std::uint64_t address, std::uint64_t length,
                          std::uint64_t& offset) noexcept {
    offset = address - region.address;  // wraps below the base; the check below refuses that
    return length <= region.length && offset <= region.length - length;
}

// On integers: a wrong base is the inserter's mistake, not undefined behaviour here.
[[nodiscard]] std::byte* at(const Region& region, std::uint64_t offset) noexcept {
    return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(region.base) + offset);
}

}  // namespace

std::optional<std::uint32_t> RegionTable::insert(Region& region) noexcept {
    for (std::uint32_t tried = 0; tried < kSlots; ++tried) {
        const std::uint32_t index = (next_ + tried) % kSlots;
        Slot& slot = (*slots_)[index];
        if (slot.region.load(std::memory_order_relaxed) != nullptr || slot.uses == kMaxUses) {
            continue;
        }
        region.handle = slot.uses << 16 | (index + 1);
        ++slot.uses;
        next_ = (index + 1) % kSlots;
        // SYNC(region-published): pairs with find(); a translator sees the whole entry or none.
        slot.region.store(&region, std::memory_order_release);
        return region.handle;
    }
    return std::nullopt;
}

void RegionTable::start_from(std::uint32_t uses) noexcept {
    for (Slot& slot : *slots_)
        slot.uses = std::min(uses, kMaxUses);
}

bool RegionTable::place(Region& region) noexcept {
    const std::uint32_t index = (region.handle & 0xffff) - 1;
    if (index >= kSlots)
        return false;
    // SYNC(region-published): as in insert().
    (*slots_)[index].region.store(&region, std::memory_order_release);
    return true;
}

void RegionTable::remove(const Region& region) noexcept {
    if (find(region.handle) != &region)
        return;
    (*slots_)[(region.handle & 0xffff) - 1].region.store(nullptr, std::memory_order_release);
}

Region* RegionTable::find(std::uint32_t handle) const noexcept {
    const std::uint32_t index = (handle & 0xffff) - 1;
    if (index >= kSlots)
        return nullptr;
    // SYNC(region-published): acquire, pairs with insert().
    Region* region = (*slots_)[index].region.load(std::memory_order_acquire);
    return region != nullptr && region->handle == handle ? region : nullptr;
}

bool RegionTable::translate_local(std::uint32_t handle, std::uint64_t address, std::uint64_t length,
                                  Translation& out) const noexcept {
    Region* region = find(handle);
    std::uint64_t offset = 0;
    if (region == nullptr || !inside(*region, address, length, offset))
        return false;
    out = {at(*region, offset), region};
    return true;
}

Region* RegionTable::find_remote(const abi::AddressSegment& remote,
                                 std::uint32_t rights) const noexcept {
    Region* region = find(remote.handle);
    if (region == nullptr || region->generation != remote.generation)
        return nullptr;
    const std::uint32_t granted = region->rights.load(std::memory_order_relaxed);
    return (granted & rights) == rights ? region : nullptr;
}

bool RegionTable::translate_remote(const abi::AddressSegment& remote, std::uint64_t length,
                                   std::uint32_t rights, Translation& out) const noexcept {
    Region* region = find_remote(remote, rights);
    std::uint64_t offset = 0;
    if (region == nullptr || !inside(*region, remote.address, length, offset))
        return false;
    out = {at(*region, offset), region};
    return true;
}

}  // namespace causeway::engine
