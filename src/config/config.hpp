// The configuration program's data set (Figs 4 to 6): who the partitions are, what they may have,
// which segments they share, which controllers they may announce, and who may do what to whom by
// which executor.
//
// Threading: plain values. Pure: nothing here talks to an adapter.
//
// Invariants:
//  1. A Config that load() returned without errors is consistent: every name that a rule, a segment
//     or a unit uses is declared or a pattern, and every number is in its range.
//  2. Every value's origin is known: built in, the file's line and column, the environment, or the
//     command line, later ones going before earlier ones.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace causeway::config {

inline constexpr char kDefaultPath[] = "/etc/causeway/causeway.toml";

// Where a value comes from. Columns and lines count from 1; 0 where there is none.
struct Origin {
    enum class Kind { built_in, file, environment, command_line };
    Kind kind = Kind::built_in;
    std::string name;  // the file's path, the variable or the option
    std::uint32_t line = 0;
    std::uint32_t column = 0;
};
// "FILE:LINE:COLUMN", "CAUSEWAY_X", "--set", "built in".
[[nodiscard]] std::string text_of(const Origin& origin);

// What one partition may hold at a time. Bytes unless said otherwise.
struct Quota {
    std::uint64_t max_bytes = 0;  // registered memory; 0: the adapter's own default
    std::uint32_t max_regions = 1024;
    std::uint32_t max_queue_pairs = 1024;
    std::uint64_t max_queue_bytes = std::uint64_t{256} << 20;
    std::uint32_t max_completion_queues = 256;
    std::uint32_t max_listeners = 256;
    bool operator==(const Quota&) const = default;
};

struct Adapter {
    std::string runtime_directory;  // empty: the default
    std::uint32_t movers = 0;       // 0: one for each processor, 2 to 8
    std::vector<unsigned> mover_cores;
    double resume_patience_s = 10;
    std::string copies;  // thresholds of the copy kernels; empty: where they are looked for
    std::string log_level = "info";
    bool log_json = false;
    std::string audit_log;       // path of the JSON lines; empty: none
    std::string metrics;         // "ADDRESS:PORT" of the Prometheus endpoint; empty: none
    bool open_entrance = false;  // may partitions attach by it under names they choose?
    bool operator==(const Adapter&) const = default;
};

// [partition.NAME]: has the entrance RUNTIME_DIR/NAME/fabric.sock.
struct Partition {
    std::string name;
    std::optional<uid_t> uid;  // second checks: the attaching process must have these
    std::optional<gid_t> gid;
    std::string token_file;      // whoever attaches must know what stands in it; empty: none
    Quota quota;                 // [quota], with this partition's own on top
    std::uint32_t weight = 100;  // share of a mover's time, against the others' (1 to 10000)
    bool operator==(const Partition&) const = default;
};

// [segment.NAME]: shared storage that lives as long as it is configured.
struct Segment {
    std::string name;
    std::uint64_t size = 0;            // bytes, a multiple of 4096
    std::vector<std::string> readers;  // patterns
    std::vector<std::string> writers;  // patterns; they read as well
    bool operator==(const Segment&) const = default;
};

// What a controller is for; the numbers of abi::ControllerType.
enum class UnitType : std::uint8_t { network = 1, block = 2, security = 3, other = 4 };
[[nodiscard]] std::string_view unit_type_name(UnitType type) noexcept;
[[nodiscard]] std::optional<UnitType> unit_type_of(std::string_view name) noexcept;

// [unit."PARTITION/NAME"]: a controller that this partition may announce on the bus.
struct Unit {
    std::string partition;
    std::string name;  // of the service
    UnitType type = UnitType::other;
    Origin origin;
};

// What FROM may do to TO. connect: open a connection to a service of TO. The others: what FROM's
// descriptors may do on any connection between the two, whoever opened it.
enum class Operation : std::uint8_t { connect = 1, send = 2, write = 4, read = 8, append = 16 };
inline constexpr std::uint8_t kAllOperations = 31;
[[nodiscard]] std::string_view operation_name(Operation operation) noexcept;
[[nodiscard]] std::optional<Operation> operation_of(std::string_view name) noexcept;

enum class Executor : std::uint8_t { adapter, direct };

// [[allow]]. Patterns are names in which * stands for any characters.
struct Rule {
    std::string name;  // as given, or "allow 3" by its place; with the line in front of a reader
    std::vector<std::string> from;
    std::vector<std::string> to;
    std::uint8_t operations = 0;        // bits of Operation
    std::vector<std::string> services;  // connect: to these only (patterns); empty: to all
    // direct: also by executor direct. Such peers map each other's memory, and nobody holds them to
    // some operations: the rule has to be mutual and to allow all of them.
    Executor executor = Executor::adapter;
    bool mutual = false;  // holds from TO to FROM as well
    Origin origin;
};

struct Config {
    Adapter adapter;
    Quota quota;  // [quota]: of partitions that do not say otherwise, and of the open entrance's
    std::map<std::string, Partition> partitions;
    std::map<std::string, Segment> segments;
    std::map<std::string, Unit> units;  // by "PARTITION/NAME"
    std::vector<Rule> rules;
    bool from_file = false;  // false: nothing was configured, the default policy holds
};

// A mistake, or something that is probably one.
struct Problem {
    enum class Severity { error, warning };
    Severity severity = Severity::error;
    Origin where;
    std::string text;        // what is wrong, with the value
    std::string suggestion;  // what to write instead; may be empty
};
// "FILE:LINE:COLUMN: error: TEXT" and, on a second line, the suggestion.
[[nodiscard]] std::string text_of(const Problem& problem);

// One value of the effective configuration, as `causeway config show` lists it.
struct Setting {
    std::string key;    // "partition.orders.quota.max_bytes"
    std::string value;  // in TOML
    Origin origin;
};

// KEY=VALUE pairs that go before the file, VALUE in TOML or a bare word.
struct Overrides {
    std::vector<std::pair<std::string, std::string>> command_line;
    // CAUSEWAY_ADAPTER_MOVERS for adapter.movers, CAUSEWAY_QUOTA_MAX_BYTES for quota.max_bytes: the
    // keys of [adapter] and [quota] only. Names with their values.
    std::vector<std::pair<std::string, std::string>> environment;
};
[[nodiscard]] Overrides overrides_from_environment();

struct Loaded {
    Config config;
    std::vector<Problem> problems;
    std::vector<Setting> settings;           // in the order of the schema
    [[nodiscard]] bool ok() const noexcept;  // no errors among the problems
};
// `path`: empty for no file. A file that cannot be read is an error among the problems.
[[nodiscard]] Loaded load(const std::string& path, const Overrides& overrides);
[[nodiscard]] Loaded load_text(std::string_view toml, const std::string& name,
                               const Overrides& overrides);

}  // namespace causeway::config
