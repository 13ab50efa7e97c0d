#include "platform/directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "platform/memfd.hpp"

namespace causeway::platform {

Result<UniqueFd> make_directory_at(int parent, const std::string& name, mode_t mode) {
    if (::mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail_errno_format(errno, "make directory %s", name.c_str());
    }
    UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd && (errno == ELOOP || errno == ENOTDIR)) {
        return fail_format(ErrorCode::denied,
                           "%s is a symbolic link or no directory: remove it or take another path",
                           name.c_str());
    }
    if (!fd)
        return fail_errno_format(errno, "open directory %s", name.c_str());
    CW_TRY_ASSIGN(const FileFacts facts, file_facts(fd.get()));
    if (facts.uid != ::geteuid()) {
        return fail_format(ErrorCode::denied,
                           "directory %s belongs to uid %u, not to this user (uid %u): take "
                           "another path",
                           name.c_str(), facts.uid, static_cast<unsigned>(::geteuid()));
    }
    if ((facts.mode & (S_IWGRP | S_IWOTH)) != 0) {
        return fail_format(ErrorCode::denied,
                           "directory %s may be written by others (mode %04o): chmod go-w it, "
                           "after a look at what is in it",
                           name.c_str(), facts.mode & 07777u);
    }
    if ((facts.mode & 07777u) != mode && ::fchmod(fd.get(), mode) != 0) {
        return fail_errno_format(errno, "set the mode of directory %s", name.c_str());
    }
    return fd;
}

Result<UniqueFd> make_directory(const std::string& path, mode_t mode) {
    // A slash at the end would make the kernel follow a symbolic link after all.
    std::string bare = path;
    while (bare.size() > 1 && bare.back() == '/')
        bare.pop_back();
    if (bare.empty())
        return fail(ErrorCode::invalid_argument, "the directory's path is empty");
    return make_directory_at(AT_FDCWD, bare, mode);
}

Result<void> lock_directory(int directory) {
    if (::flock(directory, LOCK_EX | LOCK_NB) == 0)
        return {};
    if (errno == EWOULDBLOCK) {
        return fail(ErrorCode::name_in_use, "another process has the directory");
    }
    return fail_errno("lock the directory", errno);
}

}  // namespace causeway::platform
