#include "client/region_memory.hpp"

#include <causeway/abi/control.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "client/memory_facts.hpp"
#include "platform/limits.hpp"

namespace causeway::client {
namespace {

using ull = unsigned long long;

[[nodiscard]] std::uint64_t part_size(std::uint64_t size, std::uint64_t offset) noexcept {
    return std::min(abi::kRegionPart, size - offset);
}

// Where the kernel would kill for it rather than refuse, refuse beforehand.
[[nodiscard]] Result<void> check_headroom(std::uint64_t size, platform::PageSize pages) {
    if (pages == platform::PageSize::huge) {
        const std::uint64_t free = platform::free_huge_pages();
        if (free < size / platform::kHugePage) {
            return fail_format(ErrorCode::no_memory,
                               "a region of %llu huge pages of 2 MiB wanted, %llu are free: raise "
                               "/proc/sys/vm/nr_hugepages, or allocate without huge pages",
                               static_cast<ull>(size / platform::kHugePage),
                               static_cast<ull>(free));
        }
        return {};
    }
    const auto headroom = platform::memory_headroom();
    if (headroom && *headroom < size) {
        return fail_format(ErrorCode::no_memory,
                           "a region of %llu bytes wanted, the memory limit of this process's "
                           "cgroup leaves %llu: free memory or raise the limit",
                           static_cast<ull>(size), static_cast<ull>(*headroom));
    }
    const auto available = available_memory();
    if (available && *available < size) {
        return fail_format(ErrorCode::no_memory,
                           "a region of %llu bytes wanted, this host has %llu available: free "
                           "memory or take a smaller region",
                           static_cast<ull>(size), static_cast<ull>(*available));
    }
    return {};
}

// Fills a sized memory file with `length` bytes of this process's memory.
[[nodiscard]] Result<void> copy_into(int file, const std::byte* from, std::uint64_t length) {
    std::uint64_t done = 0;
    while (done < length) {
        const ssize_t n = ::pwrite(file, from + done, length - done, static_cast<off_t>(done));
        if (n > 0) {
            done += static_cast<std::uint64_t>(n);
        } else if (n < 0 && errno == EFAULT) {
            return fail_format(ErrorCode::invalid_argument,
                               "the memory at %p cannot be read: only mapped memory can be adopted",
                               static_cast<const void*>(from + done));
        } else if (n == 0 || errno == ENOSPC || errno == ENOMEM) {
            return fail_format(ErrorCode::no_memory,
                               "memory ran out while %llu bytes were adopted: free some, or raise "
                               "the memory limit of this process's cgroup",
                               static_cast<ull>(length));
        } else if (errno != EINTR) {
            return fail_errno("copy memory into a memory file", errno);
        }
    }
    return {};
}

}  // namespace

RegionMemory::RegionMemory(RegionMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      range_(std::move(other.range_)),
      files_(std::move(other.files_)),
      adopted_(std::exchange(other.adopted_, false)) {}

RegionMemory::~RegionMemory() {
    if (adopted_)
        give_back();
}

void RegionMemory::close_files() noexcept {
    if (!adopted_)
        files_.clear();
}

void RegionMemory::abandon() noexcept {
    (void)range_.release();
    for (platform::UniqueFd& file : files_)
        (void)file.release();
    adopted_ = false;
}

Result<RegionMemory> RegionMemory::create(std::uint64_t size, platform::PageSize pages) {
    CW_TRY(check_headroom(size, pages));
    RegionMemory memory;
    // Aligned so that the kernel may use huge pages for ordinary memory files, too.
    const std::uint64_t alignment =
        size >= platform::kHugePage ? platform::kHugePage : platform::kPage;
    CW_TRY_ASSIGN(memory.range_, platform::Mapping::reserve(size, alignment));
    CW_TRY(memory.range_.dont_fork());
    memory.data_ = memory.range_.data();
    memory.size_ = size;
    memory.files_.reserve((size + abi::kRegionPart - 1) / abi::kRegionPart);
    for (std::uint64_t offset = 0; offset < size; offset += abi::kRegionPart) {
        const std::uint64_t length = part_size(size, offset);
        CW_TRY_ASSIGN(platform::UniqueFd file, platform::create_memfd("causeway-region", length,
                                                                      platform::kSizeSeals, pages));
        CW_TRY(memory.range_.place(offset, file.get(), 0, length));
        // Before there is anything in it that a child could see.
        if (::madvise(memory.data() + offset, length, MADV_DONTFORK) != 0) {
            return fail_errno("madvise MADV_DONTFORK", errno);
        }
        CW_TRY(memory.range_.populate_write(offset, length));
        memory.files_.push_back(std::move(file));
    }
    return memory;
}

Result<RegionMemory> RegionMemory::adopt(std::byte* address, std::uint64_t size) {
    CW_TRY(check_adoptable(address, size));
    // Pages that were never touched come in addition, and one part is there twice while it is
    // copied.
    CW_TRY(check_headroom(size - resident_bytes(address, size) + std::min(size, abi::kRegionPart),
                          platform::PageSize::normal));
    RegionMemory memory;
    memory.adopted_ = true;
    memory.data_ = address;
    memory.files_.reserve((size + abi::kRegionPart - 1) / abi::kRegionPart);
    for (std::uint64_t offset = 0; offset < size; offset += abi::kRegionPart) {
        const std::uint64_t length = part_size(size, offset);
        CW_TRY_ASSIGN(platform::UniqueFd file,
                      platform::create_memfd("causeway-adopted", length, platform::kSizeSeals));
        CW_TRY(copy_into(file.get(), address + offset, length));
        CW_TRY_ASSIGN(
            platform::Mapping part,
            platform::Mapping::map(file.get(), length, 0, platform::Mapping::Protection::read_write,
                                   platform::Mapping::Placement::replace, address + offset));
        (void)part.release();  // the caller's address; given back part by part
        memory.files_.push_back(std::move(file));
        memory.size_ = offset + length;
        if (::madvise(address + offset, length, MADV_DONTFORK) != 0) {
            return fail_errno("madvise MADV_DONTFORK", errno);
        }
        populate_if_possible(address + offset, length);
    }
    return memory;
}

// The caller gets private memory again, at the same address and with the same content: a private
// mapping of the file shows its pages and copies one when it is written. A child of fork() then
// inherits it as it would have inherited the original.
void RegionMemory::give_back() noexcept {
    std::uint64_t offset = 0;
    for (const platform::UniqueFd& file : files_) {
        const std::uint64_t length = part_size(size_, offset);
        std::byte* const at = data_ + offset;
        if (::mmap(at, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file.get(), 0) ==
            MAP_FAILED) {
            (void)::madvise(at, length, MADV_DOFORK);  // shared, then, but there
        }
        offset += length;
    }
    files_.clear();
    adopted_ = false;
}

}  // namespace causeway::client
