// The audit log: one JSON object per line for what was asked of the policy and what it said.
//
// Threading: control thread. A line is written at once, with one write, so that it is there when
// the daemon dies.
//
// Invariants:
//  1. Nothing that a client sent reaches it unchecked: names are checked before, and JSON escapes.
//  2. A client cannot fill it: denials beyond a rate are counted, and the next line says how many.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "adapter/log.hpp"
#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::adapter {

// Empty fields are left out.
struct AuditEvent {
    std::string_view event;  // attach, connect, announce, operation, grant, cut, reload
    std::string_view from{};
    std::string_view to{};
    std::string_view service{};
    std::string_view type{};  // of a controller
    std::string_view operation{};
    std::string_view executor{};
    std::string_view rule{};
    std::string_view entrance{};
    std::string_view text{};
    pid_t pid = 0;
    std::int64_t uid = -1;
};

class AuditLog {
public:
    explicit AuditLog(Log log) : log_(std::move(log)) {}

    // Goes on in `path`, made with mode 0600 if it is not there; empty: in no file. Errors: what
    // open(2) says; then it goes on as before.
    [[nodiscard]] Result<void> open(const std::string& path);

    void allowed(const AuditEvent& event);
    void denied(const AuditEvent& event);

private:
    void write(const AuditEvent& event, std::string_view decision);

    Log log_;
    std::string path_;
    platform::UniqueFd file_;
    RateLimit denials_{100, 20'000'000};
    RateLimit complaints_{1, 60'000'000'000};
};

}  // namespace causeway::adapter
