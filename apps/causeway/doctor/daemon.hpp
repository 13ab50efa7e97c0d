// The daemon, as far as it is to be seen from here: is there one, does it fit this library, and may
// this process attach?
//
// Threading: one thread. ask_daemon() waits for answers, for up to a minute each from an adapter
// that hangs; the rest is pure.
//
// Invariants:
//  1. Attaching is tried where it disturbs nobody: under a name of its own at the open entrance, at
//     a named one only while nobody is there.
#pragma once

#include <sys/types.h>

#include <causeway/abi/control.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "doctor/subjects.hpp"

namespace causeway::doctor {

// How the socket was found.
enum class Named : std::uint8_t {
    here,  // by an option or $CAUSEWAY_SOCKET
    usual  // one of the usual places, or none
};

enum class Door : std::uint8_t { unknown, open, named };

struct Daemon {
    Named named = Named::usual;
    std::string socket;             // empty: none was found
    std::string runtime_directory;  // where one would be started
    std::string start;              // command for one at this socket; empty: in runtime_directory
    std::optional<Error> unreachable;  // why its figures could not be had
    abi::AdapterRow figures{};         // where they could
    Door door = Door::unknown;
    std::optional<abi::PartitionRow> there;  // who is at this named entrance already
    std::optional<Error> refused;            // what attaching failed with
    std::string name;                        // under which it attached
    bool seen = false;                       // the adapter sees the number of this process
    std::string more_files;          // mends that this process may open too few; empty: it may
    std::optional<bool> same_users;  // do both live in one user namespace? nullopt: not to be seen
};

// Where the daemon's socket is looked for: `socket`, in `runtime_directory`, or the usual places.
struct Wanted {
    std::string socket;
    std::string runtime_directory;
};
// Fills in named, socket and runtime_directory, and unreachable where no socket is found.
[[nodiscard]] Daemon find_daemon(const Wanted& wanted);
// The rest.
void ask_daemon(Daemon& daemon);

void check_daemon(const Daemon& daemon, Checks& checks);
void check_attach(const Daemon& daemon, Checks& checks);
void check_direct(const Daemon& daemon, Checks& checks);

// What this library copies by, and the configuration file, below `host.root`.
void check_copies(std::string_view kernels, std::string_view source, std::string_view problem,
                  Checks& checks);
void check_configuration(const Host& host, const std::string& path, Checks& checks);

}  // namespace causeway::doctor
