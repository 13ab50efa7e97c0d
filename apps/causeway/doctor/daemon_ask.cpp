#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <causeway/causeway.hpp>
#include <chrono>
#include <cstdlib>

#include "control/channel.hpp"
#include "doctor/daemon.hpp"
#include "stats.hpp"
#include "text.hpp"

namespace causeway::doctor {
namespace {

const char* environment(const char* name) {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it
    return value != nullptr && *value != '\0' ? value : nullptr;
}

// As causewayd chooses it.
std::string usual_directory() {
    if (::geteuid() == 0)
        return "/run/causeway";
    const char* const runtime = environment("XDG_RUNTIME_DIR");
    return runtime != nullptr ? std::string(runtime) + "/causeway" : "/run/causeway";
}

std::optional<ino_t> user_namespace(const std::string& process) {
    struct stat facts {};
    if (::stat(fmt::format("/proc/{}/ns/user", process).c_str(), &facts) != 0)
        return std::nullopt;
    return facts.st_ino;
}

// What starts an adapter that listens at `socket`; empty: nothing special.
std::string start_of(const std::string& socket, const std::string& directory) {
    if (!socket.ends_with("/fabric.sock"))
        return "causewayd --runtime-dir " + usual_directory();
    const Place place = look_at(directory);
    if (place.error != 0)
        return {};
    if (place.read_only)
        return "systemctl restart causewayd";  // outside: here it is only mounted
    const std::size_t slash = directory.rfind('/');
    // A runtime directory is closed to others, the entrances in it are not.
    if ((place.mode & 0077) == 0 || slash == std::string::npos || slash == 0 ||
        directory == usual_directory())
        return {};
    return fmt::format("causewayd --runtime-dir {} --entrance {}", directory.substr(0, slash),
                       directory.substr(slash + 1));
}

// Attaches under `name` (empty: the entrance's), looks at itself, and leaves.
Result<void> try_attach(Daemon& daemon, const std::string& name) {
    AttachOptions options;
    options.socket = daemon.socket;
    options.adapter_patience = std::chrono::nanoseconds::zero();
    CW_TRY_ASSIGN(const Partition partition, Partition::attach(name, options));
    daemon.name = partition.name();
    CW_TRY_ASSIGN(const auto rows,
                  cli::stats_rows<abi::PartitionRow>(daemon.socket, abi::StatsKind::partitions));
    for (const abi::PartitionRow& row : rows) {
        if (cli::array_text(row.name) != daemon.name)
            continue;
        daemon.door = cli::array_text(row.entrance) == "open" ? Door::open : Door::named;
        daemon.seen = row.pid == static_cast<std::uint32_t>(::getpid());
    }
    return {};
}

Result<void> look_in(Daemon& daemon) {
    CW_TRY_ASSIGN(const auto figures,
                  cli::stats_rows<abi::AdapterRow>(daemon.socket, abi::StatsKind::adapter));
    if (figures.size() != 1)
        return fail(ErrorCode::protocol, "the adapter did not describe itself");
    daemon.figures = figures.front();
    // What is the whole adapter's is shown by the open entrance only.
    if (daemon.figures.own_bytes_most != 0) {
        daemon.door = Door::open;
        return {};
    }
    CW_TRY_ASSIGN(const auto there,
                  cli::stats_rows<abi::PartitionRow>(daemon.socket, abi::StatsKind::partitions));
    if (!there.empty()) {
        daemon.door = Door::named;
        daemon.there = there.front();
    }
    return {};
}

}  // namespace

Daemon find_daemon(const Wanted& wanted) {
    Daemon daemon;
    std::string socket = wanted.socket;
    if (socket.empty() && !wanted.runtime_directory.empty())
        socket = wanted.runtime_directory + "/fabric.sock";
    if (!socket.empty() || environment("CAUSEWAY_SOCKET") != nullptr)
        daemon.named = Named::here;
    auto found = control::fabric_socket_path(socket);
    if (found.has_value())
        daemon.socket = std::move(*found);
    else
        daemon.unreachable = std::move(found).error();
    if (!wanted.runtime_directory.empty())
        daemon.runtime_directory = wanted.runtime_directory;
    else if (const std::size_t slash = daemon.socket.rfind('/'); slash != std::string::npos)
        daemon.runtime_directory = daemon.socket.substr(0, slash == 0 ? 1 : slash);
    else
        daemon.runtime_directory = usual_directory();
    if (!daemon.socket.empty() && wanted.runtime_directory.empty())
        daemon.start = start_of(daemon.socket, daemon.runtime_directory);
    return daemon;
}

void ask_daemon(Daemon& daemon) {
    if (daemon.unreachable.has_value())
        return;
    if (auto looked = look_in(daemon); !looked.has_value()) {
        daemon.unreachable = std::move(looked).error();
        return;
    }
    const auto own = user_namespace("self");
    const auto its = user_namespace(std::to_string(daemon.figures.pid));
    if (own.has_value() && its.has_value())
        daemon.same_users = *own == *its;
    if (daemon.there.has_value())
        return;
    const std::string name = daemon.door == Door::open ? fmt::format("doctor-{}", ::getpid()) : "";
    if (auto tried = try_attach(daemon, name); !tried.has_value())
        daemon.refused = std::move(tried).error();
}

}  // namespace causeway::doctor
