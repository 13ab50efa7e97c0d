#include "io/block/unit/image.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <thread>

#include "platform/clock.hpp"

namespace causeway::io::block {
namespace {

namespace wire = abi::block;
using namespace std::chrono_literals;

constexpr std::size_t kZeros = 1U << 20;
constexpr std::uint32_t kDirectBlock = 4096;  // where the kernel does not say

alignas(4096) std::array<std::byte, kZeros> zeros;  // never written to

[[nodiscard]] iovec vector_of(const std::byte* data, std::size_t length) noexcept {
    return {const_cast<std::byte*>(data), length};
}

// By what the kernel tells of a block device.
[[nodiscard]] bool is_rotational(dev_t device) {
    std::array<char, 64> path{};
    std::snprintf(path.data(), path.size(), "/sys/dev/block/%u:%u/queue/rotational", major(device),
                  minor(device));
    const platform::UniqueFd file(::open(path.data(), O_RDONLY | O_CLOEXEC));
    char said = '0';
    return file && ::read(file.get(), &said, 1) == 1 && said == '1';
}

}  // namespace

Result<std::unique_ptr<Image>> Image::open(const ImageTerms& terms) {
    std::unique_ptr<Image> image(new Image);
    const int flags = O_CLOEXEC | (terms.writing == Writing::allowed ? O_RDWR : O_RDONLY) |
                      (terms.cache == Cache::none ? O_DIRECT : 0);
    image->file_.reset(::open(terms.path.c_str(), flags));
    if (!image->file_) {
        const int error = errno;
        const char* advice = "";
        if (error == EACCES || error == EROFS || error == EPERM)
            advice = "; --read-only needs no more than reading";
        else if (error == EINVAL && terms.cache == Cache::none)
            advice = "; its file system may not know --direct-io";
        return fail_format(error == ENOENT ? ErrorCode::not_found : ErrorCode::denied,
                           "the image %s cannot be opened: %s%s", terms.path.c_str(),
                           std::generic_category().message(error).c_str(), advice);
    }
    image->writing_ = terms.writing;
    image->cache_ = terms.cache;
    CW_TRY(image->measure(terms));
    CW_TRY(image->lock(terms));
    return image;
}

Result<void> Image::measure(const ImageTerms& terms) {
    struct stat facts {};
    if (::fstat(file_.get(), &facts) != 0)
        return fail_errno("stat the image", errno);
    if (S_ISBLK(facts.st_mode)) {
        if (::ioctl(file_.get(), BLKGETSIZE64, &size_) != 0)
            return fail_errno("ask the device for its size", errno);
        int logical = 512;
        (void)::ioctl(file_.get(), BLKSSZGET, &logical);
        alignment_ = static_cast<std::uint32_t>(logical);
        rotational_ = is_rotational(facts.st_rdev);
    } else if (S_ISREG(facts.st_mode)) {
        size_ = static_cast<std::uint64_t>(facts.st_size);
        struct statfs system {};
        in_memory_ = ::fstatfs(file_.get(), &system) == 0 &&
                     (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
        alignment_ = kDirectBlock;
#ifdef STATX_DIOALIGN
        struct statx more {};
        if (::statx(file_.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &more) == 0 &&
            (more.stx_mask & STATX_DIOALIGN) != 0 && more.stx_dio_offset_align != 0) {
            alignment_ = std::max(more.stx_dio_offset_align, more.stx_dio_mem_align);
        }
#endif
    } else {
        return fail_format(ErrorCode::invalid_argument,
                           "%s is neither a file nor a block device: a disk needs one of them",
                           terms.path.c_str());
    }
    if (cache_ == Cache::none) {
        block_ = alignment_;
        in_memory_ = false;
    } else {
        alignment_ = 1;
    }
    if (size_ == 0 || size_ % block_ != 0) {
        return fail_format(ErrorCode::invalid_argument,
                           "%s has %llu bytes; a disk needs some, and here a multiple of %u: make "
                           "it larger with truncate -s",
                           terms.path.c_str(), static_cast<unsigned long long>(size_), block_);
    }
    return {};
}

Result<void> Image::lock(const ImageTerms& terms) {
    const int how = (terms.writing == Writing::allowed ? LOCK_EX : LOCK_SH) | LOCK_NB;
    const std::uint64_t until = platform::monotonic_ns() + terms.lock_wait_ns;
    while (::flock(file_.get(), how) != 0) {
        if (errno != EWOULDBLOCK)
            return fail_errno("lock the image", errno);
        if (platform::monotonic_ns() >= until) {
            return fail_format(ErrorCode::name_in_use,
                               "the image %s is locked: another process serves or uses it (lsof "
                               "tells which). Several may serve it --read-only",
                               terms.path.c_str());
        }
        std::this_thread::sleep_for(10ms);
    }
    return {};
}

int Image::read(std::uint64_t offset, std::byte* data, std::size_t length) noexcept {
    while (length != 0) {
        const ssize_t got = ::pread(file_.get(), data, length, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0) {
            note_truncated();
            return EIO;
        }
        offset += static_cast<std::uint64_t>(got);
        data += got;
        length -= static_cast<std::size_t>(got);
    }
    return 0;
}

int Image::write(std::uint64_t offset, const std::byte* data, std::size_t length,
                 std::uint32_t flags) noexcept {
    const int how = (flags & wire::request_flag::kFua) != 0 ? RWF_DSYNC : 0;
    while (length != 0) {
        const iovec vector = vector_of(data, length);
        const ssize_t put = ::pwritev2(file_.get(), &vector, 1, static_cast<off_t>(offset), how);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : EIO;
        offset += static_cast<std::uint64_t>(put);
        data += put;
        length -= static_cast<std::size_t>(put);
    }
    return 0;
}

int Image::flush() noexcept {
    struct stat facts {};
    if (::fstat(file_.get(), &facts) == 0 && S_ISREG(facts.st_mode) &&
        static_cast<std::uint64_t>(facts.st_size) < size_) {
        note_truncated();
        return EIO;
    }
    return ::fdatasync(file_.get()) == 0 ? 0 : errno;
}

int Image::write_zeros(std::uint64_t offset, std::uint64_t length, std::uint32_t flags) noexcept {
    while (length != 0) {
        const std::size_t piece = std::min<std::uint64_t>(length, kZeros);
        if (const int error = write(offset, zeros.data(), piece, flags); error != 0)
            return error;
        offset += piece;
        length -= piece;
    }
    return 0;
}

// The cheapest way that the file system knows.
int Image::zero(std::uint64_t offset, std::uint64_t length, std::uint32_t flags) noexcept {
    namespace flag = wire::request_flag;
    const auto from = static_cast<off_t>(offset);
    const auto bytes = static_cast<off_t>(length);
    const bool allocate = (flags & flag::kAllocate) != 0;
    const int first = allocate ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE;
    int done = ::fallocate(file_.get(), first | FALLOC_FL_KEEP_SIZE, from, bytes);
    if (done != 0 && errno == EOPNOTSUPP && allocate) {
        done = ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, bytes);
        if (done == 0)
            done = ::fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, from, bytes);
    }
    if (done == 0)
        return (flags & flag::kFua) != 0 ? flush() : 0;
    if (errno != EOPNOTSUPP && errno != ENODEV && errno != EINVAL && errno != ENOTTY)
        return errno;
    if ((flags & flag::kFastOnly) != 0)
        return EOPNOTSUPP;
    return write_zeros(offset, length, flags);
}

int Image::discard(std::uint64_t offset, std::uint64_t length, std::uint32_t flags) noexcept {
    const int done = ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                 static_cast<off_t>(offset), static_cast<off_t>(length));
    if (done != 0 && errno != EOPNOTSUPP && errno != ENODEV && errno != EINVAL)
        return errno;
    // What cannot be discarded stays: it was a hint.
    return (flags & wire::request_flag::kFua) != 0 ? flush() : 0;
}

int Image::extents(std::uint64_t offset, std::uint64_t length, std::uint32_t flags,
                   std::vector<wire::Extent>& out) const {
    const std::uint64_t end = offset + length;
    out.clear();
    while (offset < end && out.size() < wire::kMostExtents) {
        const off_t data = ::lseek(file_.get(), static_cast<off_t>(offset), SEEK_DATA);
        std::uint64_t until = end;
        std::uint32_t kind = 0;
        if (data < 0) {
            if (errno != ENXIO)  // the file system does not tell: all is data
                kind = 0;
            else
                kind = wire::extent_flag::kHole | wire::extent_flag::kZero;
        } else if (static_cast<std::uint64_t>(data) > offset) {
            kind = wire::extent_flag::kHole | wire::extent_flag::kZero;
            until = std::min(end, static_cast<std::uint64_t>(data));
        } else if (const off_t hole = ::lseek(file_.get(), static_cast<off_t>(offset), SEEK_HOLE);
                   hole >= 0 && static_cast<std::uint64_t>(hole) > offset) {
            until = std::min(end, static_cast<std::uint64_t>(hole));
        }
        until -= until == end ? 0 : until % block_;
        if (until <= offset)
            until = end;
        out.push_back({until - offset, kind, 0});
        offset = until;
        if ((flags & wire::request_flag::kOneExtent) != 0)
            break;
    }
    return 0;
}

}  // namespace causeway::io::block
