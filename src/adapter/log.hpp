// The daemon's log: one line per event to standard error, readable or as JSON.
//
// Threading: a Log may be written to from any thread; a RateLimit belongs to one.
//
// Invariants:
//  1. Nothing that a client sent reaches the log unescaped: names are checked before (base/names),
//     everything else goes through printable().
//  2. A client cannot fill the log: what it causes is written through a RateLimit.
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace causeway::adapter {

using Log = std::shared_ptr<spdlog::logger>;

enum class LogFormat { text, json };

// `level`: trace, debug, info, warning, error or off.
[[nodiscard]] Result<Log> make_log(const std::string& level, LogFormat format);
// For tests.
[[nodiscard]] Log make_silent_log();

// Something that one may want to be told of: text for readers and, where the log is JSON, fields
// for programs beside it (docs/observability.md). An empty value is left out.
struct LogField {
    std::string_view name;
    std::string_view value;
};
void log_event(const Log& log, spdlog::level::level_enum level, std::string_view event,
               std::initializer_list<LogField> fields, const std::string& text);

// Lets `burst` lines through at once and one more per `interval_ns`; counts the others.
class RateLimit {
public:
    RateLimit(std::uint32_t burst, std::uint64_t interval_ns) noexcept
        : burst_(burst), interval_ns_(interval_ns), tokens_(burst) {}

    [[nodiscard]] bool allow(std::uint64_t now_ns) noexcept;
    // How many were held back since the last call.
    [[nodiscard]] std::uint64_t take_held_back() noexcept;

private:
    std::uint32_t burst_;
    std::uint64_t interval_ns_;
    std::uint32_t tokens_;
    std::uint64_t refilled_at_ns_ = 0;
    std::uint64_t held_back_ = 0;
};

}  // namespace causeway::adapter
