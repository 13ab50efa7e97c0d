// The sandboxes: what they are, seen from outside and from inside.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "demo/role.hpp"
#include "demo/stage.hpp"

namespace causeway::demo {
namespace {

constexpr std::array kNamespaces{"user", "pid", "ipc", "uts", "net", "mnt"};
constexpr std::array kCapabilitySets{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};

// Does each process have its own namespace of every kind?
bool all_apart(const std::vector<Player>& players) {
    for (const char* kind : kNamespaces) {
        std::vector<std::string> seen{namespace_of(::getpid(), kind)};
        for (const Player& player : players)
            seen.push_back(namespace_of(player.pid, kind));
        std::sort(seen.begin(), seen.end());
        if (seen.front().empty() || std::adjacent_find(seen.begin(), seen.end()) != seen.end())
            return false;
    }
    return true;
}

bool no_capability(pid_t pid) {
    return std::all_of(kCapabilitySets.begin(), kCapabilitySets.end(), [pid](const char* set) {
        const std::string value = status_field(pid, set);
        return !value.empty() && value.find_first_not_of('0') == std::string::npos;
    });
}

// Only what the launcher has put there.
bool only_own_files(const cli::json& view, const Launcher& launcher) {
    const auto& libraries = launcher.libraries();
    for (const auto& file : view["files"]) {
        const auto path = file.get<std::string>();
        if (path != "/causeway" &&
            std::find(libraries.begin(), libraries.end(), path) == libraries.end())
            return false;
    }
    return view["files"].size() >= 2;
}

bool only_own_mounts(pid_t pid, const Launcher& launcher) {
    const auto& libraries = launcher.libraries();
    const auto mounts = mounts_of(pid);
    return !mounts.empty() && std::all_of(mounts.begin(), mounts.end(), [&](const std::string& at) {
        return at == "/" || at == "/fabric" || at == "/causeway" ||
               std::find(libraries.begin(), libraries.end(), at) != libraries.end();
    });
}

void say_what_is_missing(Story& story, const Launcher& launcher) {
    story.not_shown(fmt::format("no sandboxes: {}", launcher.why_plain()));
    story.not_shown("not shown: own user, PID, IPC, UTS, network and mount namespaces,");
    story.not_shown("           partitions without capabilities, only the own entrance in sight");
    story.not_shown(fmt::format("to enable it: {}", launcher.remedy()));
    story.line("everything below runs with plain processes of this user");
}

}  // namespace

Result<void> Stage::show_sandboxes() {
    if (!launcher.sandboxed()) {
        story.step("Three partitions, as plain processes");
        say_what_is_missing(story, launcher);
        return {};
    }
    story.step(fmt::format("Three sandboxes ({})", launcher.version()));
    std::vector<Player> players;
    for (const char* name : {kOwner, kNeighbour, kStranger}) {
        CW_TRY_ASSIGN(Player player, start_player(launcher, entrance(name), name, "look"));
        players.push_back(std::move(player));
    }
    bool files = true, hidden = true, sockets = true, sealed = true, network = true;
    bool capabilities = true, mounts = true;
    std::size_t seen = 0;
    std::string refusal;
    for (Player& player : players) {
        CW_TRY_ASSIGN(const cli::json view, player.talk.ask("look"));
        files &= only_own_files(view, launcher);
        seen = view["files"].size();
        hidden &=
            !view["proc"].get<bool>() && !view["dev_shm"].get<bool>() && !view["tmp"].get<bool>();
        sockets &= view["sockets"] == cli::json::array({"/fabric/fabric.sock"});
        sealed &= view["write_root"] != "" && view["write_entrance"] != "" && view["mount"] != "";
        refusal = view["write_entrance"].get<std::string>();
        network &= view["interfaces"] == cli::json::array({"lo"});
        capabilities &= no_capability(player.pid) && status_field(player.pid, "NoNewPrivs") == "1";
        mounts &= only_own_mounts(player.pid, launcher);
    }
    story.claim(all_apart(players),
                "each has its own user, PID, IPC, UTS, network and mount namespace");
    story.claim(capabilities, "no capability in any set, and no way to gain one (NoNewPrivs)");
    story.claim(hidden, "no /proc of the host, no /dev/shm, no /tmp");
    story.claim(files && mounts,
                fmt::format("{} files in sight: this program and its libraries", seen));
    story.claim(sockets, "one socket in sight: its own entrance, /fabric/fabric.sock");
    story.claim(sealed, fmt::format("nothing can be written or mounted ({})", refusal));
    story.claim(network, "no network but a loopback of its own");
    for (Player& player : players)
        CW_TRY(player.talk.finish());
    return {};
}

}  // namespace causeway::demo
