// The runtime directory: where the sockets of the entrances are. One daemon has it at a time.
//
//   DIR/                 0700: reachable for the daemon's own user only
//   DIR/fabric.sock      the open entrance
//   DIR/journal          0600: what partitions have, for the next daemon (journal.hpp)
//   DIR/NAME/            0755: what is mounted into partition NAME's sandbox, read-only
//   DIR/NAME/fabric.sock its entrance
//
// Threading: control thread. Ownership: holds the directory's lock until it goes. Directories stay:
// a sandbox that has one mounted finds the next daemon's socket in it.
#pragma once

#include <string>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::adapter {

inline constexpr char kSocketName[] = "fabric.sock";
inline constexpr char kJournalName[] = "journal";

class RuntimeDirectory {
public:
    // Makes it if it is not there. Errors: name_in_use (another daemon has it), denied (it belongs
    // to somebody else, or is a directory for other things, too).
    [[nodiscard]] static Result<RuntimeDirectory> open(const std::string& path);

    // Makes the directory of a named entrance; returns the path of its socket.
    [[nodiscard]] Result<std::string> make_entrance(const std::string& name);
    [[nodiscard]] std::string open_socket_path() const { return path_ + "/" + kSocketName; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

private:
    RuntimeDirectory(std::string path, platform::UniqueFd fd)
        : path_(std::move(path)), fd_(std::move(fd)) {}

    std::string path_;
    platform::UniqueFd fd_;  // locked
};

// $XDG_RUNTIME_DIR/causeway; as root /run/causeway.
[[nodiscard]] Result<std::string> default_runtime_directory();

}  // namespace causeway::adapter
