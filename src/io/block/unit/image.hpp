// Image: the file or block device behind a disk, with the calls that wait for it.
//
// Threading: any; nothing changes once it is open, but `truncated`.
// Ownership: owns its descriptor, and with it the lock on the file.
//
// Invariants:
//  1. One process at a time serves a file for writing: the lock is the file's, and outlives a
//  killed
//     unit until the kernel has ended all that it had begun.
//  2. Nothing is read or written beyond the size that the file had when it was opened.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <causeway/abi/block.hpp>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::io::block {

enum class Writing : std::uint8_t { allowed, never };
enum class Cache : std::uint8_t { kernel, none };  // none: O_DIRECT

struct ImageTerms {
    std::string path;
    Writing writing = Writing::allowed;
    Cache cache = Cache::kernel;
    // How long another process's lock is waited for: one that was killed lets go of it when its
    // last request has ended.
    std::uint64_t lock_wait_ns = 5'000'000'000;
};

class Image {
public:
    // Errors: not_found, denied, invalid_argument (no file or device; its size), name_in_use
    // (another process serves it), system.
    [[nodiscard]] static Result<std::unique_ptr<Image>> open(const ImageTerms& terms);

    [[nodiscard]] int fd() const noexcept { return file_.get(); }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint32_t block() const noexcept { return block_; }
    [[nodiscard]] bool read_only() const noexcept { return writing_ == Writing::never; }
    [[nodiscard]] bool rotational() const noexcept { return rotational_; }
    // Memory for it has to be aligned to this many bytes.
    [[nodiscard]] std::uint32_t alignment() const noexcept { return alignment_; }
    [[nodiscard]] bool cached() const noexcept { return cache_ == Cache::kernel; }
    // Its file system keeps it in memory: reading and writing never wait for a device.
    [[nodiscard]] bool in_memory() const noexcept { return in_memory_; }

    // All return an errno number, 0 where it went well; `flags` are request_flag.
    [[nodiscard]] int read(std::uint64_t offset, std::byte* data, std::size_t length) noexcept;
    [[nodiscard]] int write(std::uint64_t offset, const std::byte* data, std::size_t length,
                            std::uint32_t flags) noexcept;
    [[nodiscard]] int flush() noexcept;
    [[nodiscard]] int zero(std::uint64_t offset, std::uint64_t length,
                           std::uint32_t flags) noexcept;
    [[nodiscard]] int discard(std::uint64_t offset, std::uint64_t length,
                              std::uint32_t flags) noexcept;
    // Fills at most `out.size()`.
    [[nodiscard]] int extents(std::uint64_t offset, std::uint64_t length, std::uint32_t flags,
                              std::vector<abi::block::Extent>& out) const;

    // A read that reached the end too early: the file was truncated, and nothing of it is believed
    // any more.
    void note_truncated() noexcept { truncated_.store(true, std::memory_order_relaxed); }
    [[nodiscard]] bool truncated() const noexcept {
        return truncated_.load(std::memory_order_relaxed);
    }

private:
    Image() = default;
    [[nodiscard]] Result<void> measure(const ImageTerms& terms);
    [[nodiscard]] Result<void> lock(const ImageTerms& terms);
    [[nodiscard]] int write_zeros(std::uint64_t offset, std::uint64_t length,
                                  std::uint32_t flags) noexcept;

    platform::UniqueFd file_;
    std::uint64_t size_ = 0;
    std::uint32_t block_ = 1;
    std::uint32_t alignment_ = 1;
    Writing writing_ = Writing::never;
    Cache cache_ = Cache::kernel;
    bool rotational_ = false;
    bool in_memory_ = false;
    std::atomic<bool> truncated_{false};
};

}  // namespace causeway::io::block
