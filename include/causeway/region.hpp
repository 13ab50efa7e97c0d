// Registered memory: Region owns it, Slice names a piece of it, Remote names a place in a peer's.
#pragma once

#include <causeway/error.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

namespace causeway {

// Rights that peers get in a region; combine with |.
enum class Access : std::uint32_t {
    local = CW_ACCESS_LOCAL,
    remote_write = CW_ACCESS_REMOTE_WRITE,
    remote_read = CW_ACCESS_REMOTE_READ,
    append = CW_ACCESS_APPEND,
    exportable = CW_ACCESS_EXPORTABLE,
};
// The rights of both.
[[nodiscard]] constexpr Access operator|(Access a, Access b) noexcept {
    return static_cast<Access>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}

// A piece of a local region, for posting. Borrowed: the region must outlive it.
struct Slice : cw_slice {
    // Its first byte.
    [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(address); }
    // In bytes.
    [[nodiscard]] std::size_t size() const noexcept { return length; }
    // All of it.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data(), size()}; }
};

// A place in a peer's region: plain data, to be sent to the peer in any message.
using Remote = cw_remote;

// Whom taking back does not reach: memory that was granted to a direct peer stays mapped there.
enum class Reach { nobody, granted_peers };

// How memory is registered.
struct RegionOptions {
    // What peers may do with it.
    Access access = Access::local;
    bool huge_pages = false;  // an error where the system has none free
    bool zero_based = false;  // remote addresses count from 0 instead of data()
};

// Memory that the fabric may reach. Moved, not copied; closed when it goes.
class Region {
public:
    Region() = default;
    explicit Region(cw_region* raw) noexcept : handle_(raw) {}

    // Its first byte.
    [[nodiscard]] std::byte* data() const noexcept {
        return static_cast<std::byte*>(cw_region_data(handle_.get()));
    }
    // In bytes, a multiple of the page size.
    [[nodiscard]] std::size_t size() const noexcept { return cw_region_size(handle_.get()); }
    // All of it.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data(), size()}; }

    // Clamped to nothing it is not: a slice past the end is refused when it is posted.
    [[nodiscard]] Slice slice(std::size_t offset, std::uint32_t length) const noexcept {
        return Slice{{data() + offset, length, cw_region_handle(handle_.get())}};
    }
    // What a peer needs to reach the byte at `offset` with Write, Read or Append.
    [[nodiscard]] Remote remote(std::size_t offset = 0) const noexcept {
        return cw_region_remote(handle_.get(), offset);
    }
    // Where the next Append of a peer will go, in bytes from the region's start. Errors:
    // adapter_gone, not_found (deregistered).
    [[nodiscard]] Result<std::uint64_t> append_offset() const {
        std::uint64_t offset = 0;
        if (const int code = cw_region_append_offset(handle_.get(), &offset); code != CW_OK) {
            return detail::last_error(code);
        }
        return offset;
    }
    // Deregisters, but keeps the memory for this partition.
    [[nodiscard]] Result<Reach> deregister() {
        int granted = 0;
        if (const int code = cw_region_deregister(handle_.get(), &granted); code != CW_OK)
            return detail::last_error(code);
        return granted != 0 ? Reach::granted_peers : Reach::nobody;
    }
    // Leaves peers no more than `access` of the rights that they had, also in a move that is under
    // way: effective when it returns.
    [[nodiscard]] Result<Reach> narrow(Access access) {
        int granted = 0;
        if (const int code =
                cw_region_narrow(handle_.get(), static_cast<std::uint32_t>(access), &granted);
            code != CW_OK)
            return detail::last_error(code);
        return granted != 0 ? Reach::granted_peers : Reach::nobody;
    }
    // Deregisters; once it returns the adapter no longer reaches the memory. The destructor does
    // the same and ignores errors.
    [[nodiscard]] Result<void> close() { return detail::check(cw_region_close(handle_.release())); }
    [[nodiscard]] cw_region* raw() const noexcept { return handle_.get(); }

private:
    using Handle = detail::Handle<cw_region, cw_region_close>;
    Handle handle_;
};

}  // namespace causeway
