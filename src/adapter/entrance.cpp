#include "adapter/entrance.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <set>
#include <utility>

#include "adapter/runtime_directory.hpp"
#include "base/names.hpp"

namespace causeway::adapter {
namespace {

constexpr mode_t kSocketMode = 0666;  // the directory above decides who gets here
constexpr int kBacklog = 128;

}  // namespace

Result<std::unique_ptr<Entrance>> Entrance::open(std::string name, std::string socket_path) {
    CW_TRY_ASSIGN(auto listener, platform::listen_at(socket_path, kSocketMode, kBacklog));
    return std::unique_ptr<Entrance>(
        new Entrance(std::move(name), std::move(socket_path), std::move(listener), File::own));
}

std::unique_ptr<Entrance> Entrance::on(platform::UniqueFd listener, std::string name,
                                       std::string socket_path) {
    return std::unique_ptr<Entrance>(
        new Entrance(std::move(name), std::move(socket_path), std::move(listener), File::given));
}

Entrance::~Entrance() { (void)close(); }

std::shared_ptr<platform::UniqueFd> Entrance::close() {
    auto listener = std::make_shared<platform::UniqueFd>(std::move(listener_));
    if (*listener && file_ == File::own)
        ::unlink(path_.c_str());
    return listener;
}

Result<void> Entrance::admit(const platform::Credentials& peer) const {
    if (!is_open())
        return {};
    const uid_t own = ::geteuid();
    if (peer.pid == 0 || peer.uid == platform::kOverflowId) {
        return fail(ErrorCode::denied,
                    "rule 'open entrance': a process of another namespace is not admitted; give it "
                    "a named entrance (causewayd --entrance NAME)");
    }
    if (peer.uid != own) {
        return fail(ErrorCode::denied,
                    fmt::format("rule 'open entrance': it admits uid {} only, not uid {}; use a "
                                "named entrance (causewayd --entrance NAME)",
                                own, peer.uid));
    }
    return {};
}

Result<std::string> Entrance::name_for(const std::string& wanted,
                                       const Configured& configured) const {
    if (!is_open()) {
        if (wanted.empty() || wanted == name_)
            return name_;
        return fail(ErrorCode::denied,
                    fmt::format("rule 'named entrance': who comes in here is partition '{}', not "
                                "'{}': leave the name out, or come in by that one's own entrance",
                                name_, wanted));
    }
    if (wanted.empty()) {
        return fail(ErrorCode::invalid_argument,
                    "no name given: this is the open entrance, choose a name for the partition");
    }
    if (configured.count(wanted) != 0) {
        return fail(ErrorCode::denied,
                    fmt::format("rule 'reserved name': '{}' is the name of an entrance of its own; "
                                "take another name",
                                wanted));
    }
    return wanted;
}

Result<void> check_entrance_name(const std::string& name) {
    CW_TRY(check_name("entrance", name));
    if (name == "open" || name == kSocketName || name == kJournalName) {
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("entrance name '{}' is taken by the adapter itself: take another", name));
    }
    return {};
}

Result<void> check_entrance_names(const std::vector<std::string>& names) {
    std::set<std::string_view> seen;
    for (const std::string& name : names) {
        CW_TRY(check_entrance_name(name));
        if (!seen.insert(name).second) {
            return fail(ErrorCode::invalid_argument,
                        fmt::format("entrance '{}' is given twice", name));
        }
    }
    return {};
}

}  // namespace causeway::adapter
