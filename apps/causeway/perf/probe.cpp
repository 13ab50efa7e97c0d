#include "perf/probe.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <thread>

#include "commit.hpp"
#include "platform/clock.hpp"
#include "platform/cpu.hpp"

namespace causeway::perf {
namespace {

constexpr std::uint32_t kBounces = 2000;  // of one stretch
constexpr int kStretches = 10;            // the fastest counts: the others were disturbed

struct alignas(128) Ball {
    std::atomic<std::uint32_t> number{0};
};

}  // namespace

std::optional<double> bounce_ns(unsigned core, unsigned other) {
    const auto allowed = platform::allowed_cpus();
    const auto usable = [&](unsigned cpu) {
        return std::find(allowed.begin(), allowed.end(), cpu) != allowed.end();
    };
    if (core == other || !usable(core) || !usable(other))
        return std::nullopt;

    Ball ball;
    const std::uint32_t end = kBounces * kStretches * 2;
    double best = std::numeric_limits<double>::max();
    // Each waits for its own parity. SYNC(bounce): each store pairs with the other's load; the
    // number itself is all that is passed.
    std::thread partner([&] {
        (void)platform::pin_thread(other);
        for (std::uint32_t turn = 1; turn < end; turn += 2) {
            while (ball.number.load(std::memory_order_acquire) != turn)
                platform::cpu_relax();
            ball.number.store(turn + 1, std::memory_order_release);
        }
    });
    std::thread serving([&] {
        (void)platform::pin_thread(core);
        std::uint32_t turn = 0;
        for (int stretch = 0; stretch < kStretches; ++stretch) {
            const std::uint64_t start = platform::monotonic_ns();
            for (std::uint32_t i = 0; i < kBounces; ++i, turn += 2) {
                while (ball.number.load(std::memory_order_acquire) != turn)
                    platform::cpu_relax();
                ball.number.store(turn + 1, std::memory_order_release);
            }
            const std::uint64_t elapsed = platform::monotonic_ns() - start;
            best = std::min(best, static_cast<double>(elapsed) / (2.0 * kBounces));
        }
    });
    partner.join();
    serving.join();
    return best;
}

std::optional<double> bounce_ns(const Cores& cores) {
    if (!cores.initiator.has_value() || !cores.responder.has_value())
        return std::nullopt;
    const bool apart = *cores.initiator != *cores.responder;
    return bounce_ns(*cores.initiator,
                     apart ? *cores.responder : cores.mover.value_or(*cores.responder));
}

double clock_ns() {
    constexpr int kCalls = 20000;
    const std::uint64_t start = platform::monotonic_ns();
    std::uint64_t end = start;
    for (int i = 0; i < kCalls; ++i)
        end = platform::monotonic_ns();
    return static_cast<double>(end - start) / kCalls;
}

Machine this_machine() {
    utsname system{};
    ::uname(&system);
    return {platform::cpu_model(), system.release, platform::online_cpus(), cli::source_commit()};
}

Cores choose_cores(Peer peer) {
    const auto allowed = platform::allowed_cpus();
    if (allowed.size() < 2)
        return {};
    if (peer == Peer::unix_socket)
        return {allowed[0], allowed[1], std::nullopt};
    if (allowed.size() == 2)
        return {allowed[0], allowed[0], allowed[1]};
    return {allowed[0], allowed[1], allowed[2]};
}

}  // namespace causeway::perf
