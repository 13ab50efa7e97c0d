#include "adapter/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/names.hpp"

namespace causeway::adapter {
namespace {

// What belongs to the line that this thread writes just now: a sink formats where it is called.
struct Event {
    std::string_view name;
    std::initializer_list<LogField> fields;
};
thread_local const Event* event_of_line = nullptr;

// {"time":"2001-05-04T12:00:00.000000Z","level":"info","message":"...","event":"...", ...}
class JsonFormatter : public spdlog::formatter {
public:
    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
        const auto level = spdlog::level::to_string_view(message.level);
        const auto since = message.time.time_since_epoch();
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(since).count();
        nlohmann::json line = {
            {"time",
             fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                         fmt::gmtime(static_cast<std::time_t>(us / 1'000'000)), us % 1'000'000)},
            {"level", std::string_view(level.data(), level.size())},
            {"message", std::string_view(message.payload.data(), message.payload.size())}};
        if (event_of_line != nullptr) {
            line["event"] = event_of_line->name;
            for (const LogField& field : event_of_line->fields) {
                if (!field.value.empty())
                    line[std::string(field.name)] = field.value;
            }
        }
        const std::string text =
            line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        out.append(text.data(), text.data() + text.size());
        out.push_back('\n');
    }
    [[nodiscard]] std::unique_ptr<formatter> clone() const override {
        return std::make_unique<JsonFormatter>();
    }
};

}  // namespace

Result<Log> make_log(const std::string& level, LogFormat format) {
    const auto parsed = spdlog::level::from_str(level);
    if (parsed == spdlog::level::off && level != "off") {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("log level '{}' is none of trace, debug, info, warning, error, off",
                                printable(level)));
    }
    std::shared_ptr<spdlog::sinks::sink> sink;
    if (format == LogFormat::json) {
        sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        sink->set_formatter(std::make_unique<JsonFormatter>());
    } else {
        sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
        sink->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%-7l%$ %v");
    }
    auto log = std::make_shared<spdlog::logger>("causewayd", std::move(sink));
    log->set_level(parsed);
    log->flush_on(spdlog::level::trace);
    return log;
}

Log make_silent_log() {
    return std::make_shared<spdlog::logger>("silent",
                                            std::make_shared<spdlog::sinks::null_sink_mt>());
}

void log_event(const Log& log, spdlog::level::level_enum level, std::string_view event,
               std::initializer_list<LogField> fields, const std::string& text) {
    const Event of_line{event, fields};
    event_of_line = &of_line;
    log->log(level, "{}", text);
    event_of_line = nullptr;
}

bool RateLimit::allow(std::uint64_t now_ns) noexcept {
    if (now_ns > refilled_at_ns_) {
        const std::uint64_t due = (now_ns - refilled_at_ns_) / interval_ns_;
        tokens_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(burst_, tokens_ + due));
        refilled_at_ns_ += due * interval_ns_;
    }
    if (tokens_ == 0) {
        ++held_back_;
        return false;
    }
    --tokens_;
    return true;
}

std::uint64_t RateLimit::take_held_back() noexcept { return std::exchange(held_back_, 0); }

}  // namespace causeway::adapter
