// Disks that another partition serves, the C++20 API: a header-only layer on block.h, which says
// what each call does, when it fails, and what a disk promises.
//
//   auto disk = causeway::block::Disk::open(partition, "storage/disk0").value();
//   disk.read(0, buffer).value();                          // waits for its end
//   disk.submit_read(4096, memory.slice(0, 4096), 7).value();  // the region's memory, no copy
//   for (const causeway::block::Outcome& o : disk.poll(100ms).value()) ...
//
// Threading: each disk one thread at a time.
// Ownership: a disk must not outlive its partition; buffers are the caller's.
#pragma once

#include <causeway/block.h>
#include <causeway/causeway.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::block {

// As a time-out: wait for as long as it takes.
inline constexpr std::chrono::nanoseconds kForever = std::chrono::nanoseconds::max();

// What a partition wants to do with a disk.
enum class Access {
    read = CW_DISK_READ,
    write = CW_DISK_WRITE,    // as the only partition that writes
    shared = CW_DISK_SHARED,  // write, as others may
    most = CW_DISK_MOST       // write where the unit allows it, else read
};

// How to open a disk.
struct Options {
    // What it is wanted for.
    Access access = Access::most;
    std::uint32_t depth = 0;  // requests outstanding, at most; 0: 128
    // After which a request ends in ETIMEDOUT. 0: 60 s.
    std::chrono::nanoseconds timeout{0};
    // How calls wait.
    Wait wait = Wait::adaptive;
    const char* executor = nullptr;  // nullptr: policy decides; "adapter", "direct"
};

// Flags of a request; combined with |.
enum class Flags : std::uint32_t {
    none = 0,
    fua = CW_DISK_FUA,                // ended means durable
    allocate = CW_DISK_ALLOCATE,      // zero: what is written there later finds its room
    fast_only = CW_DISK_FAST_ONLY,    // zero: EOPNOTSUPP rather than as slow as writing
    one_extent = CW_DISK_ONE_EXTENT,  // extents: the first is enough
};
// Both.
[[nodiscard]] constexpr Flags operator|(Flags a, Flags b) noexcept {
    return static_cast<Flags>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}

// What became of a request: its errno number, 0 where it went well.
struct Outcome {
    std::uint64_t user = 0;     // as given with the request
    int error = 0;              // errno
    std::uint32_t extents = 0;  // that stand in its array
};

// A disk of a block unit. As cw_disk of the C API. Moved, not copied.
class Disk {
public:
    // Opens "partition/name", waiting at most `timeout` for its unit. Errors: not_found, denied,
    // limit_reached (another partition writes), timed_out, protocol, no_memory, adapter_gone.
    [[nodiscard]] static Result<Disk> open(
        Partition& partition, const std::string& target, const Options& options = {},
        std::chrono::nanoseconds timeout = std::chrono::seconds(5)) {
        const cw_disk_options raw{sizeof(cw_disk_options),
                                  static_cast<cw_disk_access>(options.access),
                                  options.depth,
                                  nanoseconds(options.timeout),
                                  static_cast<cw_wait>(options.wait),
                                  options.executor};
        cw_disk* made = nullptr;
        if (const int code =
                cw_disk_open(partition.raw(), target.c_str(), &raw, nanoseconds(timeout), &made);
            code != CW_OK) {
            return detail::last_error(code);
        }
        return Disk(made);
    }
    Disk() = default;
    explicit Disk(cw_disk* raw) noexcept : handle_(raw) {}

    // Size, blocks and abilities, as the unit said last.
    [[nodiscard]] cw_disk_info info() const noexcept {
        cw_disk_info info{};
        (void)cw_disk_info_of(handle_.get(), &info);
        return info;
    }
    // Why there is no connection to the unit now; empty where there is one.
    [[nodiscard]] std::string_view trouble() const noexcept {
        return cw_disk_trouble(handle_.get());
    }

    // ---- without waiting; the outcome comes by poll(), in any order

    // Any request, as the C API has it. Errors: again, invalid_argument, no_memory, limit_reached.
    [[nodiscard]] Result<void> submit(const cw_disk_request& request) {
        return detail::check(cw_disk_submit(handle_.get(), &request));
    }
    // Reads into registered memory (or with handle 0 any), from `offset` in bytes.
    [[nodiscard]] Result<void> submit_read(std::uint64_t offset, const cw_slice& into,
                                           std::uint64_t user) {
        return submit(moving(CW_DISK_OP_READ, offset, into, Flags::none, user));
    }
    // Writes what lies there.
    [[nodiscard]] Result<void> submit_write(std::uint64_t offset, const cw_slice& from,
                                            std::uint64_t user, Flags flags = Flags::none) {
        return submit(moving(CW_DISK_OP_WRITE, offset, from, flags, user));
    }
    // Makes durable what had ended before.
    [[nodiscard]] Result<void> submit_flush(std::uint64_t user) {
        return submit(plain(CW_DISK_OP_FLUSH, 0, 0, Flags::none, user));
    }
    // Makes `length` bytes zeros.
    [[nodiscard]] Result<void> submit_zero(std::uint64_t offset, std::uint64_t length,
                                           std::uint64_t user, Flags flags = Flags::none) {
        return submit(plain(CW_DISK_OP_ZERO, offset, length, flags, user));
    }
    // Says that what stands in `length` bytes is not needed any more.
    [[nodiscard]] Result<void> submit_discard(std::uint64_t offset, std::uint64_t length,
                                              std::uint64_t user, Flags flags = Flags::none) {
        return submit(plain(CW_DISK_OP_DISCARD, offset, length, flags, user));
    }
    // The outcomes that there are; waits at most `timeout` for the first. Empty: the time is over.
    // Errors: wrong_state (nothing is outstanding).
    [[nodiscard]] Result<std::vector<Outcome>> poll(std::chrono::nanoseconds timeout = kForever) {
        std::array<cw_disk_result, 64> raw;
        const int taken = cw_disk_poll(handle_.get(), raw.data(), static_cast<int>(raw.size()),
                                       nanoseconds(timeout));
        if (taken < 0)
            return detail::last_error(-taken);
        std::vector<Outcome> outcomes;
        for (const cw_disk_result& one : std::span(raw).first(static_cast<std::size_t>(taken)))
            outcomes.push_back({one.user, one.error, one.extents});
        return outcomes;
    }
    // Readable when poll() is worth calling, once that was empty for a time-out of 0. Owned by the
    // disk.
    [[nodiscard]] Result<int> fd() {
        const int file = cw_disk_fd(handle_.get());
        if (file < 0)
            return detail::last_error(-file);
        return file;
    }

    // ---- waiting for the end; the value is the errno number, 0 where it went well

    // Any request.
    [[nodiscard]] Result<Outcome> call(const cw_disk_request& request) {
        cw_disk_result raw{};
        if (const int code = cw_disk_call(handle_.get(), &request, &raw); code != CW_OK)
            return detail::last_error(code);
        return Outcome{raw.user, raw.error, raw.extents};
    }
    // Fills the buffer from `offset` on.
    [[nodiscard]] Result<int> read(std::uint64_t offset, std::span<std::byte> into) {
        return whole(CW_DISK_OP_READ, offset, into.data(), into.size(), Flags::none);
    }
    // Writes all of it.
    [[nodiscard]] Result<int> write(std::uint64_t offset, std::span<const std::byte> from,
                                    Flags flags = Flags::none) {
        return whole(CW_DISK_OP_WRITE, offset, const_cast<std::byte*>(from.data()), from.size(),
                     flags);
    }
    // Makes durable what had ended before.
    [[nodiscard]] Result<int> flush() {
        return error_of(call(plain(CW_DISK_OP_FLUSH, 0, 0, Flags::none, 0)));
    }
    // Makes `length` bytes zeros.
    [[nodiscard]] Result<int> zero(std::uint64_t offset, std::uint64_t length,
                                   Flags flags = Flags::none) {
        return error_of(call(plain(CW_DISK_OP_ZERO, offset, length, flags, 0)));
    }
    // Says that what stands in `length` bytes is not needed any more.
    [[nodiscard]] Result<int> discard(std::uint64_t offset, std::uint64_t length,
                                      Flags flags = Flags::none) {
        return error_of(call(plain(CW_DISK_OP_DISCARD, offset, length, flags, 0)));
    }
    // Which parts of `length` bytes are data, holes or zeros: side by side from `offset` on, though
    // they may end before the last of these bytes. Errors: system (the unit's errno is in the
    // text).
    [[nodiscard]] Result<std::vector<cw_disk_extent>> extents(std::uint64_t offset,
                                                              std::uint64_t length,
                                                              Flags flags = Flags::none) {
        std::vector<cw_disk_extent> found(64);
        cw_disk_request request = plain(CW_DISK_OP_EXTENTS, offset, length, flags, 0);
        request.data = found.data();
        request.room = static_cast<std::uint32_t>(found.size());
        const auto outcome = call(request);
        if (!outcome)
            return tl::unexpected(outcome.error());
        if (outcome->error != 0) {
            return tl::unexpected(Error{
                ErrorCode::system,
                "the unit cannot tell extents (errno " + std::to_string(outcome->error) + ")"});
        }
        found.resize(outcome->extents);
        return found;
    }
    [[nodiscard]] cw_disk* raw() const noexcept { return handle_.get(); }

private:
    [[nodiscard]] static std::uint64_t nanoseconds(std::chrono::nanoseconds time) noexcept {
        return time == kForever ? UINT64_MAX : static_cast<std::uint64_t>(time.count());
    }
    [[nodiscard]] static cw_disk_request plain(cw_disk_operation operation, std::uint64_t offset,
                                               std::uint64_t length, Flags flags,
                                               std::uint64_t user) noexcept {
        return {static_cast<std::uint32_t>(operation),
                static_cast<std::uint32_t>(flags),
                offset,
                length,
                nullptr,
                0,
                0,
                user};
    }
    [[nodiscard]] static cw_disk_request moving(cw_disk_operation operation, std::uint64_t offset,
                                                const cw_slice& slice, Flags flags,
                                                std::uint64_t user) noexcept {
        cw_disk_request request = plain(operation, offset, slice.length, flags, user);
        request.data = slice.address;
        request.handle = slice.handle;
        return request;
    }
    [[nodiscard]] static Result<int> error_of(const Result<Outcome>& outcome) {
        if (!outcome)
            return tl::unexpected(outcome.error());
        return outcome->error;
    }
    // Longer than one request may be: one after the other.
    [[nodiscard]] Result<int> whole(cw_disk_operation operation, std::uint64_t offset,
                                    std::byte* data, std::size_t length, Flags flags) {
        constexpr std::size_t kMost = 32U << 20;
        do {
            const std::size_t piece = length < kMost ? length : kMost;
            cw_disk_request request = plain(operation, offset, piece, flags, 0);
            request.data = data;
            const auto error = error_of(call(request));
            if (!error || *error != 0)
                return error;
            offset += piece;
            data += piece;
            length -= piece;
        } while (length != 0);
        return 0;
    }
    detail::Handle<cw_disk, cw_disk_close> handle_;
};

}  // namespace causeway::block
