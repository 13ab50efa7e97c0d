// Named segments: shared storage that is configured, and that partitions open by name.
#pragma once

#include <causeway/error.hpp>
#include <causeway/region.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace causeway {

// What a partition wants to do with a segment.
enum class SegmentAccess { read = CW_SEGMENT_READ, write = CW_SEGMENT_WRITE };

// An open segment, as cw_segment of the C API. Moved, not copied; let go of when it goes.
class Segment {
public:
    Segment() = default;
    explicit Segment(cw_segment* raw) noexcept : handle_(raw) {}

    // As configured.
    [[nodiscard]] std::string_view name() const noexcept { return cw_segment_name(handle_.get()); }
    // In bytes.
    [[nodiscard]] std::size_t size() const noexcept { return cw_segment_size(handle_.get()); }
    // May this partition write into it?
    [[nodiscard]] bool writable() const noexcept { return cw_segment_writable(handle_.get()) != 0; }
    // Only read() shows what is in it: the adapter copies.
    [[nodiscard]] bool is_copy() const noexcept { return data() == nullptr; }

    // Null for who gets copies.
    [[nodiscard]] const std::byte* data() const noexcept {
        return static_cast<const std::byte*>(cw_segment_data(handle_.get()));
    }
    // All of it; empty for who gets copies.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        return {data(), is_copy() ? 0 : size()};
    }
    // Null for who may not write it.
    [[nodiscard]] std::byte* writable_data() noexcept {
        return writable() ? static_cast<std::byte*>(cw_segment_data(handle_.get())) : nullptr;
    }
    // All of it; empty for who may not write it.
    [[nodiscard]] std::span<std::byte> writable_bytes() noexcept {
        return {writable_data(), writable() ? size() : 0};
    }

    // Copies `length` bytes at `offset` to `at` of the region.
    [[nodiscard]] Result<void> read(std::uint64_t offset, const Region& into, std::size_t at,
                                    std::size_t length) {
        return detail::check(cw_segment_read(handle_.get(), offset, into.raw(), at, length));
    }
    // An error once it is not this partition's any more; what is mapped stays mapped.
    [[nodiscard]] Result<void> check() { return detail::check(cw_segment_check(handle_.get())); }
    // Unmaps it and lets go of it; the destructor does the same and ignores errors.
    [[nodiscard]] Result<void> close() {
        return detail::check(cw_segment_close(handle_.release()));
    }
    [[nodiscard]] cw_segment* raw() const noexcept { return handle_.get(); }

private:
    detail::Handle<cw_segment, cw_segment_close> handle_;
};

}  // namespace causeway
