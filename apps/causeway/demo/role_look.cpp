// What can be seen and done from inside of a sandbox: asked of the kernel, not of the launcher.
#include <fcntl.h>
#include <net/if.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "demo/role.hpp"

namespace causeway::demo {
namespace {

namespace fs = std::filesystem;

// "" if it worked.
std::string try_to_write(const char* path) {
    const int fd = ::open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno_text(errno);
    ::close(fd);
    ::unlink(path);
    return "";
}

cli::json interfaces() {
    cli::json names = cli::json::array();
    struct if_nameindex* const list = ::if_nameindex();
    for (struct if_nameindex* entry = list; entry != nullptr && entry->if_index != 0; ++entry)
        names.push_back(entry->if_name);
    if (list != nullptr)
        ::if_freenameindex(list);
    return names;
}

}  // namespace

Result<int> play_look() {
    cli::json files = cli::json::array();
    cli::json sockets = cli::json::array();
    std::error_code error;
    for (auto it = fs::recursive_directory_iterator("/", error); !error && it != fs::end(it);
         it.increment(error)) {
        std::error_code gone;
        const fs::file_status status = it->symlink_status(gone);
        if (fs::is_socket(status))
            sockets.push_back(it->path().string());
        else if (!fs::is_directory(status))
            files.push_back(it->path().string());
    }
    std::string line;
    Questions questions;
    while (questions.next(line, -1) == Questions::State::one) {
        const int mounted = ::mount("none", "/fabric", "tmpfs", 0, nullptr) == 0 ? 0 : errno;
        answer({{"uid", ::getuid()},
                {"pid", ::getpid()},
                {"proc", fs::exists("/proc")},
                {"dev_shm", fs::exists("/dev/shm")},
                {"tmp", fs::exists("/tmp")},
                {"files", files},
                {"sockets", sockets},
                {"interfaces", interfaces()},
                {"write_root", try_to_write("/trace")},
                {"write_entrance", try_to_write("/fabric/trace")},
                {"mount", mounted == 0 ? "" : errno_text(mounted)}});
    }
    return 0;
}

}  // namespace causeway::demo
