// The keys of [adapter] and [quota].
#include <array>

#include "config/schema.hpp"
#include "config/sizes.hpp"
#include "config/syntax.hpp"
#include "config/values.hpp"

namespace causeway::config {
namespace {

constexpr std::uint64_t kMostMovers = 64;
constexpr double kMostPatience = 24 * 3600;
constexpr std::uint64_t kLeastBytes = 4096;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 50;
constexpr std::uint64_t kMostEach = 4096;  // slots of a region table, bits of a doorbell

[[nodiscard]] std::string cores_shown(const Adapter& from) {
    std::string out = "[";
    for (const unsigned core : from.mover_cores)
        out += (out.size() > 1 ? ", " : "") + std::to_string(core);
    return out + "]";
}

// 0 stands for the adapter's own default.
void read_max_bytes(Draft& draft, const Value& value, Quota& into) {
    const bool own = value.kind == Value::Kind::integer && value.integer == 0;
    store(draft, value, read_size(draft, value, {own ? 0 : kLeastBytes, kMostBytes}),
          into.max_bytes);
}

template<std::uint32_t Quota::*member>
void read_count(Draft& draft, const Value& value, Quota& into) {
    store(draft, value, read_number(draft, value, {1, kMostEach}), into.*member);
}
template<std::uint32_t Quota::*member>
std::string count_shown(const Quota& from) {
    return std::to_string(from.*member);
}

template<bool Adapter::*member>
void read_switch(Draft& draft, const Value& value, Adapter& into) {
    store(draft, value, read_truth(draft, value), into.*member);
}
template<bool Adapter::*member>
std::string switch_shown(const Adapter& from) {
    return truth_shown(from.*member);
}

template<std::string Adapter::*member>
void read_file(Draft& draft, const Value& value, Adapter& into) {
    store(draft, value, read_path(draft, value), into.*member);
}
template<std::string Adapter::*member>
std::string text_shown(const Adapter& from) {
    return quoted(from.*member);
}

constexpr std::array<Key<Adapter>, 10> kAdapterKeys{{
    {"runtime_dir", read_file<&Adapter::runtime_directory>,
     text_shown<&Adapter::runtime_directory>},
    {"movers",
     [](Draft& draft, const Value& value, Adapter& into) {
         store(draft, value, read_number(draft, value, {0, kMostMovers}), into.movers);
     },
     [](const Adapter& from) { return std::to_string(from.movers); }},
    {"mover_cores",
     [](Draft& draft, const Value& value, Adapter& into) {
         store(draft, value, read_cores(draft, value), into.mover_cores);
     },
     cores_shown},
    {"resume_patience",
     [](Draft& draft, const Value& value, Adapter& into) {
         store(draft, value, read_seconds(draft, value, kMostPatience), into.resume_patience_s);
     },
     [](const Adapter& from) { return real_text(from.resume_patience_s); }},
    {"copies", read_file<&Adapter::copies>, text_shown<&Adapter::copies>},
    {"log_level",
     [](Draft& draft, const Value& value, Adapter& into) {
         store(draft, value,
               read_choice(draft, value, {"trace", "debug", "info", "warning", "error", "off"}),
               into.log_level);
     },
     text_shown<&Adapter::log_level>},
    {"log_json", read_switch<&Adapter::log_json>, switch_shown<&Adapter::log_json>},
    {"audit_log", read_file<&Adapter::audit_log>, text_shown<&Adapter::audit_log>},
    {"metrics",
     [](Draft& draft, const Value& value, Adapter& into) {
         store(draft, value, read_endpoint(draft, value), into.metrics);
     },
     text_shown<&Adapter::metrics>},
    {"open_entrance", read_switch<&Adapter::open_entrance>, switch_shown<&Adapter::open_entrance>},
}};

constexpr std::array<Key<Quota>, 6> kQuotaKeys{{
    {"max_bytes", read_max_bytes, [](const Quota& from) { return size_shown(from.max_bytes); }},
    {"max_regions", read_count<&Quota::max_regions>, count_shown<&Quota::max_regions>},
    {"max_queue_pairs", read_count<&Quota::max_queue_pairs>, count_shown<&Quota::max_queue_pairs>},
    {"max_queue_bytes",
     [](Draft& draft, const Value& value, Quota& into) {
         store(draft, value, read_size(draft, value, {kLeastBytes, kMostBytes}),
               into.max_queue_bytes);
     },
     [](const Quota& from) { return size_shown(from.max_queue_bytes); }},
    {"max_completion_queues", read_count<&Quota::max_completion_queues>,
     count_shown<&Quota::max_completion_queues>},
    {"max_listeners", read_count<&Quota::max_listeners>, count_shown<&Quota::max_listeners>},
}};

}  // namespace

std::span<const Key<Adapter>> adapter_keys() { return kAdapterKeys; }
std::span<const Key<Quota>> quota_keys() { return kQuotaKeys; }

std::string size_shown(std::uint64_t bytes) {
    const std::string text = size_text(bytes);
    return text == std::to_string(bytes) ? text : quoted(text);
}

std::string truth_shown(bool truth) { return truth ? "true" : "false"; }

}  // namespace causeway::config
