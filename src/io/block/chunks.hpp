// Chunks: registered memory through which data goes that cannot go straight to where it belongs: at
// a host, of buffers that are not registered; at a unit, of hosts whose memory it does not reach.
//
// Threading: one thread. Ownership: owns its region, from make() on.
//
// Invariants:
//  1. A chunk is used by one request at a time, from take() to give().
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "client/region.hpp"

namespace causeway::io::block {

class Chunks {
public:
    static constexpr std::uint32_t kSmall = 4096;        // bytes of a small chunk
    static constexpr std::uint32_t kLarge = 256U << 10;  // bytes of a large one
    static constexpr std::uint32_t kLargeCount = 16;
    static constexpr std::uint32_t kNone = UINT32_MAX;

    [[nodiscard]] bool made() const noexcept { return region_ != nullptr; }
    // With so many small ones.
    [[nodiscard]] Result<void> make(const std::shared_ptr<client::Partition>& partition,
                                    std::uint32_t small_count) {
        small_count_ = small_count;
        CW_TRY_ASSIGN(
            client::Region region,
            client::Region::allocate(
                partition, size(),
                {.access = CW_ACCESS_REMOTE_READ | CW_ACCESS_REMOTE_WRITE | CW_ACCESS_EXPORTABLE}));
        small_.reserve(small_count);
        large_.reserve(kLargeCount);
        for (std::uint32_t i = small_count; i-- > 0;)
            small_.push_back(i);
        for (std::uint32_t i = kLargeCount; i-- > 0;)
            large_.push_back(small_count + i);
        region_ = std::make_unique<client::Region>(std::move(region));
        return {};
    }
    // For `length` bytes, at most kLarge; kNone: all of that size are in use.
    [[nodiscard]] std::uint32_t take(std::uint32_t length) noexcept {
        auto& free = length <= kSmall ? small_ : large_;
        if (free.empty())
            return kNone;
        const std::uint32_t chunk = free.back();
        free.pop_back();
        return chunk;
    }
    void give(std::uint32_t chunk) noexcept {
        (chunk < small_count_ ? small_ : large_).push_back(chunk);  // within what make() reserved
    }
    [[nodiscard]] std::byte* at(std::uint32_t chunk) const noexcept {
        return region_->data() + offset(chunk);
    }
    [[nodiscard]] cw_remote remote(std::uint32_t chunk) const noexcept {
        return region_->remote(offset(chunk));
    }
    [[nodiscard]] cw_slice slice(std::uint32_t chunk, std::uint32_t length) const noexcept {
        return {at(chunk), length, region_->handle()};
    }
    // All of it.
    [[nodiscard]] std::byte* data() const noexcept { return region_->data(); }
    [[nodiscard]] std::size_t size() const noexcept {
        return std::size_t{kSmall} * small_count_ + std::size_t{kLarge} * kLargeCount;
    }

private:
    [[nodiscard]] std::uint64_t offset(std::uint32_t chunk) const noexcept {
        return chunk < small_count_ ? std::uint64_t{chunk} * kSmall
                                    : std::uint64_t{kSmall} * small_count_ +
                                          std::uint64_t{chunk - small_count_} * kLarge;
    }
    std::uint32_t small_count_ = 0;
    std::unique_ptr<client::Region> region_;
    std::vector<std::uint32_t> small_;
    std::vector<std::uint32_t> large_;
};

}  // namespace causeway::io::block
