#include <fmt/format.h>

#include <cerrno>

#include "base/result.hpp"
#include "doctor/subjects.hpp"
#include "text.hpp"

namespace causeway::doctor {
namespace {

using cli::human_bytes;

constexpr std::uint64_t kLeastFree = std::uint64_t{1} << 20;  // the journal, and some
constexpr std::size_t kLongestSocket = 107;                   // bytes of a Unix socket's path
constexpr std::size_t kRestOfSocket = 32;                     // an entrance's name and /fabric.sock

std::string described(const Place& place) {
    if (place.filesystem.empty())
        return place.path;
    return fmt::format("{}: {}, {} of {} free{}", place.path, place.filesystem,
                       human_bytes(place.free), human_bytes(place.bytes),
                       place.read_only ? ", read-only" : "");
}

}  // namespace

void check_runtime_directory(const Host& host, Checks& checks) {
    constexpr char kId[] = "runtime_directory";
    const Place& place = host.runtime;
    const std::string found = described(place);
    if (place.path.size() + kRestOfSocket > kLongestSocket) {
        checks.push_back(failure(
            kId, fmt::format("{}: {} bytes long", place.path, place.path.size()),
            fmt::format(
                "sockets in it: the path of one, {} bytes with an entrance's name, may have "
                "{}",
                place.path.size() + kRestOfSocket, kLongestSocket),
            "causewayd --runtime-dir /run/causeway"));
        return;
    }
    if (place.error == ENOENT) {
        checks.push_back(note(kId, found + "; it is not there: causewayd makes it when it starts"));
        return;
    }
    if (place.error != 0) {
        checks.push_back(failure(kId, fmt::format("{}: {}", place.path, errno_text(place.error)),
                                 "finding the adapter's socket there",
                                 fmt::format("ls -ld {}", place.path)));
        return;
    }
    if (place.remote) {
        checks.push_back(failure(kId, found,
                                 "sockets: what is made there by one host or kernel cannot be "
                                 "connected to from another",
                                 "causewayd --runtime-dir /run/causeway"));
        return;
    }
    if (!place.read_only && (place.mode & 0022) != 0) {
        checks.push_back(failure(
            kId, fmt::format("{}; mode {:04o}", found, place.mode),
            "safety: others could put their own sockets there, and causewayd refuses such a place",
            fmt::format("chmod go-w {}", place.path)));
        return;
    }
    if (!place.read_only && place.free < kLeastFree) {
        checks.push_back(failure(kId, found, "the adapter's journal, for which there is no room",
                                 fmt::format("mount -o remount,size=64M {}", place.path)));
        return;
    }
    const std::string with_mode = fmt::format("{}; mode {:04o}", found, place.mode);
    if (place.memory || place.read_only)
        checks.push_back(ok(kId, with_mode));
    else
        checks.push_back(
            note(kId, with_mode,
                 "writing the journal to a disk, for no use: it is worth nothing after "
                 "a restart of the host",
                 "causewayd --runtime-dir /run/causeway"));
}

void check_shared_memory(const Host& host, Checks& checks) {
    constexpr char kId[] = "dev_shm";
    const Place& place = host.shared_memory;
    // Regions are memory files without a name, which do not count against its size.
    if (place.error != 0)
        checks.push_back(ok(kId, "none; Causeway does without"));
    else
        checks.push_back(ok(kId, described(place) + "; Causeway puts nothing there"));
}

}  // namespace causeway::doctor
