// The text format of Prometheus. Names, units and what each means: docs/observability.md.
#include <fmt/format.h>

#include <iterator>

#include "adapter/snapshot.hpp"
#include "base/version.hpp"

namespace causeway::adapter {
namespace {

// A partition's name cannot be this (base/names.hpp).
constexpr char kGone[] = "(gone)";
constexpr double kPerNs = 1e-9;
// Buckets shown: latency from 64 ns to 69 s, sizes from 1 byte to 256 GiB by fours.
constexpr std::size_t kLatencyFrom = 6;
constexpr std::size_t kLatencyTo = 36;

class Text {
public:
    void family(const char* name, const char* type, const char* help) {
        name_ = name;
        fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name,
                       type);
    }
    // `labels`: as between the braces; may be empty.
    template<typename Value>
    void sample(const std::string& labels, Value value, const char* suffix = "") {
        if (labels.empty())
            fmt::format_to(std::back_inserter(text_), "{}{} {}\n", name_, suffix, value);
        else
            fmt::format_to(std::back_inserter(text_), "{}{}{{{}}} {}\n", name_, suffix, labels,
                           value);
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::string name_;
    std::string text_;
};

// Rules may hold anything but control characters.
std::string escaped(std::string_view value) {
    std::string out;
    for (const char c : value) {
        if (c == '\\' || c == '"')
            out += '\\';
        out += c == '\n' ? ' ' : c;
    }
    return out;
}

struct Family {
    const char* name;
    const char* help;
    std::uint64_t Totals::*value;
    double scale;  // 0: a count
};

void write(Text& text, const Family& family, const std::string& labels, const Totals& totals) {
    const std::uint64_t value = totals.*family.value;
    if (family.scale == 0)
        text.sample(labels, value);
    else
        text.sample(labels, static_cast<double>(value) * family.scale);
}

void write_totals(Text& text, const Snapshot& snapshot) {
    constexpr Family kCounted[] = {
        {"causeway_operations_total", "Operations that the adapter executed for a partition.",
         &Totals::operations, 0},
        {"causeway_moved_bytes_total", "Bytes that the adapter moved for a partition.",
         &Totals::bytes, 0},
        {"causeway_operation_errors_total", "Operations that ended with an error.", &Totals::errors,
         0},
        {"causeway_stalls_total", "Times that an operation had to wait for the peer.",
         &Totals::stalls, 0},
        {"causeway_stall_seconds_total", "Time that operations waited for the peer.",
         &Totals::stall_ns, kPerNs},
        {"causeway_mover_seconds_total", "Time that movers spent for a partition.",
         &Totals::mover_ns, kPerNs},
    };
    constexpr Family kClaimed[] = {
        {"causeway_claimed_operations_total",
         "Operations that a partition says it executed itself; not checked.", &Totals::operations,
         0},
        {"causeway_claimed_moved_bytes_total",
         "Bytes that a partition says it moved itself; not checked.", &Totals::bytes, 0},
        {"causeway_claimed_operation_errors_total",
         "Errors that a partition says its own operations ended with; not checked.",
         &Totals::errors, 0},
        {"causeway_claimed_stalls_total",
         "Waits for the peer as a partition says it had them; not checked.", &Totals::stalls, 0},
        {"causeway_claimed_stall_seconds_total",
         "Time of waiting for the peer as a partition says; not checked.", &Totals::stall_ns,
         kPerNs},
    };
    const auto write_all = [&](const Family& family, Totals PartitionTotals::*which,
                               const char* executor) {
        text.family(family.name, "counter", family.help);
        const auto labels = [executor](const std::string& name) {
            return fmt::format("partition=\"{}\",executor=\"{}\"", name, executor);
        };
        for (const auto& partition : snapshot.partitions)
            write(text, family, labels(partition.name), partition.totals.*which);
        write(text, family, labels(kGone), snapshot.gone.*which);
    };
    for (const Family& family : kCounted)
        write_all(family, &PartitionTotals::adapter, "adapter");
    for (const Family& family : kClaimed)
        write_all(family, &PartitionTotals::claimed, "direct");
}

void write_partitions(Text& text, const Snapshot& snapshot) {
    const auto each = [&](const char* name, const char* help, auto value) {
        text.family(name, "gauge", help);
        for (const auto& partition : snapshot.partitions)
            text.sample(fmt::format("partition=\"{}\"", partition.name), value(partition));
    };
    text.family("causeway_partitions", "gauge", "Partitions that are attached.");
    text.sample("", snapshot.partitions.size());
    text.family("causeway_partitions_gone_total", "counter",
                "Partitions that have left or died since the start.");
    text.sample("", snapshot.partitions_gone);
    each("causeway_queue_pairs", "Queue pairs of a partition.",
         [](const auto& it) { return it.queue_pairs; });
    each("causeway_regions", "Regions of a partition.", [](const auto& it) { return it.regions; });
    each("causeway_registered_bytes", "Registered memory of a partition.",
         [](const auto& it) { return it.registered_bytes; });
}

void write_movers(Text& text, const Snapshot& snapshot) {
    const auto each = [&](const char* name, const char* help, auto value) {
        text.family(name, "counter", help);
        for (std::size_t i = 0; i < snapshot.movers.size(); ++i)
            text.sample(fmt::format("mover=\"{}\"", i), value(snapshot.movers[i]));
    };
    each("causeway_mover_cpu_seconds_total", "Processor time of a mover.",
         [](const auto& it) { return static_cast<double>(it.cpu_ns) * kPerNs; });
    each("causeway_mover_turns_total", "Rounds of a mover over its connections.",
         [](const auto& it) { return it.turns; });
    each("causeway_mover_sleeps_total", "Times that a mover went to sleep.",
         [](const auto& it) { return it.sleeps; });
    each("causeway_mover_wakeups_total", "Sleeps of a mover that were ended by somebody.",
         [](const auto& it) { return it.wakeups; });
    each("causeway_mover_given_connections_total",
         "Connections that a mover gave to one that has time.",
         [](const auto& it) { return it.given; });
}

// Shows the buckets `from`, `from` + `step` ... `to`, each with all that lie below it.
void write_histogram(Text& text, const HistogramView& view, std::size_t from, std::size_t to,
                     std::size_t step, double scale) {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
        seen += view.buckets[i];
        if (i < from || i > to || (i - from) % step != 0)
            continue;
        const double bound = static_cast<double>(std::uint64_t{1} << i) * scale;
        text.sample(fmt::format("le=\"{}\"", bound), seen, "_bucket");
    }
    text.sample("le=\"+Inf\"", seen, "_bucket");
    text.sample("", static_cast<double>(view.sum) * scale, "_sum");
    text.sample("", seen, "_count");
}

void write_adapter(Text& text, const Snapshot& snapshot) {
    const auto one = [&](const char* name, const char* type, const char* help, auto value) {
        text.family(name, type, help);
        text.sample("", value);
    };
    text.family("causeway_build_info", "gauge", "1; the version is in the label.");
    text.sample(
        fmt::format("version=\"{}\",protocol=\"{}.{}\"", kVersion, abi::kMajor, abi::kMinor), 1);
    one("causeway_uptime_seconds", "gauge", "Time since the adapter's start.",
        static_cast<double>(snapshot.uptime_ns) * kPerNs);
    one("causeway_memory_bytes", "gauge", "Memory of the adapter's own.", snapshot.own.memory);
    one("causeway_memory_limit_bytes", "gauge", "The adapter never has more memory of its own.",
        snapshot.own_memory_most);
    one("causeway_open_descriptors", "gauge", "Open descriptors of the adapter.",
        snapshot.own.open_files);
    one("causeway_open_descriptors_limit", "gauge", "The adapter may open so many.",
        snapshot.files_most);
    one("causeway_mappings", "gauge", "Memory mappings of the adapter.", snapshot.own.mappings);
    one("causeway_registered_memory_bytes", "gauge", "Registered memory of all partitions.",
        snapshot.registered_bytes);
    one("causeway_refused_total", "counter", "Attachments and connections that were refused.",
        snapshot.refused);
    text.family("causeway_denials_total", "counter", "Wishes that a rule has denied.");
    for (const auto& [rule, count] : snapshot.denials)
        text.sample(fmt::format("rule=\"{}\"", escaped(rule)), count);
}

}  // namespace

std::string metrics_text(const Snapshot& snapshot) {
    Text text;
    write_adapter(text, snapshot);
    write_partitions(text, snapshot);
    write_totals(text, snapshot);
    write_movers(text, snapshot);
    text.family("causeway_operation_latency_seconds", "histogram",
                "From a mover's first look at a descriptor to its completion.");
    write_histogram(text, snapshot.latency, kLatencyFrom, kLatencyTo, 1, kPerNs);
    text.family("causeway_operation_size_bytes", "histogram",
                "Bytes of the operations that succeeded.");
    write_histogram(text, snapshot.size, 0, kBuckets - 2, 2, 1);
    return text.take();
}

}  // namespace causeway::adapter
