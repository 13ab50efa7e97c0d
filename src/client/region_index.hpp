// RegionIndex: the partition's own regions by handle, for checking slices while posting, and as the
// table from which the engine translates where this library executes (direct).
//
// Threading: find() may be called from any thread at any time and takes no lock; insert() and
// remove() are serialized by the index itself.
// Ownership: owns its entries, which live as long as it does and are used again.
//
// Invariants:
//  1. find() gives the numbers of one registration, never a mixture of two: a handle that the
//     adapter has given out never comes back, and is read before and after the numbers.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/region_table.hpp"

namespace causeway::client {

struct RegionSpan {
    std::uint64_t base = 0;        // the owner's pointer to its first byte, as a number
    std::uint64_t size = 0;        // bytes
    std::uint64_t registered = 0;  // virtual address of its first byte in descriptors
    std::uint32_t generation = 0;
    std::uint32_t rights = 0;  // abi::right: as registered, or narrowed since

    [[nodiscard]] bool exportable() const noexcept {
        return (rights & abi::right::kExportable) != 0;
    }
};

class RegionIndex {
public:
    void insert(std::uint32_t handle, const RegionSpan& span);  // throws std::bad_alloc only
    void remove(std::uint32_t handle) noexcept;
    // It has these rights only from now on.
    void narrow(std::uint32_t handle, std::uint32_t rights) noexcept;
    [[nodiscard]] const engine::RegionTable& table() const noexcept { return table_; }

    [[nodiscard]] bool find(std::uint32_t handle, RegionSpan& out) const noexcept {
        // SYNC(region-entry): acquire, pairs with the release in insert().
        const Entry* entry = bucket_of(handle).load(std::memory_order_acquire);
        for (; entry != nullptr; entry = entry->next) {
            if (entry->handle.load(std::memory_order_acquire) != handle)
                continue;
            out.base = entry->base.load(std::memory_order_relaxed);
            out.size = entry->size.load(std::memory_order_relaxed);
            out.registered = entry->registered.load(std::memory_order_relaxed);
            out.generation = entry->generation.load(std::memory_order_relaxed);
            out.rights = entry->rights.load(std::memory_order_relaxed);
            // SYNC(region-entry): pairs with the release fence in insert(); whoever has seen a
            // number of the entry's next use sees here that the handle is not the old one any more.
            std::atomic_thread_fence(std::memory_order_acquire);
            return handle != 0 && entry->handle.load(std::memory_order_relaxed) == handle;
        }
        return false;
    }

private:
    struct Entry {
        std::atomic<std::uint32_t> handle{0};  // 0: free
        std::atomic<std::uint64_t> base{0};
        std::atomic<std::uint64_t> size{0};
        std::atomic<std::uint64_t> registered{0};
        std::atomic<std::uint32_t> generation{0};
        std::atomic<std::uint32_t> rights{0};
        Entry* next = nullptr;  // never changes once the entry can be reached
    };
    static constexpr std::uint32_t kBuckets = 1024;

    [[nodiscard]] Entry* entry_of(std::uint32_t handle) const noexcept;  // under the lock
    void translate(std::uint32_t handle, const RegionSpan& span);
    [[nodiscard]] const std::atomic<Entry*>& bucket_of(std::uint32_t handle) const noexcept {
        return buckets_[handle % kBuckets];
    }

    std::array<std::atomic<Entry*>, kBuckets> buckets_{};
    std::mutex writers_;
    std::vector<std::unique_ptr<Entry>> entries_;
    engine::RegionTable table_;
    std::vector<std::unique_ptr<engine::Region>> translated_;  // by slot of the table
};

}  // namespace causeway::client
