#include "adapter/options.hpp"

#include <fmt/format.h>
#include <sys/sysinfo.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <utility>

#include "base/names.hpp"
#include "base/version.hpp"
#include "platform/cpu.hpp"
#include "platform/files.hpp"
#include "platform/limits.hpp"

namespace causeway::adapter {
namespace {

constexpr unsigned kMostMovers = 64;
constexpr double kMostResumeSeconds = 24 * 3600;
constexpr std::uint64_t kLeastBytes = std::uint64_t{1} << 30;   // by default
constexpr std::uint64_t kSmallestSize = 4096;                   // that can be asked for
constexpr std::uint64_t kLargestSize = std::uint64_t{1} << 50;  // a negative number is beyond it

constexpr char kExamples[] = R"(Examples:
  causewayd
      The open entrance only: processes of this user attach under names they choose.
  causewayd --runtime-dir /run/causeway --entrance orders --entrance billing --movers 2
      Two partitions more, each with a directory to be mounted into its sandbox:
      bwrap ... --ro-bind /run/causeway/orders /run/causeway ...
  causewayd --ready-fd 3 3>ready.fifo
      Writes a newline there once it serves. Under systemd, Type=notify works as well.

A partition finds its socket by $CAUSEWAY_SOCKET, or at /run/causeway/fabric.sock.)";

Result<unsigned> parse_number(std::string_view text) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("'{}' is no core number: give a list like 0,2 or 0-3", printable(text)));
    }
    return number;
}

// Half of the machine's memory, so that one partition cannot have it all.
std::uint64_t default_max_bytes() {
    struct sysinfo facts {};
    if (::sysinfo(&facts) != 0)
        return kLeastBytes;
    return std::max(kLeastBytes, std::uint64_t{facts.totalram} * facts.mem_unit / 2);
}

std::uint32_t default_movers() {
    return std::clamp<std::uint32_t>(static_cast<std::uint32_t>(platform::allowed_cpus().size()), 2,
                                     8);
}

Result<void> check_size(const char* option, std::uint64_t bytes) {
    if (bytes >= kSmallestSize && bytes <= kLargestSize)
        return {};
    return fail(ErrorCode::invalid_argument, fmt::format("{}: {} bytes; take {} to {}", option,
                                                         bytes, kSmallestSize, kLargestSize));
}

Result<void> check(DaemonOptions& options, const std::string& cores) {
    ServerOptions& server = options.server;
    CW_TRY(check_size("--max-bytes", server.fabric.quota.max_bytes));
    CW_TRY(check_size("--max-queue-bytes", server.fabric.quota.max_queue_bytes));
    if (server.runtime_directory.empty()) {
        CW_TRY_ASSIGN(server.runtime_directory, default_runtime_directory());
    }
    for (const std::string& name : server.entrances)
        CW_TRY(check_entrance_name(name));
    if (!cores.empty()) {
        CW_TRY_ASSIGN(server.fabric.mover_cores, parse_cores(cores));
        const std::vector<unsigned> allowed = platform::allowed_cpus();
        for (const unsigned core : server.fabric.mover_cores) {
            if (std::find(allowed.begin(), allowed.end(), core) == allowed.end()) {
                return fail(ErrorCode::invalid_argument,
                            fmt::format("--mover-cores: core {} is not one this process may use "
                                        "({})",
                                        core, fmt::join(allowed, ",")));
            }
        }
    }
    return {};
}

}  // namespace

Result<std::vector<unsigned>> parse_cores(const std::string& list) {
    std::vector<unsigned> cores;
    std::string_view rest = list;
    while (!rest.empty()) {
        const std::string_view item = platform::next_token(rest, ',');
        const std::size_t dash = item.find('-');
        CW_TRY_ASSIGN(const unsigned first, parse_number(item.substr(0, dash)));
        unsigned last = first;
        if (dash != std::string_view::npos) {
            CW_TRY_ASSIGN(last, parse_number(item.substr(dash + 1)));
        }
        if (last < first || last - first > 4096) {
            return fail(ErrorCode::invalid_argument,
                        fmt::format("'{}' is no range of cores", printable(item)));
        }
        for (unsigned core = first; core <= last; ++core)
            cores.push_back(core);
    }
    return cores;
}

std::variant<DaemonOptions, EarlyExit> parse_options(int argc, const char* const* argv) {
    DaemonOptions options;
    ServerOptions& server = options.server;
    Quota& quota = server.fabric.quota;
    quota.max_bytes = default_max_bytes();
    server.fabric.movers = default_movers();
    std::string cores;
    bool json = false;
    double resume_seconds = 10;

    CLI::App app{
        "The adapter of the Causeway fabric: moves data between the partitions of this "
        "host.\n",
        "causewayd"};
    app.footer(kExamples);
    app.set_version_flag("--version", fmt::format("causewayd {}", kVersion));
    app.add_option("--runtime-dir", server.runtime_directory,
                   "Where the sockets go; made if it is not there\n"
                   "(default: $XDG_RUNTIME_DIR/causeway; as root /run/causeway)")
        ->type_name("DIR");
    app.add_option("--entrance", server.entrances,
                   "An entrance DIR/NAME/fabric.sock for partition NAME; may be repeated")
        ->type_name("NAME")
        ->take_all()
        ->expected(1)
        ->allow_extra_args(false);
    app.add_option("--movers", server.fabric.movers, "Threads that move data")
        ->type_name("N")
        ->check(CLI::Range(1U, kMostMovers))
        ->capture_default_str();
    app.add_option("--mover-cores", cores, "Cores they are bound to, in turn, such as 0,2 or 0-3")
        ->type_name("LIST");
    app.add_option("--max-bytes", quota.max_bytes,
                   "Registered memory per partition, such as 512M or 16G")
        ->type_name("SIZE")
        ->transform(CLI::AsSizeValue(false))
        ->capture_default_str();
    app.add_option("--max-regions", quota.max_regions, "Regions per partition")
        ->type_name("N")
        ->check(CLI::Range(1U, kMostRegions))
        ->capture_default_str();
    app.add_option("--max-queue-pairs", quota.max_queue_pairs, "Queue pairs per partition")
        ->type_name("N")
        ->check(CLI::Range(1U, kMostQueuePairs))
        ->capture_default_str();
    app.add_option("--max-queue-bytes", quota.max_queue_bytes,
                   "Memory of all queue pairs of a partition")
        ->type_name("SIZE")
        ->transform(CLI::AsSizeValue(false))
        ->capture_default_str();
    app.add_option("--resume-patience", resume_seconds,
                   "Seconds for which a restarted daemon keeps the places of the partitions that\n"
                   "the last one had; 0: keeps no journal, partitions end with the daemon")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.0, kMostResumeSeconds))
        ->capture_default_str();
    app.add_option("--copies", options.copies,
                   "Thresholds of the copy kernels, as `causeway calibrate` writes them\n"
                   "(default: $CAUSEWAY_COPIES, ~/.config/causeway/copies, "
                   "/etc/causeway/copies)")
        ->type_name("FILE");
    app.add_option("--ready-fd", options.ready_fd, "Descriptor to write a newline to once ready")
        ->type_name("N")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--log-level", options.log_level, "trace, debug, info, warning, error or off")
        ->type_name("LEVEL")
        ->capture_default_str();
    app.add_flag("--log-json", json, "One JSON object per log line");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return EarlyExit{app.exit(error)};
    }
    options.log_format = json ? LogFormat::json : LogFormat::text;
    if (const auto checked = check(options, cores); !checked) {
        fmt::print(stderr, "causewayd: {}\n", checked.error().text);
        return EarlyExit{2};
    }
    server.fabric.resume_patience_ns = static_cast<std::uint64_t>(resume_seconds * 1e9);
    const std::uint64_t files = platform::raise_open_file_limit();
    server.fabric.max_files = files;
    server.fabric.max_mappings = platform::max_map_count();
    // A partition's share of the descriptors, so that one cannot have them all.
    quota.max_files = std::max<std::uint64_t>(64, files / 8);
    return options;
}

}  // namespace causeway::adapter
