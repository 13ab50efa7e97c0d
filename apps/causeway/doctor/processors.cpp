#include <fmt/format.h>

#include <string_view>

#include "doctor/subjects.hpp"
#include "platform/files.hpp"

namespace causeway::doctor {
namespace {

bool has_word(std::string_view words, std::string_view wanted) {
    while (!words.empty()) {
        if (platform::next_token(words, ' ') == wanted)
            return true;
    }
    return false;
}

std::string features_text(const platform::CpuFeatures& features) {
    std::string text;
    const auto add = [&](bool there, const char* name) {
        if (there)
            text += (text.empty() ? "" : " ") + std::string(name);
    };
    add(features.avx, "avx");
    add(features.avx2, "avx2");
    add(features.avx512f, "avx512f");
    add(features.erms, "erms");
    add(features.fsrm, "fsrm");
    return text.empty() ? "none of those that copies use" : text;
}

}  // namespace

void check_processors(const Host& host, Checks& checks) {
    constexpr char kId[] = "processors";
    const Processors& processors = host.processors;
    const std::string found = fmt::format("{} of {} may be used: {}", processors.allowed,
                                          processors.online, processors.model);
    if (processors.allowed > 1)
        checks.push_back(ok(kId, found));
    else if (processors.online > 1)
        checks.push_back(warning(
            kId, found,
            "short latencies: two partners and a mover take turns on one "
            "processor",
            fmt::format("taskset --pid --cpu-list 0-{} {}", processors.online - 1, host.parent)));
    else
        checks.push_back(note(kId, found,
                              "short latencies: two partners and a mover take turns on one "
                              "processor"));

    constexpr char kFeatures[] = "copy_features";
    if (processors.features.avx)
        checks.push_back(ok(kFeatures, features_text(processors.features)));
    else
        checks.push_back(note(kFeatures, features_text(processors.features),
                              "the wider copy kernels: large copies are slower"));
}

void check_clock(const Host& host, Checks& checks) {
    constexpr char kId[] = "clock";
    constexpr char kCurrent[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    constexpr char kOthers[] = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    constexpr char kCosts[] =
        "reading the clock without a system call: movers do so for each piece that they move";
    const auto current = host.text(kCurrent);
    const std::string flags = host.field("/proc/cpuinfo", "flags").value_or("");
    const bool steady = has_word(flags, "constant_tsc") && has_word(flags, "nonstop_tsc");
    if (!current.has_value()) {
        checks.push_back(note(kId, "/sys does not show it here"));
        return;
    }
    const std::string found =
        fmt::format("{}{}", *current, steady ? "; the processor's counter is steady" : "");
    const bool slow = *current == "hpet" || *current == "acpi_pm" || *current == "jiffies" ||
                      *current == "refined-jiffies" || *current == "xen";
    if (!slow)
        checks.push_back(ok(kId, found));
    else if (has_word(host.text(kOthers).value_or(""), "tsc"))
        checks.push_back(
            warning(kId, found, kCosts, fmt::format("sh -c 'echo tsc > {}'", kCurrent)));
    else
        checks.push_back(note(kId, found, kCosts));
}

void check_scheduler(const Host& host, Checks& checks) {
    constexpr char kId[] = "autogroup";
    const auto enabled = host.number("/proc/sys/kernel/sched_autogroup_enabled");
    if (enabled != 1) {
        checks.push_back(ok(kId, enabled.has_value() ? "off" : "none in this kernel"));
        return;
    }
    checks.push_back(note(kId,
                          "on: the processes of one session share one group's processor time, all "
                          "movers of an adapter among them",
                          "a fair share for an adapter that was started from a shell, beside "
                          "sessions with fewer threads",
                          "sysctl -w kernel.sched_autogroup_enabled=0"));
}

}  // namespace causeway::doctor
