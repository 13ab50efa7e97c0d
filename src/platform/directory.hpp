// Directories that hold sockets: made or checked without following a symbolic link.
//
// Threading: all functions may be called from any thread.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::platform {

// Makes `path` with exactly `mode`, or takes the one that is there, provided it is a directory and
// no symbolic link, belongs to the effective user, and nobody else may write to it; its mode is
// then set to `mode`. Its parent must exist. Returns it opened (O_PATH is not used: fsync and
// openat work).
[[nodiscard]] Result<UniqueFd> make_directory(const std::string& path, mode_t mode);

// The same for a name inside an open directory.
[[nodiscard]] Result<UniqueFd> make_directory_at(int parent, const std::string& name, mode_t mode);

// Takes the directory for this process, until `directory` (and what was duplicated from it) is
// closed. name_in_use: another process has it.
[[nodiscard]] Result<void> lock_directory(int directory);

}  // namespace causeway::platform
