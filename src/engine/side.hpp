// One side of a move: where the bytes of a message lie, as a list of claims that are translated
// anew for every piece, so that nothing stays valid across a turn by accident.
//
// Threading: the executing thread. Ownership: borrows table and list.
#pragma once

#include <algorithm>
#include <causeway/abi/descriptor.hpp>
#include <cstddef>
#include <cstdint>

#include "engine/region_table.hpp"

namespace causeway::engine {

// A contiguous, translated stretch of memory.
struct Stretch {
    std::byte* bytes = nullptr;
    std::uint64_t length = 0;

    [[nodiscard]] bool holds(std::uintptr_t address) const noexcept {
        return address - reinterpret_cast<std::uintptr_t>(bytes) < length;
    }
};

class Side {
public:
    Side() = default;
    // Local segments of the partition that posted them.
    [[nodiscard]] static Side local(const RegionTable& table, const abi::DataSegment* list,
                                    std::uint32_t count) noexcept {
        Side side;
        side.table_ = &table;
        side.list_ = list;
        side.count_ = count;
        return side;
    }
    // One remote segment in the peer's table, for which the peer must have granted `rights`.
    [[nodiscard]] static Side remote(const RegionTable& table, const abi::AddressSegment& segment,
                                     std::uint64_t length, std::uint32_t rights) noexcept {
        Side side;
        side.table_ = &table;
        side.remote_ = segment;
        side.length_ = length;
        side.rights_ = rights;
        return side;
    }

    // Does every segment lie inside its region, with the rights that are needed?
    [[nodiscard]] bool check() const noexcept {
        Translation unused;
        if (rights_ != 0)
            return table_->translate_remote(remote_, length_, rights_, unused);
        for (std::uint32_t i = 0; i < count_; ++i) {
            const auto& s = list_[i];
            if (s.length != 0 && !table_->translate_local(s.handle, s.address, s.length, unused)) {
                return false;
            }
        }
        return true;
    }

    // Calls each(handle) for the regions of the list, as far as they are not known here.
    template<typename F>
    void each_unknown(F&& each) const {
        if (rights_ != 0) {
            if (table_->find(remote_.handle) == nullptr)
                each(remote_.handle);
            return;
        }
        for (std::uint32_t i = 0; i < count_; ++i) {
            if (list_[i].length != 0 && table_->find(list_[i].handle) == nullptr)
                each(list_[i].handle);
        }
    }

    // The stretch at the current position, at most `most` bytes; false if its translation fails.
    [[nodiscard]] bool stretch(std::uint64_t most, Stretch& out) noexcept {
        Translation at;
        if (rights_ != 0) {
            abi::AddressSegment here = remote_;
            here.address += offset_;
            out.length = std::min(most, length_ - offset_);
            if (!table_->translate_remote(here, out.length, rights_, at))
                return false;
        } else {
            while (index_ < count_ && offset_ == list_[index_].length) {
                ++index_;
                offset_ = 0;
            }
            if (index_ == count_)
                return false;
            const auto& s = list_[index_];
            out.length = std::min<std::uint64_t>(most, s.length - offset_);
            if (!table_->translate_local(s.handle, s.address + offset_, out.length, at)) {
                return false;
            }
        }
        out.bytes = at.bytes;
        return true;
    }
    void advance(std::uint64_t bytes) noexcept { offset_ += bytes; }

private:
    const RegionTable* table_ = nullptr;
    const abi::DataSegment* list_ = nullptr;
    std::uint32_t count_ = 0;
    std::uint32_t rights_ = 0;  // not zero: a remote side
    abi::AddressSegment remote_{};
    std::uint64_t length_ = 0;
    std::uint32_t index_ = 0;
    std::uint64_t offset_ = 0;  // in the current segment
};

}  // namespace causeway::engine
