// Two partitions exchange checked data; who moves it, and what each maps; then a third one tries
// what it may not, and the first two go on.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "demo/role.hpp"
#include "demo/stage.hpp"
#include "text.hpp"

namespace causeway::demo {
namespace {

// Asks until the stream has moved on by `messages`; the last answer.
Result<cli::json> wait_for_messages(Player& neighbour, std::uint64_t messages) {
    CW_TRY_ASSIGN(cli::json now, neighbour.talk.ask("status"));
    const std::uint64_t wanted = now["messages"].get<std::uint64_t>() + messages;
    while (now["messages"].get<std::uint64_t>() < wanted) {
        CW_TRY_ASSIGN(now, neighbour.talk.ask("status"));
    }
    return now;
}

Result<void> show_executor(Story& story, const Stage& stage) {
    CW_TRY_ASSIGN(const std::string text, run_program({stage.launcher.self(), "ss", "--socket",
                                                       stage.adapter.socket(), "--json"}));
    const cli::json pairs = cli::json::parse(text, nullptr, false);
    if (pairs.is_discarded() || !pairs.contains("queue_pairs"))
        return fail(ErrorCode::protocol, fmt::format("causeway ss --json said '{}'", text));
    std::size_t ends = 0;
    std::string why;
    for (const auto& pair : pairs["queue_pairs"]) {
        if (pair["state"] != "connected")
            continue;
        ends += pair["executor"] == "adapter" && pair["service"] == kStream ? 1 : 0;
        why = pair["why"].get<std::string>();
    }
    story.claim(ends == 2, fmt::format("causeway ss --json: both ends of {}/{} have executor "
                                       "\"adapter\" ({})",
                                       kOwner, kStream, why));
    return {};
}

std::string joined(const std::vector<Player*>& players) {
    std::vector<std::string> names;
    for (const Player* player : players)
        names.push_back(player->name);
    return fmt::format("{}", fmt::join(names, ", "));
}

// Nobody maps anything of another, and everything mapped shared is the adapter's and one's own.
Result<void> show_mappings(Story& story, pid_t daemon, const std::vector<Player*>& players) {
    const auto theirs = mapped_memory_files(daemon);
    bool seen = theirs.has_value();
    bool with_adapter = true, apart = true, nothing_else = true, descriptors_apart = true;
    std::map<std::uint64_t, std::string> mapped;  // inode -> by whom
    std::set<std::uint64_t> open;
    std::vector<std::string> counts;
    for (const Player* player : players) {
        const auto files = mapped_memory_files(player->pid);
        const auto descriptors = open_memory_files(player->pid);
        seen &= files.has_value() && descriptors.has_value() && !files->empty();
        if (!seen)
            break;
        for (const auto& [inode, path] : *files) {
            with_adapter &= theirs->count(inode) == 1;
            apart &= mapped.emplace(inode, player->name).second;
        }
        for (const std::uint64_t inode : *descriptors)
            descriptors_apart &= open.insert(inode).second &&
                                 mapped.emplace(inode, player->name).first->second == player->name;
        nothing_else &= other_shared_mappings(player->pid).empty();
        counts.push_back(std::to_string(files->size()));
    }
    if (!seen)
        return fail(ErrorCode::denied,
                    "/proc/PID/maps of the partitions cannot be read: run the "
                    "demo as the user who started it, with /proc mounted");
    story.claim(apart, fmt::format("/proc/PID/maps of {}: {} shared memory files, none in common",
                                   joined(players), fmt::join(counts, " + ")));
    story.claim(with_adapter && nothing_else,
                "each of these is shared with causewayd, and nothing else is mapped shared");
    story.claim(descriptors_apart, "none holds a descriptor of another's memory");
    return {};
}

void show_refusals(Story& story, const cli::json& attacks) {
    for (const auto& attack : attacks) {
        std::vector<std::string> parts;
        bool refused = !attack["statuses"].empty();
        for (const auto& [status, count] : attack["statuses"].items()) {
            parts.push_back(fmt::format("{} times {}", count.get<int>(), status));
            refused &= status == name(Status::remote_access);
        }
        story.claim(refused, fmt::format("{}: {}", attack["what"].get<std::string>(),
                                         fmt::join(parts, ", ")));
    }
}

bool all_right(const cli::json& status) { return status["wrong"].get<std::uint64_t>() == 0; }

}  // namespace

Result<void> Stage::meet_a_stranger() {
    story.step("Who moves the data, and who can reach it");
    CW_TRY_ASSIGN(Player owner, start_player(launcher, entrance(kOwner), kOwner, "owner"));
    CW_TRY_ASSIGN(const cli::json before, owner.talk.ask("status"));
    CW_TRY_ASSIGN(Player neighbour,
                  start_player(launcher, entrance(kNeighbour), kNeighbour, "neighbour"));
    CW_TRY_ASSIGN(const cli::json first, wait_for_messages(neighbour, 32));
    story.line(fmt::format("{} and {} exchange messages of {}; each checks every byte", kOwner,
                           kNeighbour, cli::human_bytes(kMessage)));
    story.line(fmt::format("{} also reads the vault of {} ({}), whose handle it was told",
                           kNeighbour, kOwner, cli::human_bytes(kVault)));
    CW_TRY(show_executor(story, *this));
    CW_TRY(show_mappings(story, daemon, {&owner, &neighbour}));

    story.step("A stranger comes");
    CW_TRY_ASSIGN(Player stranger,
                  start_player(launcher, entrance(kStranger), kStranger, "stranger"));
    CW_TRY_ASSIGN(const cli::json pretended, stranger.talk.ask("pretend"));
    story.claim(pretended["status"] != "success",
                fmt::format("it attaches as '{}' at its own entrance: {}", kOwner,
                            pretended["status"].get<std::string>()));
    CW_TRY_ASSIGN(const cli::json intruded, stranger.talk.ask("intrude"));
    CW_TRY_ASSIGN(const cli::json turned, owner.talk.ask("status"));
    story.claim(intruded["status"] != "success" && turned["turned_away"] == 1,
                fmt::format("it connects to {}/{}: {} (its entrance has told who it is)", kOwner,
                            kStream, intruded["status"].get<std::string>()));
    CW_TRY_ASSIGN(const cli::json connected, stranger.talk.ask("connect"));
    CW_TRY_ASSIGN(const cli::json given, stranger.talk.ask("allowed"));
    story.claim(connected["status"] == "success" && given["notice"] == "success" &&
                    given["content"] == true && given["retired"] == "success",
                fmt::format("it connects to {}/{} and reads the two regions that it is told: {}",
                            kOwner, kBoard, given["notice"].get<std::string>()));
    CW_TRY(show_mappings(story, daemon, {&owner, &neighbour, &stranger}));
    CW_TRY_ASSIGN(const cli::json retired, owner.talk.ask("retire"));
    story.line(fmt::format("{} deregisters one of the two; now the stranger tries:", kOwner));
    CW_TRY_ASSIGN(const cli::json started, neighbour.talk.ask("status"));
    CW_TRY_ASSIGN(const cli::json attacks, stranger.talk.ask("attack", 30 * kSecond));
    show_refusals(story, attacks);
    CW_TRY_ASSIGN(const cli::json still, stranger.talk.ask("allowed"));
    story.claim(still["notice"] == "success" && still["content"] == true &&
                    still["retired"] == name(Status::remote_access),
                "what it was given it can still read: only the attempts were refused");

    CW_TRY_ASSIGN(const cli::json ended, neighbour.talk.ask("status"));
    CW_TRY_ASSIGN(const cli::json after, owner.talk.ask("status"));
    CW_TRY_ASSIGN(const cli::json later, wait_for_messages(neighbour, 32));
    story.claim(after["vault"] == before["vault"] && after["notice"] == before["notice"],
                fmt::format("the regions of {} are unchanged (fingerprint {})", kOwner,
                            after["vault"].get<std::string>()));
    const auto count = [](const cli::json& status) {
        return status["messages"].get<std::uint64_t>();
    };
    story.claim(all_right(later) && all_right(after) && count(later) > count(ended) &&
                    later["executor"] == "adapter",
                fmt::format("its stream goes on: {} messages during the attempts, {} in all, {} "
                            "reads of the vault, none wrong",
                            count(ended) - count(started), count(later),
                            later["vault_reads"].get<std::uint64_t>()));
    for (Player* player : {&stranger, &neighbour, &owner})
        CW_TRY(player->talk.finish());
    return {};
}

}  // namespace causeway::demo
