// The configuration as it holds now: who is who at the entrances, and what a new one changes while
// partitions are attached.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "adapter/configured.hpp"
#include "adapter/server.hpp"
#include "base/names.hpp"
#include "config/change.hpp"
#include "platform/clock.hpp"

namespace causeway::adapter {

// The entrance is the identity; what the file says beside it is a second look.
Result<void> Server::check_identity(const Session& session,
                                    const abi::AttachRequest& request) const {
    const Entrance& entrance = *session.door->entrance;
    CW_TRY(entrance.admit(session.credentials));
    if (entrance.is_open()) {
        const bool observes = (request.flags & abi::attach_flag::kObserver) != 0;
        if (observes || !config_->from_file || config_->adapter.open_entrance)
            return {};
        return fail(ErrorCode::denied,
                    "rule 'open entrance': the configuration admits no partitions by it: come in "
                    "by an entrance of your own (CAUSEWAY_SOCKET=DIR/NAME/fabric.sock), or set "
                    "adapter.open_entrance = true");
    }
    const auto found = config_->partitions.find(entrance.name());
    if (found == config_->partitions.end()) {  // its entrance is about to be closed
        return fail(ErrorCode::denied,
                    fmt::format("partition '{}' is not configured any more", entrance.name()));
    }
    return check_process(found->second, session.credentials, request.secret);
}

void Server::reload_on_signal() {
    signalfd_siginfo signal{};
    while (::read(options_.reload_fd, &signal, sizeof signal) == sizeof signal) {}
    if (!options_.reload) {
        log_->warn("SIGHUP: there is no configuration file to read again (--config)");
        return;
    }
    if (std::exchange(reloading_, true))
        return;
    fabric_->offload([this, read = options_.reload] {
        auto loaded = std::make_shared<config::Loaded>(read());
        return [this, loaded] {
            reloading_ = false;
            std::uint32_t cut = 0;
            if (const auto applied = apply(std::move(*loaded), cut); !applied)
                log_->error("SIGHUP: {}", applied.error().text);
        };
    });
}

Answer Server::reload(Session& session, const Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::ReloadRequest>(call.bytes));
    if (request.reserved[0] != 0 || request.reserved[1] != 0)
        return fail(ErrorCode::invalid_argument, "the reserved fields must be zero");
    if (!session.door->entrance->is_open()) {
        return fail(ErrorCode::denied,
                    "rule 'open entrance': the configuration is read again for who comes in by "
                    "the open entrance only");
    }
    if (!options_.reload) {
        return fail(ErrorCode::unsupported,
                    "the adapter was started without a configuration file: start it with causewayd "
                    "--config FILE");
    }
    if (std::exchange(reloading_, true))
        return fail(ErrorCode::again, "the configuration is being read again already");
    fabric_->offload([this, read = options_.reload, header = call.header,
                      answer = answer_later(session, call.header)] {
        auto loaded = std::make_shared<config::Loaded>(read());
        return [this, loaded, header, answer]() -> void {
            reloading_ = false;
            std::uint32_t cut = 0;
            const auto applied = apply(std::move(*loaded), cut);
            if (!applied) {
                answer(tl::unexpected(applied.error()));
                return;
            }
            auto reply = control::make_reply<abi::ReloadReply>(header);
            reply.changes =
                static_cast<std::uint32_t>(std::count(applied->begin(), applied->end(), '\n'));
            reply.cut = cut;
            (void)store_text(reply.text, applied->substr(0, sizeof reply.text - 1));
            answer(Reply::of(reply));
        };
    });
    return std::nullopt;
}

// A line for each change; `cut`: how many connections were closed for it.
Result<std::string> Server::apply(config::Loaded loaded, std::uint32_t& cut) {
    if (!loaded.ok()) {
        std::string text = "the configuration has mistakes, nothing was changed:";
        for (const config::Problem& problem : loaded.problems) {
            if (problem.severity == config::Problem::Severity::error)
                text += "\n" + config::text_of(problem);
        }
        return fail(ErrorCode::invalid_argument, std::move(text));
    }
    const auto before = config_;
    set_configuration(with_entrances(
        std::make_shared<const config::Config>(std::move(loaded.config)), options_.entrances));
    std::vector<std::string> said;
    for (const config::Change& change : config::changes(*before, *config_))
        said.push_back(change.text);
    if (const auto opened = fabric_->audit().open(config_->adapter.audit_log); !opened)
        said.push_back(opened.error().text);
    close_old_doors();
    open_new_doors(said);
    evict_strangers();
    cut = fabric_->set_policy(make_policy(config_));
    if (const auto set = fabric_->set_segments(segments_of(*config_)); !set)
        said.push_back(set.error().text);
    std::string text;
    for (const std::string& line : said) {
        log_->info("configuration: {}", line);
        text += line + "\n";
    }
    fabric_->audit().allowed({.event = "reload", .text = text});
    return text;
}

void Server::set_configuration(std::shared_ptr<const config::Config> config) {
    config_ = std::move(config);
    fabric_->set_terms(usual_quota(*config_, options_.fabric.quota),
                       terms_of(*config_, options_.fabric.quota));
}

// Their directories stay: they may be mounted somewhere.
void Server::close_old_doors() {
    for (std::size_t i = 0; i < doors_.size();) {
        const std::shared_ptr<Door> door = doors_[i];
        const Entrance& entrance = *door->entrance;
        if (entrance.is_open() || config_->partitions.count(entrance.name()) != 0) {
            ++i;
            continue;
        }
        std::vector<std::uint32_t> inside;
        for (const auto& [id, session] : sessions_) {
            if (session->door == door)
                inside.push_back(id);
        }
        for (const std::uint32_t id : inside)
            end_session(id, "its partition is not configured any more");
        loop_->remove(door->watch);
        // A service manager goes on listening at its own: whoever is configured there again is to
        // have it.
        const auto listener = door->entrance->close();
        if (entrance.is_given()) {
            given_.give_back(entrance.path(), std::move(*listener));
        } else {
            door->side.post([listener] {});
        }
        doors_.erase(doors_.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

void Server::open_new_doors(std::vector<std::string>& said) {
    for (const auto& entry : config_->partitions) {
        const std::string& name = entry.first;
        const bool there = std::any_of(doors_.begin(), doors_.end(), [&](const auto& door) {
            return door->entrance->name() == name;
        });
        if (there)
            continue;
        auto path = directory_.make_entrance(name);
        const Result<void> opened =
            path ? open_door(name, *path) : Result<void>(tl::unexpected(path.error()));
        if (!opened) {
            said.push_back(fmt::format("partition {}: its entrance cannot be opened: {}", name,
                                       opened.error().text));
        }
    }
}

// Whose entrance now asks for another user, group or secret than they came with; and who came in by
// the open entrance, where that is closed, or has the name of a configured partition now.
void Server::evict_strangers() {
    std::vector<std::pair<std::uint32_t, std::string>> strangers;
    for (const auto& [id, session] : sessions_) {
        if (session->state != Session::State::partition)
            continue;
        auto as_now = control::make<abi::AttachRequest>(abi::Request::attach);
        std::copy(session->secret.begin(), session->secret.end(), as_now.secret);
        Result<void> known = check_identity(*session, as_now);
        if (known && session->door->entrance->is_open() &&
            config_->partitions.count(session->name) != 0) {
            known = fail(ErrorCode::denied, "its name is an entrance's now");
        }
        if (!known)
            strangers.emplace_back(id, known.error().text);
    }
    for (const auto& [id, why] : strangers) {
        fabric_->audit().denied({.event = "cut", .from = sessions_.at(id)->name, .text = why});
        end_session(id, why);
    }
}

}  // namespace causeway::adapter
