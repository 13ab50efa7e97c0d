// What the checks look at: this host and process as they are, or, in a test, made up.
//
// Threading: plain values; one thread gathers them.
//
// Invariants:
//  1. The checks of a subject read nothing but a Host: the files below `root`, and what was found
//     out beforehand.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "platform/cpu.hpp"
#include "platform/limits.hpp"

namespace causeway::doctor {

// What was really tried. Numbers of errors (errno); 0: it works.
struct Tries {
    int user_namespace = 0;   // by a user without privileges, made in a child
    std::string memory_file;  // text of the error; empty: made, sized and sealed
    int io_uring = 0;
    bool membarrier = true;
};

struct Limits {
    std::uint64_t open_files = 1 << 16;       // soft
    std::uint64_t open_files_most = 1 << 16;  // hard
    std::optional<std::uint64_t> open_files_now;
    std::uint64_t locked_bytes = UINT64_MAX;  // UINT64_MAX: unlimited
    std::uint64_t mappings = 65530;           // vm.max_map_count
    std::optional<std::uint64_t> mappings_now;
    std::vector<platform::MemoryGroup> memory;
};

struct Processors {
    unsigned online = 2;
    unsigned allowed = 2;
    std::string model;
    platform::CpuFeatures features;
};

// A directory, or where it would be.
struct Place {
    std::string path;
    int error = 0;            // ENOENT: it is not there; what follows then is its parent's
    std::string filesystem;   // "tmpfs"; empty: not known
    bool memory = true;       // kept in memory only
    bool remote = false;      // sockets of this host do not live there
    bool read_only = false;   // mounted so
    std::uint64_t bytes = 0;  // of the filesystem
    std::uint64_t free = 0;   // of it
    unsigned mode = 0;        // permissions
    uid_t owner = 0;
};

struct Host {
    std::string root;  // in front of every path that is read; empty: this host
    uid_t user = 0;    // effective
    pid_t process = 0;
    pid_t parent = 0;
    std::string kernel;  // "6.1.0-13-amd64"
    Tries tries;
    Limits limits;
    Processors processors;
    std::uint64_t free_huge_pages = 0;
    Place runtime;        // runtime directory of the daemon, or the entrance's
    Place shared_memory;  // /dev/shm

    // A file of /proc or /sys without its last newline; nullopt: it cannot be read.
    [[nodiscard]] std::optional<std::string> text(const std::string& path) const;
    [[nodiscard]] std::optional<std::uint64_t> number(const std::string& path) const;
    // "KEY: VALUE" of a file such as /proc/self/status.
    [[nodiscard]] std::optional<std::string> field(const std::string& path,
                                                   std::string_view key) const;
    // Are system calls of this process filtered, as containers do it?
    [[nodiscard]] bool filtered() const;
};

[[nodiscard]] Place look_at(const std::string& path);

// This host. Tries what is to be tried, which takes milliseconds; the process must have one thread.
[[nodiscard]] Host this_host(const std::string& runtime_directory);

}  // namespace causeway::doctor
