// The table under which an executor knows a partition's registered memory: handle, base, length,
// rights, current offset, lock (Fig 11, steps 1101-1106).
//
// Threading: one thread inserts and removes; any number of executing threads translate. An entry
// that was removed must be kept alive until every executing thread has passed a point at which it
// holds no Translation.
//
// Invariants:
//  1. A handle is slot + 1 in its low 16 bits and the number of earlier uses of that slot in its
//     high 16 bits; a slot that has had 65536 uses is retired, so no handle ever comes back.
//  2. translate() computes with offsets of fixed width only; it never compares pointers.
#pragma once

#include <array>
#include <atomic>
#include <causeway/abi/control.hpp>
#include <causeway/abi/status.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace causeway::engine {

struct Region {
    Region() noexcept = default;
    // Its append offset is kept elsewhere, where it outlives the executor.
    explicit Region(std::atomic<std::uint64_t>& kept) noexcept : append_offset(kept) {}

    std::uint32_t handle = 0;
    std::uint32_t generation = 0;
    std::uint32_t network_id = 0;
    std::atomic<std::uint32_t> rights{0};  // abi::right bits that peers have; may be narrowed
    std::byte* base = nullptr;             // where the executor reaches its first byte
    std::uint64_t length = 0;              // bytes
    std::uint64_t address = 0;             // registered base: virtual address of its first byte

    // Append: the current offset, and the flow that holds the lock (0: free).
    std::atomic<std::uint64_t>& append_offset = own_append_offset;
    std::atomic<std::uint64_t> append_lock{0};

private:
    std::atomic<std::uint64_t> own_append_offset{0};
};

// A checked piece of a region, valid until the executing thread's next quiescent point.
struct Translation {
    std::byte* bytes = nullptr;
    Region* region = nullptr;
};

class RegionTable {
public:
    static constexpr std::uint32_t kSlots = 4096;

    // Gives `region` a handle and makes it known; none if all slots are taken or retired.
    [[nodiscard]] std::optional<std::uint32_t> insert(Region& region) noexcept;
    // As if every slot had had `uses` uses already: handles of an earlier table do not come back.
    void start_from(std::uint32_t uses) noexcept;
    // Makes `region` known under the handle that it has from another table, in place of what that
    // slot held. False: no table can have given it this handle.
    [[nodiscard]] bool place(Region& region) noexcept;
    // Forgets it: from now on no translation of the handle succeeds. One that is not in the table
    // changes nothing.
    void remove(const Region& region) noexcept;
    [[nodiscard]] Region* find(std::uint32_t handle) const noexcept;

    // Translates [address, address + length) of the owner's own region `handle`.
    [[nodiscard]] bool translate_local(std::uint32_t handle, std::uint64_t address,
                                       std::uint64_t length, Translation& out) const noexcept;
    // The same for a peer: the generation must match and the region grant all of `rights`.
    [[nodiscard]] bool translate_remote(const abi::AddressSegment& remote, std::uint64_t length,
                                        std::uint32_t rights, Translation& out) const noexcept;
    // Append: only handle, generation and right; where it goes is decided under the lock.
    [[nodiscard]] Region* find_remote(const abi::AddressSegment& remote,
                                      std::uint32_t rights) const noexcept;

private:
    struct Slot {
        std::atomic<Region*> region{nullptr};
        std::uint32_t uses = 0;  // inserting thread only
    };
    std::unique_ptr<std::array<Slot, kSlots>> slots_ = std::make_unique<std::array<Slot, kSlots>>();
    std::uint32_t next_ = 0;
};

}  // namespace causeway::engine
