#include "doctor/daemon.hpp"

#include <fmt/format.h>

#include "base/version.hpp"
#include "text.hpp"

namespace causeway::doctor {
namespace {

using cli::array_text;
using cli::human_ns;

constexpr char kRestart[] = "systemctl restart causewayd";

std::string with_entrance(const Daemon& daemon) {
    return fmt::format("causewayd --runtime-dir {} --entrance NAME", daemon.runtime_directory);
}

// What mends that the adapter's figures cannot be had.
std::string mend_of(const Error& error, const Daemon& daemon) {
    switch (error.code) {
        case ErrorCode::no_adapter:
            if (!daemon.start.empty())
                return daemon.start;
            return fmt::format("causewayd --runtime-dir {}", daemon.runtime_directory);
        case ErrorCode::denied:
            return with_entrance(daemon);
        case ErrorCode::limit_reached:
            if (!daemon.more_files.empty())
                return daemon.more_files;
            return fmt::format("causeway ss --socket {}", daemon.socket);
        case ErrorCode::invalid_argument:
            return fmt::format("ls -l {}", daemon.socket);
        default:
            return kRestart;
    }
}

}  // namespace

void check_daemon(const Daemon& daemon, Checks& checks) {
    constexpr char kId[] = "daemon";
    if (daemon.unreachable.has_value()) {
        const Error& why = *daemon.unreachable;
        // Before the first one is started there is none, and nothing is wrong with the host.
        const bool none_yet = why.code == ErrorCode::no_adapter && daemon.named == Named::usual;
        checks.push_back({kId, none_yet ? Status::warning : Status::fail, why.text,
                          "attaching: partitions and observers find no adapter they may talk to",
                          mend_of(why, daemon)});
        return;
    }
    const abi::AdapterRow& row = daemon.figures;
    const std::string version(array_text(row.version));
    checks.push_back(ok(kId, fmt::format("{} at {}, process {}, up {}", version, daemon.socket,
                                         row.pid, human_ns(row.uptime_ns))));

    constexpr char kVersions[] = "versions";
    const std::string both =
        fmt::format("adapter {} (protocol {}.{}), library {} (protocol {}.{})", version, row.major,
                    row.minor, kVersion, abi::kMajor, abi::kMinor);
    if (row.major != abi::kMajor)
        checks.push_back(failure(kVersions, both, "attaching", kRestart));
    else if (row.minor < abi::kMinor)
        checks.push_back(warning(kVersions, both,
                                 "what the older adapter does not know yet is refused, with a text",
                                 kRestart));
    else if (row.minor > abi::kMinor || version != kVersion)
        checks.push_back(note(kVersions, both + ": they fit together"));
    else
        checks.push_back(ok(kVersions, both));
}

void check_attach(const Daemon& daemon, Checks& checks) {
    constexpr char kId[] = "attach";
    if (daemon.unreachable.has_value())
        return;
    if (daemon.there.has_value()) {
        checks.push_back(note(kId, fmt::format("partition '{}' is here already (process {}): not "
                                               "tried; its entrance admits one at a time",
                                               array_text(daemon.there->name), daemon.there->pid)));
        return;
    }
    if (!daemon.refused.has_value()) {
        checks.push_back(ok(kId, daemon.door == Door::named
                                     ? fmt::format("as '{}', by its own entrance", daemon.name)
                                     : fmt::format("by the open entrance, under any name that is "
                                                   "free (tried: '{}')",
                                                   daemon.name)));
        return;
    }
    const Error& why = *daemon.refused;
    if (why.code == ErrorCode::name_in_use) {
        checks.push_back(note(kId, why.text));
        return;
    }
    checks.push_back(failure(kId, why.text, "everything but looking: this process cannot attach",
                             mend_of(why, daemon)));
}

void check_direct(const Daemon& daemon, Checks& checks) {
    constexpr char kId[] = "direct";
    constexpr char kCosts[] =
        "executor direct, unless a rule of the configuration allows it to both sides; data goes "
        "through the adapter";
    if (daemon.unreachable.has_value() || daemon.refused.has_value())
        return;
    if (daemon.door == Door::named)
        checks.push_back(note(kId, "a named entrance: not by default", kCosts));
    else if (!daemon.seen || daemon.same_users == false)
        checks.push_back(
            note(kId, "this process lives in other namespaces than the adapter", kCosts));
    else
        checks.push_back(ok(kId,
                            "possible with partitions that come in by the open entrance, too, and "
                            "live in this user namespace; both sides' regions must be exportable"));
}

void check_copies(std::string_view kernels, std::string_view source, std::string_view problem,
                  Checks& checks) {
    constexpr char kId[] = "copies";
    const std::string found = fmt::format("{} ({})", kernels, source);
    if (problem.empty())
        checks.push_back(ok(kId, found));
    else
        checks.push_back(warning(kId, fmt::format("{}; {}", found, problem),
                                 "copying as was measured on this machine: built-in thresholds are "
                                 "used instead",
                                 "causeway calibrate --save"));
}

void check_configuration(const Host& host, const std::string& path, Checks& checks) {
    constexpr char kId[] = "configuration";
    if (host.text(path).has_value())
        checks.push_back(ok(kId, path + " is there; `causeway config check` says what it says"));
    else
        checks.push_back(note(kId, path + " is not there, or not for this user to read: what an "
                                          "adapter without a file allows, it allows"));
}

}  // namespace causeway::doctor
