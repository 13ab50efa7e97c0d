#include "demo/stage.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "demo/role.hpp"
#include "platform/clock.hpp"
#include "stats.hpp"
#include "text.hpp"

namespace causeway::demo {
namespace {

// The least that it holds within a moment: a connection that has just ended may still be counted.
Result<Holdings> settled_holdings(pid_t daemon) {
    std::optional<Holdings> least;
    for (int i = 0; i < 10; ++i) {
        const auto now = holdings_of(daemon);
        if (!now)
            return fail(
                ErrorCode::denied,
                fmt::format("/proc/{} cannot be read: mount /proc without hidepid", daemon));
        if (!least || now->descriptors < least->descriptors)
            least = now;
        ::poll(nullptr, 0, 10);
    }
    return *least;
}

// Waits until the daemon holds what it held before, at most 10 s; what it holds then.
std::optional<Holdings> wait_for_holdings(pid_t daemon, const Holdings& wanted) {
    std::optional<Holdings> now;
    for (int i = 0; i < 1000; ++i) {
        now = holdings_of(daemon);
        if (now && *now == wanted)
            break;
        ::poll(nullptr, 0, 10);
    }
    return now;
}

}  // namespace

Result<Player> start_player(const Launcher& launcher, const std::string& entrance,
                            const std::string& name, const std::string& role) {
    Player player;
    player.name = name;
    CW_TRY_ASSIGN(const Streams streams, player.talk.open());
    CW_TRY_ASSIGN(Partner partner, launcher.start(entrance, {"demo-role", role}, streams));
    player.pid = partner.pid;
    player.talk.listen_to(std::move(partner.child));
    return player;
}

Result<void> Stage::play() {
    CW_TRY(show_adapter());
    CW_TRY(show_sandboxes());
    CW_TRY(send_files());
    CW_TRY(meet_a_stranger());
    CW_TRY(show_figures());
    return leave();
}

Result<void> Stage::show_adapter() {
    story.step("The adapter");
    CW_TRY_ASSIGN(const auto rows,
                  cli::stats_rows<abi::AdapterRow>(adapter.socket(), abi::StatsKind::adapter));
    if (rows.empty())
        return fail(ErrorCode::protocol, "the adapter does not tell what it is");
    daemon = static_cast<pid_t>(rows.front().pid);
    CW_TRY_ASSIGN(baseline, settled_holdings(daemon));
    story.line(fmt::format("causewayd {} runs as process {}, user {}, with {} mover thread{}",
                           cli::array_text(rows.front().version), daemon, ::getuid(),
                           rows.front().movers, rows.front().movers == 1 ? "" : "s"));
    story.line(fmt::format("{} has an entrance for each partition: {}, {}, {}", adapter.directory(),
                           kOwner, kNeighbour, kStranger));
    return {};
}

Result<void> Stage::leave() {
    story.step("Everybody leaves");
    const auto now = wait_for_holdings(daemon, baseline);
    story.claim(
        now == baseline,
        fmt::format("the adapter's open descriptors: {} before the first partition, {} now; "
                    "memory files mapped: {} and {}",
                    baseline.descriptors, now ? now->descriptors : 0, baseline.memory_files,
                    now ? now->memory_files : 0));
    const std::string directory = adapter.directory();
    const auto stopped = adapter.stop();
    story.claim(stopped.has_value(),
                stopped ? "the adapter ended by itself when asked to" : stopped.error().text);
    story.claim(!names_in(directory), fmt::format("{} is gone", directory));
    const auto shared = names_in("/dev/shm").value_or(std::vector<std::string>{});
    story.claim(std::none_of(shared.begin(), shared.end(),
                             [](const std::string& name) {
                                 return name.find("causeway") != std::string::npos;
                             }),
                "/dev/shm holds nothing of it, and never did: all memory was sealed memory files");
    return {};
}

}  // namespace causeway::demo
