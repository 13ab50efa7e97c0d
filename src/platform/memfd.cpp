#include "platform/memfd.hpp"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace causeway::platform {

namespace {

#ifndef MFD_NOEXEC_SEAL
constexpr unsigned kNoExecSeal = 0x0008;
#else
constexpr unsigned kNoExecSeal = MFD_NOEXEC_SEAL;
#endif
constexpr unsigned kHuge2Mb = 21u << 26;  // MFD_HUGE_2MB
constexpr unsigned kSealFutureWrite = 0x0010;
constexpr unsigned kSealExec = 0x0020;

std::string seal_names(unsigned seals) {
    static constexpr struct {
        unsigned bit;
        const char* name;
    } kNames[] = {
        {F_SEAL_SEAL, "SEAL"},   {F_SEAL_SHRINK, "SHRINK"},          {F_SEAL_GROW, "GROW"},
        {F_SEAL_WRITE, "WRITE"}, {kSealFutureWrite, "FUTURE_WRITE"}, {kSealExec, "EXEC"}};
    std::string text;
    for (const auto& seal : kNames) {
        if ((seals & seal.bit) == 0)
            continue;
        if (!text.empty())
            text += '|';
        text += seal.name;
    }
    return text.empty() ? "none" : text;
}

tl::unexpected<Error> no_huge_pages(std::uint64_t size, int err) {
    if (err == ENOENT || err == ENODEV || err == EOPNOTSUPP || err == EINVAL) {
        return fail_errno_format(err, "this kernel has no huge pages of 2 MiB (%llu bytes wanted)",
                                 static_cast<unsigned long long>(size));
    }
    return fail_format(ErrorCode::no_memory,
                       "no %llu free huge pages of 2 MiB: raise /proc/sys/vm/nr_hugepages, or do "
                       "without huge pages (%s)",
                       static_cast<unsigned long long>((size + kHugePage - 1) / kHugePage),
                       errno_text(err).c_str());
}

}  // namespace

Result<UniqueFd> create_memfd(const char* name, std::uint64_t size, unsigned seals,
                              PageSize pages) {
    const std::uint64_t unit = pages == PageSize::huge ? kHugePage : kPage;
    if (size == 0 || size % unit != 0 || size > static_cast<std::uint64_t>(INT64_MAX)) {
        return fail_format(
            ErrorCode::invalid_argument, "memory of %llu bytes wanted; take a multiple of %llu",
            static_cast<unsigned long long>(size), static_cast<unsigned long long>(unit));
    }
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    if (pages == PageSize::huge)
        flags |= MFD_HUGETLB | kHuge2Mb;
    UniqueFd fd(::memfd_create(name, flags | kNoExecSeal));
    // EINVAL: a kernel before 6.3, which does not know the flag.
    if (!fd && errno == EINVAL)
        fd.reset(::memfd_create(name, flags));
    if (!fd) {
        const int err = errno;
        if (pages == PageSize::huge && err != EMFILE && err != ENFILE) {
            return no_huge_pages(size, err);
        }
        return fail_errno_format(err, "memfd_create %s", name);
    }
    if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
        return fail_errno_format(errno, "size memory file %s to %llu bytes", name,
                                 static_cast<unsigned long long>(size));
    }
    if (pages == PageSize::huge) {
        // Pages are reserved when the file is mapped: find out now, not by a SIGBUS.
        void* probe = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
        if (probe == MAP_FAILED)
            return no_huge_pages(size, errno);
        ::munmap(probe, size);
    }
    if (seals != 0)
        CW_TRY(add_seals(fd.get(), seals));
    return fd;
}

Result<void> add_seals(int fd, unsigned seals) {
    if (::fcntl(fd, F_ADD_SEALS, seals) == 0)
        return {};
    const int err = errno;
    if (err == EBUSY) {
        return fail_format(ErrorCode::wrong_state,
                           "seal WRITE cannot be added while the memory is mapped writable");
    }
    return fail_errno_format(err, "add seals %s", seal_names(seals).c_str());
}

Result<unsigned> memfd_seals(int fd) {
    const int seals = ::fcntl(fd, F_GET_SEALS);
    if (seals >= 0)
        return static_cast<unsigned>(seals);
    if (errno == EINVAL) {
        return fail(ErrorCode::invalid_argument,
                    "the descriptor is no memfd: only memory made by memfd_create with "
                    "MFD_ALLOW_SEALING is accepted");
    }
    return fail_errno("get seals", errno);
}

Result<void> require_seals(int fd, unsigned wanted, unsigned forbidden) {
    CW_TRY_ASSIGN(const unsigned seals, memfd_seals(fd));
    if ((seals & wanted) != wanted) {
        return fail_format(ErrorCode::invalid_argument,
                           "the memory has seals %s; %s are needed too (fcntl F_ADD_SEALS)",
                           seal_names(seals).c_str(), seal_names(wanted & ~seals).c_str());
    }
    if ((seals & forbidden) != 0) {
        return fail_format(ErrorCode::invalid_argument,
                           "the memory has seals %s; %s may not be among them",
                           seal_names(seals).c_str(), seal_names(seals & forbidden).c_str());
    }
    return {};
}

Result<FileFacts> file_facts(int fd) {
    struct statx facts {};
    constexpr unsigned kWanted =
        STATX_TYPE | STATX_MODE | STATX_UID | STATX_INO | STATX_SIZE | STATX_BLOCKS;
    if (::statx(fd, "", AT_EMPTY_PATH, kWanted, &facts) != 0)
        return fail_errno("statx", errno);
    return FileFacts{.size = facts.stx_size,
                     .allocated = facts.stx_blocks * 512,
                     .inode = facts.stx_ino,
                     .device = (std::uint64_t{facts.stx_dev_major} << 32) | facts.stx_dev_minor,
                     .mode = facts.stx_mode,
                     .uid = facts.stx_uid};
}

Result<bool> is_huge(int fd) {
    struct statfs facts {};
    if (::fstatfs(fd, &facts) != 0)
        return fail_errno("fstatfs", errno);
    return facts.f_type == HUGETLBFS_MAGIC;
}

}  // namespace causeway::platform
