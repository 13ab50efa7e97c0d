// Sealed memory files: the only kind of memory that crosses a process boundary here.
//
// Threading: all functions may be called from any thread.
//
// Invariants:
//  1. A memfd made here is close-on-exec and sealable, and not executable where the kernel knows
//  how.
//  2. A descriptor that came from elsewhere is believed only as far as its seals go: files of tmpfs
//     report no seals but F_SEAL_SEAL, ordinary and FUSE files none at all, so neither can pass
//     require_seals with F_SEAL_SHRINK or F_SEAL_GROW among the wanted.
#pragma once

#include <fcntl.h>

#include <cstdint>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::platform {

inline constexpr std::uint64_t kPage = 4096;
inline constexpr std::uint64_t kHugePage = std::uint64_t{2} << 20;

// The seals under which the size cannot change any more.
inline constexpr unsigned kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW;

enum class PageSize { normal, huge };  // huge: 2 MiB, from the system's pool of such pages

// A memfd of `size` bytes (a multiple of the page size), empty: its memory is allocated when it is
// touched. `seals` are added after sizing; 0 leaves it open for sealing later.
// Errors: no_memory (no free huge pages; the text names /proc/sys/vm/nr_hugepages), limit_reached
// (descriptors), unsupported (no huge pages in this kernel), invalid_argument.
[[nodiscard]] Result<UniqueFd> create_memfd(const char* name, std::uint64_t size, unsigned seals,
                                            PageSize pages = PageSize::normal);

[[nodiscard]] Result<void> add_seals(int fd, unsigned seals);

// The seals of a memfd; invalid_argument for anything that cannot have seals.
[[nodiscard]] Result<unsigned> memfd_seals(int fd);

// invalid_argument, with the names of the seals, unless all `wanted` are there and no `forbidden`.
[[nodiscard]] Result<void> require_seals(int fd, unsigned wanted, unsigned forbidden);

struct FileFacts {
    std::uint64_t size;       // bytes
    std::uint64_t allocated;  // bytes that stand in memory (st_blocks * 512)
    std::uint64_t inode;
    std::uint64_t device;  // inode and device identify the file while it is open somewhere
    std::uint32_t mode;    // st_mode
    std::uint32_t uid;
};
[[nodiscard]] Result<FileFacts> file_facts(int fd);

// Does the file consist of huge pages (hugetlbfs)?
[[nodiscard]] Result<bool> is_huge(int fd);

}  // namespace causeway::platform
