#include "client/region_index.hpp"

namespace causeway::client {

void RegionIndex::insert(std::uint32_t handle, const RegionSpan& span) {
    const std::lock_guard lock(writers_);
    std::atomic<Entry*>& bucket = buckets_[handle % kBuckets];
    Entry* entry = bucket.load(std::memory_order_relaxed);
    while (entry != nullptr && entry->handle.load(std::memory_order_relaxed) != 0) {
        entry = entry->next;
    }
    const bool fresh = entry == nullptr;
    if (fresh) {
        entries_.push_back(std::make_unique<Entry>());
        entry = entries_.back().get();
        entry->next = bucket.load(std::memory_order_relaxed);
    }
    // SYNC(region-entry): pairs with the acquire fence in find(), see there.
    std::atomic_thread_fence(std::memory_order_release);
    entry->base.store(span.base, std::memory_order_relaxed);
    entry->size.store(span.size, std::memory_order_relaxed);
    entry->registered.store(span.registered, std::memory_order_relaxed);
    entry->generation.store(span.generation, std::memory_order_relaxed);
    entry->rights.store(span.rights, std::memory_order_relaxed);
    // SYNC(region-entry): release, pairs with the acquire in find(); a finder sees the whole entry.
    entry->handle.store(handle, std::memory_order_release);
    if (fresh)
        bucket.store(entry, std::memory_order_release);
    translate(handle, span);
}

// An entry of the engine's table is used again with its slot. Whoever still executes on memory of a
// closed region meanwhile faults, or reads other memory of its own process.
void RegionIndex::translate(std::uint32_t handle, const RegionSpan& span) {
    const std::size_t slot = (handle & 0xffff) % engine::RegionTable::kSlots;
    if (translated_.size() <= slot)
        translated_.resize(slot + 1);
    if (!translated_[slot])
        translated_[slot] = std::make_unique<engine::Region>();
    engine::Region& region = *translated_[slot];
    region.handle = handle;
    region.base = reinterpret_cast<std::byte*>(span.base);
    region.length = span.size;
    region.address = span.registered;
    (void)table_.place(region);
}

void RegionIndex::remove(std::uint32_t handle) noexcept {
    const std::lock_guard lock(writers_);
    if (const engine::Region* region = table_.find(handle))
        table_.remove(*region);
    if (Entry* const entry = entry_of(handle))
        entry->handle.store(0, std::memory_order_relaxed);
}

void RegionIndex::narrow(std::uint32_t handle, std::uint32_t rights) noexcept {
    const std::lock_guard lock(writers_);
    if (Entry* const entry = entry_of(handle))
        entry->rights.store(rights, std::memory_order_relaxed);
}

RegionIndex::Entry* RegionIndex::entry_of(std::uint32_t handle) const noexcept {
    Entry* entry = bucket_of(handle).load(std::memory_order_relaxed);
    while (entry != nullptr && entry->handle.load(std::memory_order_relaxed) != handle)
        entry = entry->next;
    return entry;
}

}  // namespace causeway::client
