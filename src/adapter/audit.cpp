#include "adapter/audit.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "platform/clock.hpp"

namespace causeway::adapter {
namespace {

std::string time_text() {
    using namespace std::chrono;
    const auto us = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                       fmt::gmtime(static_cast<std::time_t>(us / 1'000'000)), us % 1'000'000);
}

}  // namespace

Result<void> AuditLog::open(const std::string& path) {
    if (path.empty()) {
        file_.reset();
        path_.clear();
        return {};
    }
    platform::UniqueFd file(::open(
        path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (!file)
        return fail_errno_format(errno, "open the audit log %s", path.c_str());
    file_ = std::move(file);
    path_ = path;
    return {};
}

void AuditLog::allowed(const AuditEvent& event) { write(event, "allowed"); }

void AuditLog::denied(const AuditEvent& event) {
    if (denials_.allow(platform::monotonic_ns()))
        write(event, "denied");
}

void AuditLog::write(const AuditEvent& event, std::string_view decision) {
    if (!file_)
        return;
    nlohmann::ordered_json line = {
        {"time", time_text()}, {"event", event.event}, {"decision", decision}};
    const auto put = [&](const char* key, std::string_view value) {
        if (!value.empty())
            line[key] = value;
    };
    put("from", event.from);
    put("to", event.to);
    put("service", event.service);
    put("type", event.type);
    put("operation", event.operation);
    put("executor", event.executor);
    put("rule", event.rule);
    put("entrance", event.entrance);
    put("text", event.text);
    if (event.pid != 0)
        line["pid"] = event.pid;
    if (event.uid >= 0)
        line["uid"] = event.uid;
    if (const std::uint64_t held_back = denials_.take_held_back(); held_back != 0)
        line["held_back"] = held_back;
    std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    text += '\n';
    const ssize_t written = ::write(file_.get(), text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size()) &&
        complaints_.allow(platform::monotonic_ns())) {
        log_->error("the audit log {} takes no more lines ({}): make room; lines are being lost",
                    path_, written < 0 ? std::strerror(errno) : "the disk is full");
    }
}

}  // namespace causeway::adapter
