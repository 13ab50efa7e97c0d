#include "platform/mapping.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "base/assert.hpp"
#include "base/sanitizers.hpp"
#include "platform/fault_guard.hpp"

namespace causeway::platform {

namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kPiece = std::size_t{2} << 20;
#ifdef MADV_POPULATE_WRITE
constexpr int kPopulateWrite = MADV_POPULATE_WRITE;
#else
constexpr int kPopulateWrite = 23;
#endif
#ifdef MAP_FIXED_NOREPLACE
constexpr int kFixedVacant = MAP_FIXED_NOREPLACE;
#else
constexpr int kFixedVacant = 0x100000;
#endif

// Replaces what is mapped there by nothing accessible, in one step: the kernel lets nothing else in
// between.
void* map_without_access(void* address, std::size_t size) noexcept {
    constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
#if CW_THREAD_SANITIZER
    // ThreadSanitizer takes mmap() for a write to the memory, and a copy that runs meanwhile for a
    // data race. That copy is what revoking is for: it faults.
    return reinterpret_cast<void*>(::syscall(SYS_mmap, address, size, PROT_NONE, kFlags, -1, 0));
#else
    return ::mmap(address, size, PROT_NONE, kFlags, -1, 0);
#endif
}

std::size_t round_up(std::size_t value, std::size_t unit) noexcept {
    return (value + unit - 1) / unit * unit;
}

tl::unexpected<Error> map_failed(std::size_t size, int err) {
    if (err == ENOMEM) {
        return fail_format(ErrorCode::no_memory,
                           "cannot map %zu bytes: no address space or memory, or this process has "
                           "as many mappings as /proc/sys/vm/max_map_count allows",
                           size);
    }
    return fail_errno_format(err, "map %zu bytes", size);
}

tl::unexpected<Error> populate_failed(std::size_t offset, int err) {
    // EFAULT: the fault would have been a SIGBUS; of a memfd it means that no page could be had.
    if (err == ENOMEM || err == EFAULT) {
        return fail_format(ErrorCode::no_memory,
                           "memory ran out at byte %zu: free some, or raise the memory limit of "
                           "this process's cgroup",
                           offset);
    }
    return fail_errno_format(err, "populate memory at byte %zu", offset);
}

// For kernels before 5.14, which cannot populate for writing: touch every page.
Result<void> touch_pages(std::byte* data, std::size_t offset, std::size_t length) {
    CW_TRY(install_fault_guard());
    std::byte* const at = data + offset;
    const FaultRange range{reinterpret_cast<std::uintptr_t>(at),
                           reinterpret_cast<std::uintptr_t>(at) + length};
    FaultInfo fault;
    const bool done = guarded_within(
        std::span(&range, 1),
        [&] {
            for (std::size_t i = 0; i < length; i += kPageBytes)
                __atomic_fetch_or(reinterpret_cast<unsigned char*>(at + i), 0, __ATOMIC_RELAXED);
        },
        fault);
    if (!done) {
        return populate_failed(fault.address - reinterpret_cast<std::uintptr_t>(data), ENOMEM);
    }
    return {};
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    if (this != &other) {
        reset();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

Result<Mapping> Mapping::map(int fd, std::size_t size, std::uint64_t file_offset,
                             Protection protection, Placement placement, void* address) {
    CW_ASSERT((placement == Placement::anywhere) == (address == nullptr));
    const int access = protection == Protection::read_write ? PROT_READ | PROT_WRITE : PROT_READ;
    int flags = MAP_SHARED;
    if (placement == Placement::vacant)
        flags |= kFixedVacant;
    if (placement == Placement::replace)
        flags |= MAP_FIXED;
    void* const data = ::mmap(address, size, access, flags, fd, static_cast<off_t>(file_offset));
    if (data == MAP_FAILED) {
        if (errno == EEXIST) {
            return fail_format(ErrorCode::invalid_argument,
                               "%zu bytes at address %p are wanted, but something is mapped there",
                               size, address);
        }
        return map_failed(size, errno);
    }
    Mapping mapping(static_cast<std::byte*>(data), size);
    if (address != nullptr && data != address) {  // a kernel before 4.17 took it for a hint
        return fail_format(ErrorCode::invalid_argument,
                           "%zu bytes at address %p are wanted, but something is mapped there",
                           size, address);
    }
    return mapping;
}

Result<Mapping> Mapping::reserve(std::size_t size, std::size_t alignment) {
    CW_ASSERT(alignment >= kPageBytes && (alignment & (alignment - 1)) == 0);
    size = round_up(size, kPageBytes);
    const std::size_t spare = alignment - kPageBytes;
    void* const found = ::mmap(nullptr, size + spare, PROT_NONE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED)
        return map_failed(size, errno);
    std::byte* const first = static_cast<std::byte*>(found);
    const auto address = reinterpret_cast<std::uintptr_t>(found);
    std::byte* const data = first + (round_up(address, alignment) - address);
    const auto before = static_cast<std::size_t>(data - first);
    if (before != 0)
        ::munmap(first, before);
    if (before != spare)
        ::munmap(data + size, spare - before);
    return Mapping(data, size);
}

Result<void> Mapping::place(std::size_t offset, int fd, std::uint64_t file_offset,
                            std::size_t size) {
    CW_ASSERT(size <= size_ && offset <= size_ - size);
    void* const data = ::mmap(data_ + offset, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                              fd, static_cast<off_t>(file_offset));
    if (data == MAP_FAILED)
        return map_failed(size, errno);
    return {};
}

Result<void> Mapping::dont_fork() {
    if (::madvise(data_, size_, MADV_DONTFORK) == 0)
        return {};
    return fail_errno("madvise MADV_DONTFORK", errno);
}

Result<void> Mapping::populate_write(std::size_t offset, std::size_t length) {
    CW_ASSERT(length <= size_ && offset <= size_ - length);
    const std::size_t end = offset + length;
    for (std::size_t at = offset; at < end;) {
        // To the next multiple of a piece, so that huge pages are met whole.
        const std::size_t piece = std::min(end - at, kPiece - at % kPiece);
        if (::madvise(data_ + at, piece, kPopulateWrite) == 0) {
            at += piece;
        } else if (errno == EINVAL) {
            return touch_pages(data_, at, end - at);
        } else if (errno != EINTR && errno != EAGAIN) {
            return populate_failed(at, errno);
        }
    }
    return {};
}

Result<void> Mapping::revoke() {
    if (data_ == nullptr)
        return {};
    void* const data = map_without_access(data_, size_);
    if (data == MAP_FAILED)
        return map_failed(size_, errno);
    return {};
}

void Mapping::reset() noexcept {
    if (data_ == nullptr)
        return;
    ::munmap(data_, size_);
    data_ = nullptr;
    size_ = 0;
}

std::byte* Mapping::release() noexcept {
    size_ = 0;
    return std::exchange(data_, nullptr);
}

}  // namespace causeway::platform
