#include "adapter/runtime_directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "platform/directory.hpp"

namespace causeway::adapter {
namespace {

// Does the directory hold nothing but what a daemon puts there: its socket, and directories?
Result<bool> looks_like_ours(const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory)
        return fail_errno_format(errno, "list directory %s", path.c_str());
    while (const dirent* entry = ::readdir(directory.get())) {  // NOLINT(concurrency-mt-unsafe)
        const std::string_view name = entry->d_name;
        if (name == "." || name == ".." || name == kSocketName || name == kJournalName)
            continue;
        struct stat inside {};
        const std::string file = path + "/" + entry->d_name;
        if (::lstat(file.c_str(), &inside) != 0 || !S_ISDIR(inside.st_mode) ||
            ::lstat((file + "/" + kSocketName).c_str(), &inside) != 0)
            return false;
    }
    return true;
}

// A directory that others may enter is closed to them, unless it obviously serves other things:
// nobody wants `--runtime-dir /etc` to succeed.
Result<void> check_existing(const std::string& path) {
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode) ||
        (facts.st_mode & 0077) == 0)
        return {};
    CW_TRY_ASSIGN(const bool ours, looks_like_ours(path));
    if (ours)
        return {};
    return fail(ErrorCode::denied,
                fmt::format("runtime directory {} may be entered by others (mode {:04o}) and holds "
                            "other things: take a directory of its own, or chmod 700 this one",
                            path, facts.st_mode & 07777));
}

}  // namespace

Result<RuntimeDirectory> RuntimeDirectory::open(const std::string& path) {
    std::string bare = path;
    while (bare.size() > 1 && bare.back() == '/')
        bare.pop_back();
    CW_TRY(check_existing(bare));
    auto fd = platform::make_directory(bare, 0700);
    if (!fd)
        return fail_within("runtime directory", fd.error());
    if (const auto locked = platform::lock_directory(fd->get()); !locked) {
        if (locked.error().code != ErrorCode::name_in_use)
            return tl::unexpected(locked.error());
        return fail(ErrorCode::name_in_use,
                    fmt::format("another causewayd has the runtime directory {}: stop it, or take "
                                "another --runtime-dir",
                                bare));
    }
    return RuntimeDirectory(std::move(bare), *std::move(fd));
}

Result<std::string> RuntimeDirectory::make_entrance(const std::string& name) {
    const auto made = platform::make_directory_at(fd_.get(), name, 0755);
    if (!made)
        return fail_within("directory of the entrance", made.error());
    return path_ + "/" + name + "/" + kSocketName;
}

Result<std::string> default_runtime_directory() {
    if (::geteuid() == 0)
        return std::string("/run/causeway");
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");  // NOLINT(concurrency-mt-unsafe): start
    if (runtime == nullptr || *runtime != '/') {
        return fail(ErrorCode::invalid_argument,
                    "there is no $XDG_RUNTIME_DIR: say with --runtime-dir where the sockets go");
    }
    return std::string(runtime) + "/causeway";
}

}  // namespace causeway::adapter
