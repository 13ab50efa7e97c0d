// RegionResource: registered memory for std::pmr containers, so that what they hold can be sent,
// written or read without a copy into a buffer.
//
//   causeway::RegionResource memory(partition);
//   std::pmr::unsynchronized_pool_resource pool(&memory);
//   std::pmr::vector<double> values(&pool);
//   ...
//   pair.post_send(memory.slice(values.data(), values.size() * sizeof(double)).value(), id);
//
// Threading: one thread at a time, as std::pmr::unsynchronized_pool_resource, which belongs in
// front of it: allocating here searches a list, and a new region costs milliseconds.
//
// Ownership: owns its regions; borrows the partition, which must outlive it. Memory in use by a
// posted descriptor must not be given back before its completion.
//
// Invariants:
//  1. Every allocation lies within one region.
//  2. Free ranges of a region are disjoint, not adjacent, and together with the allocations they
//     make up the whole region.
//  3. A region without allocations is closed, unless it is the newest one.
#pragma once

#include <algorithm>
#include <causeway/causeway.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <memory_resource>
#include <new>
#include <utility>

namespace causeway {

// How its regions are made.
struct RegionResourceOptions {
    Access access = Access::local;  // of every region
    std::size_t first = std::size_t{1}
                        << 20;  // bytes of the first region; each next has twice as many
    std::size_t most = std::size_t{64} << 20;  // bytes; more only for an allocation that needs it
};

// Memory for std::pmr containers, all of it registered. Regions are added as they are needed, and
// closed when it goes.
class RegionResource final : public std::pmr::memory_resource {
public:
    // Of `partition`, which must outlive it.
    explicit RegionResource(Partition& partition, const RegionResourceOptions& options = {})
        : partition_(&partition), options_(options), next_size_(options.first) {}
    RegionResource(const RegionResource&) = delete;
    RegionResource& operator=(const RegionResource&) = delete;

    // The `length` bytes at `address`, for posting. Errors: invalid_argument (not within one of
    // these regions, or longer than one descriptor carries).
    [[nodiscard]] Result<Slice> slice(const void* address, std::size_t length) const {
        const Chunk* chunk = find(address, length);
        if (chunk == nullptr || length > std::numeric_limits<std::uint32_t>::max())
            return outside();
        return chunk->region.slice(offset_in(*chunk, address), static_cast<std::uint32_t>(length));
    }
    // What a peer needs to reach `address`, if Access allows it to.
    [[nodiscard]] Result<Remote> remote(const void* address) const {
        const Chunk* chunk = find(address, 1);
        if (chunk == nullptr)
            return outside();
        return chunk->region.remote(offset_in(*chunk, address));
    }

    // How many it has made.
    [[nodiscard]] std::size_t regions() const noexcept { return chunks_.size(); }
    // The bytes of all of them.
    [[nodiscard]] std::size_t registered_bytes() const noexcept {
        std::size_t bytes = 0;
        for (const auto& [base, chunk] : chunks_)
            bytes += chunk.region.size();
        return bytes;
    }
    // Why the last allocation threw std::bad_alloc; code none if none did.
    [[nodiscard]] const Error& last_error() const noexcept { return last_error_; }

private:
    struct Chunk {
        Region region;
        std::map<std::size_t, std::size_t> free;  // offset -> bytes
    };
    using Chunks = std::map<const std::byte*, Chunk, std::less<>>;  // by first byte

    // std::pmr demands an exception where there is no memory.
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        bytes = std::max<std::size_t>(bytes, 1);
        for (auto& [base, chunk] : chunks_) {
            if (void* const found = take_from(chunk, bytes, alignment))
                return found;
        }
        return take_from(grow(bytes, alignment), bytes, alignment);
    }

    void do_deallocate(void* address, std::size_t bytes, std::size_t) override {
        bytes = std::max<std::size_t>(bytes, 1);
        const auto at = holder(address);
        Chunk& chunk = at->second;
        const std::size_t offset = offset_in(chunk, address);
        auto [range, added] = chunk.free.emplace(offset, bytes);
        if (const auto next = std::next(range);
            next != chunk.free.end() && offset + bytes == next->first) {
            range->second += next->second;
            chunk.free.erase(next);
        }
        if (range != chunk.free.begin()) {
            const auto previous = std::prev(range);
            if (previous->first + previous->second == offset) {
                previous->second += range->second;
                chunk.free.erase(range);
                range = previous;
            }
        }
        if (range->second == chunk.region.size() && at->first != newest_)
            chunks_.erase(at);
    }

    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    // First fit; nullptr if there is none.
    [[nodiscard]] static void* take_from(Chunk& chunk, std::size_t bytes, std::size_t alignment) {
        for (auto range = chunk.free.begin(); range != chunk.free.end(); ++range) {
            const auto [offset, size] = *range;
            const auto address = reinterpret_cast<std::uintptr_t>(chunk.region.data() + offset);
            const std::size_t before = (alignment - address % alignment) % alignment;
            if (size < before || size - before < bytes)
                continue;
            const std::size_t after = size - before - bytes;
            if (after > 0)
                chunk.free.emplace(offset + before + bytes, after);
            if (before > 0)
                range->second = before;
            else
                chunk.free.erase(range);
            return chunk.region.data() + offset + before;
        }
        return nullptr;
    }

    // A region in which the allocation fits.
    [[nodiscard]] Chunk& grow(std::size_t bytes, std::size_t alignment) {
        constexpr std::size_t kPageBytes = 4096;  // what regions are aligned to at least
        const std::size_t padding = alignment > kPageBytes ? alignment : 0;
        if (bytes > std::numeric_limits<std::size_t>::max() - padding)
            throw std::bad_alloc();
        auto region = partition_->allocate(std::max(next_size_, bytes + padding), options_.access);
        if (!region.has_value()) {
            last_error_ = std::move(region).error();
            throw std::bad_alloc();
        }
        next_size_ = std::max(next_size_, std::min(next_size_ * 2, options_.most));
        newest_ = region->data();
        Chunk& chunk = chunks_.emplace(newest_, Chunk{*std::move(region), {}}).first->second;
        chunk.free.emplace(0, chunk.region.size());
        return chunk;
    }

    [[nodiscard]] static std::size_t offset_in(const Chunk& chunk, const void* address) noexcept {
        return static_cast<std::size_t>(static_cast<const std::byte*>(address) -
                                        chunk.region.data());
    }
    // The chunk with the last first byte not behind `address`; end() if all begin behind it.
    template<typename Self>
    [[nodiscard]] static auto holder_in(Self& chunks, const void* address) {
        const auto behind = chunks.upper_bound(static_cast<const std::byte*>(address));
        return behind == chunks.begin() ? chunks.end() : std::prev(behind);
    }
    [[nodiscard]] Chunks::iterator holder(const void* address) {
        return holder_in(chunks_, address);
    }
    [[nodiscard]] const Chunk* find(const void* address, std::size_t length) const {
        const auto at = holder_in(chunks_, address);
        if (at == chunks_.end())
            return nullptr;
        const std::size_t offset = offset_in(at->second, address);
        const std::size_t size = at->second.region.size();
        return length <= size && offset <= size - length ? &at->second : nullptr;
    }
    [[nodiscard]] static tl::unexpected<Error> outside() {
        return tl::unexpected<Error>(
            Error{ErrorCode::invalid_argument,
                  "the memory does not lie in one region of this resource: allocate it from here"});
    }

    Partition* partition_;
    RegionResourceOptions options_;
    std::size_t next_size_;
    const std::byte* newest_ = nullptr;
    Chunks chunks_;
    Error last_error_{};
};

}  // namespace causeway
