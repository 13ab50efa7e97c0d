#include "adapter/options.hpp"

#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "base/names.hpp"
#include "base/version.hpp"
#include "platform/cpu.hpp"
#include "platform/limits.hpp"

namespace causeway::adapter {
namespace {

constexpr unsigned kMostMovers = 64;
constexpr double kMostResumeSeconds = 24 * 3600;
constexpr std::uint64_t kLeastBytes = std::uint64_t{1} << 30;  // by default

constexpr char kExamples[] = R"(Examples:
  causewayd
      The open entrance only: processes of this user attach under names they choose.
  causewayd --runtime-dir /run/causeway --entrance orders --entrance billing --movers 2
      Two partitions more, each with a directory to be mounted into its sandbox:
      bwrap ... --ro-bind /run/causeway/orders /run/causeway ...
  causewayd --config /etc/causeway/causeway.toml --set adapter.movers=4
      As configured (causeway.toml(5)): what the file does not allow is denied. SIGHUP and
      `causeway config apply` read it again.
  causewayd --ready-fd 3 3>ready.fifo
      Writes a newline there once it serves. Under systemd, Type=notify works as well.

A partition finds its socket by $CAUSEWAY_SOCKET, or at /run/causeway/fabric.sock.)";

constexpr std::string_view kNoFile = "none";

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

// Whatever was given of these goes before the file, as any other key does by --set.
enum class Form { as_given, text };  // text: also where it looks like a number
struct Given {
    std::string option;
    std::string key;
    Form form = Form::as_given;
};
const Given kGiven[] = {
    {"--runtime-dir", "adapter.runtime_dir", Form::text},
    {"--movers", "adapter.movers"},
    {"--mover-cores", "adapter.mover_cores", Form::text},
    {"--max-bytes", "quota.max_bytes"},
    {"--max-regions", "quota.max_regions"},
    {"--max-queue-pairs", "quota.max_queue_pairs"},
    {"--max-queue-bytes", "quota.max_queue_bytes"},
    {"--resume-patience", "adapter.resume_patience"},
    {"--copies", "adapter.copies", Form::text},
    {"--log-level", "adapter.log_level", Form::text},
    {"--log-json", "adapter.log_json"},
    {"--metrics", "adapter.metrics", Form::text},
};

std::string toml_text(const std::string& text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            quoted += '\\';
        quoted += c;
    }
    return quoted + "\"";
}

config::Overrides overrides_of(const CLI::App& app, const std::vector<std::string>& set) {
    config::Overrides overrides = config::overrides_from_environment();
    for (const Given& given : kGiven) {
        const CLI::Option* const option = app.get_option(given.option);
        if (option->count() == 0)
            continue;
        const std::string& value = option->results().back();
        overrides.command_line.emplace_back(given.key,
                                            given.form == Form::text ? toml_text(value) : value);
    }
    for (const std::string& pair : set) {
        const std::size_t equals = pair.find('=');
        overrides.command_line.emplace_back(
            pair.substr(0, equals), equals == std::string::npos ? "" : pair.substr(equals + 1));
    }
    return overrides;
}

// Which file is read: as given, $CAUSEWAY_CONFIG, or the usual one where it is there.
std::string choose_file(const std::string& given) {
    if (given == kNoFile)
        return {};
    if (!given.empty())
        return given;
    const char* const named = std::getenv("CAUSEWAY_CONFIG");  // NOLINT(concurrency-mt-unsafe)
    if (named != nullptr && *named != '\0')
        return std::string_view(named) == kNoFile ? std::string() : named;
    return ::access(config::kDefaultPath, F_OK) == 0 ? config::kDefaultPath : std::string();
}

Result<void> check_cores(const std::vector<unsigned>& cores) {
    const std::vector<unsigned> allowed = platform::allowed_cpus();
    for (const unsigned core : cores) {
        if (std::find(allowed.begin(), allowed.end(), core) == allowed.end()) {
            return fail(ErrorCode::invalid_argument,
                        fmt::format("--mover-cores: core {} is not one this process may use ({})",
                                    core, fmt::join(allowed, ",")));
        }
    }
    return {};
}

// What was configured, in the daemon's terms.
Result<void> take(DaemonOptions& options, const config::Config& config) {
    ServerOptions& server = options.server;
    server.runtime_directory = config.adapter.runtime_directory;
    if (server.runtime_directory.empty()) {
        CW_TRY_ASSIGN(server.runtime_directory, default_runtime_directory());
    }
    CW_TRY(check_entrance_names(server.entrances));
    CW_TRY(check_cores(config.adapter.mover_cores));
    server.fabric.mover_cores = config.adapter.mover_cores;
    server.fabric.movers = config.adapter.movers != 0 ? config.adapter.movers : default_movers();
    server.fabric.resume_patience_ns =
        static_cast<std::uint64_t>(config.adapter.resume_patience_s * 1e9);
    server.metrics = config.adapter.metrics;
    options.copies = config.adapter.copies;
    options.log_level = config.adapter.log_level;
    options.log_format = config.adapter.log_json ? LogFormat::json : LogFormat::text;
    return {};
}

// False: the configuration has mistakes; they were printed.
bool configure(DaemonOptions& options, const std::string& file,
               const config::Overrides& overrides) {
    config::Loaded loaded = config::load(file, overrides);
    for (const config::Problem& problem : loaded.problems)
        fmt::print(stderr, "causewayd: {}\n", config::text_of(problem));
    if (!loaded.ok())
        return false;
    if (const auto taken = take(options, loaded.config); !taken) {
        fmt::print(stderr, "causewayd: {}\n", taken.error().text);
        return false;
    }
    options.server.config = std::make_shared<const config::Config>(std::move(loaded.config));
    if (!file.empty())
        options.server.reload = [file, overrides] { return config::load(file, overrides); };
    return true;
}

}  // namespace

std::variant<DaemonOptions, EarlyExit> parse_options(int argc, const char* const* argv) {
    DaemonOptions options;
    ServerOptions& server = options.server;
    Quota& quota = server.fabric.quota;
    quota.max_bytes = default_max_bytes();
    std::string file;
    std::vector<std::string> set;

    CLI::App app{
        "The adapter of the Causeway fabric: moves data between the partitions of this "
        "host.\n",
        "causewayd"};
    app.footer(kExamples);
    app.set_version_flag("--version", fmt::format("causewayd {}", kVersion));
    app.add_option("--config", file,
                   "The configuration, see causeway.toml(5); none: no file\n"
                   "(default: $CAUSEWAY_CONFIG, or /etc/causeway/causeway.toml if it is there)")
        ->type_name("FILE");
    app.add_option("--set", set, "A value that goes before the file's; may be repeated")
        ->type_name("KEY=VALUE")
        ->take_all()
        ->expected(1)
        ->allow_extra_args(false);
    const auto add = [&](const char* option, const char* text, const char* type) {
        return app.add_option(option)->description(text)->type_name(type)->expected(1);
    };
    add("--runtime-dir",
        "Where the sockets go; made if it is not there\n"
        "(default: $XDG_RUNTIME_DIR/causeway; as root /run/causeway)",
        "DIR");
    app.add_option("--entrance", server.entrances,
                   "An entrance DIR/NAME/fabric.sock for partition NAME; may be repeated")
        ->type_name("NAME")
        ->take_all()
        ->expected(1)
        ->allow_extra_args(false);
    add("--movers",
        "Threads that move data (default: one for each processor, at least 2, at most 8)", "N")
        ->check(CLI::Range(1U, kMostMovers));
    add("--mover-cores", "Cores they are bound to, in turn, such as 0,2 or 0-3", "LIST");
    add("--max-bytes",
        "Registered memory per partition, such as 512M or 16G (default: half of the machine's)",
        "SIZE");
    add("--max-regions", "Regions per partition (default: 1024)", "N")
        ->check(CLI::Range(1U, kMostRegions));
    add("--max-queue-pairs", "Queue pairs per partition (default: 1024)", "N")
        ->check(CLI::Range(1U, kMostQueuePairs));
    add("--max-queue-bytes", "Memory of all queue pairs of a partition (default: 256M)", "SIZE");
    add("--resume-patience",
        "Seconds for which a restarted daemon keeps the places of the partitions that\n"
        "the last one had (default: 10); 0: keeps no journal, partitions end with the daemon",
        "SECONDS")
        ->check(CLI::Range(0.0, kMostResumeSeconds));
    add("--copies",
        "Thresholds of the copy kernels, as `causeway calibrate` writes them\n"
        "(default: $CAUSEWAY_COPIES, ~/.config/causeway/copies, "
        "/etc/causeway/copies)",
        "FILE");
    add("--metrics",
        "Gives out metrics for Prometheus at http://ADDRESS:PORT/metrics,\n"
        "such as 127.0.0.1:9464",
        "ADDRESS:PORT");
    app.add_option("--ready-fd", options.ready_fd, "Descriptor to write a newline to once ready")
        ->type_name("N")
        ->check(CLI::NonNegativeNumber);
    add("--log-level", "trace, debug, info, warning, error or off (default: info)", "LEVEL");
    app.add_flag("--log-json")->description("One JSON object per log line");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return EarlyExit{app.exit(error)};
    }
    if (!configure(options, choose_file(file), overrides_of(app, set)))
        return EarlyExit{2};
    const std::uint64_t files = platform::raise_open_file_limit();
    server.fabric.max_files = files;
    server.fabric.max_mappings = platform::max_map_count();
    // A partition's share of the descriptors, so that one cannot have them all.
    quota.max_files = std::max<std::uint64_t>(64, files / 8);
    return options;
}

}  // namespace causeway::adapter
