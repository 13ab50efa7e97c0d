// A directory for one test, removed with all that is in it when the test ends. What a test that was
// killed left there goes when the next test program makes its first one.
//
// Threading: any. Ownership: a lock on the directory says that its owner lives.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "platform/fd.hpp"

namespace causeway::test {

class TempDirectory {
public:
    TempDirectory() {
        const char* const base = std::getenv("TMPDIR");
        const std::string parent = base != nullptr ? base : "/tmp";
        [[maybe_unused]] static const bool once = (remove_abandoned(parent), true);
        do {
            outer_ = parent + "/" + std::string(kPrefix) + "XXXXXX";
            if (::mkdtemp(outer_.data()) == nullptr)
                throw std::runtime_error("mkdtemp " + outer_);
            lock_ = lock(outer_);
            if (!lock_ && errno != EWOULDBLOCK && errno != ENOENT)
                throw std::runtime_error("lock " + outer_);
            // Another program may have taken it for abandoned before it was locked.
        } while (!lock_ || ::access(outer_.c_str(), F_OK) != 0);
        path_ = outer_ + "/t";
        std::filesystem::create_directory(path_);
        std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
    }
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;
    ~TempDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(outer_, ignored);
    }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string operator/(const std::string& name) const {
        return path_ + "/" + name;
    }

private:
    static constexpr std::string_view kPrefix = "causeway-tests-";

    // Nothing where somebody else holds it. The lock ends with the last process that has inherited
    // it, however that ends.
    [[nodiscard]] static platform::UniqueFd lock(const std::string& path) {
        platform::UniqueFd fd(
            ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
            fd.reset();
        return fd;
    }
    static void remove_abandoned(const std::string& parent) {
        std::error_code ignored;
        std::filesystem::directory_iterator entry(parent, ignored);
        for (; entry != std::filesystem::directory_iterator(); entry.increment(ignored)) {
            const std::filesystem::path& path = entry->path();
            if (!path.filename().string().starts_with(kPrefix))
                continue;
            if (const platform::UniqueFd mine = lock(path))
                std::filesystem::remove_all(path, ignored);
        }
    }

    std::string outer_;  // locked
    std::string path_;   // within it: an adapter locks its runtime directory itself
    platform::UniqueFd lock_;
};

}  // namespace causeway::test
