// Attaching: which version, which name, the wait for a name whose last holder is just going; and
// observers, who take none.
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

#include "adapter/server.hpp"
#include "base/names.hpp"
#include "base/version.hpp"
#include "platform/clock.hpp"

namespace causeway::adapter {
namespace {

Result<void> check_version(const abi::AttachRequest& request) {
    if (request.major_least > request.major_most) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("versions from {} to {}: the first is larger than the last",
                                request.major_least, request.major_most));
    }
    if (request.major_least <= abi::kMajor && abi::kMajor <= request.major_most)
        return {};
    return fail(ErrorCode::version,
                fmt::format("this adapter (causewayd {}) speaks protocol version {}, the library "
                            "{} to {}: bring both to the same release",
                            kVersion, abi::kMajor, request.major_least, request.major_most));
}

bool all_zero(const std::uint8_t (&token)[abi::kTokenSize]) {
    return std::all_of(std::begin(token), std::end(token), [](auto byte) { return byte == 0; });
}

Result<void> check_flags(const abi::AttachRequest& request) {
    if ((request.flags & ~abi::attach_flag::kAll) != 0) {
        return fail(ErrorCode::unsupported,
                    fmt::format("attach with flags {:#x}, of which this adapter (causewayd {}) "
                                "knows {:#x}: bring both to the same release",
                                request.flags, kVersion, abi::attach_flag::kAll));
    }
    const bool resumes = (request.flags & abi::attach_flag::kResume) != 0;
    if (resumes && (request.flags & abi::attach_flag::kObserver) != 0)
        return fail(ErrorCode::invalid_argument, "an observer has nothing to resume");
    if (!resumes && (request.session != 0 || !all_zero(request.token))) {
        return fail(ErrorCode::invalid_argument,
                    "attach names a session or a token, but does not ask to resume it");
    }
    return {};
}

// The requested name; empty is allowed.
Result<std::string> requested_name(const abi::AttachRequest& request) {
    CW_TRY_ASSIGN(const std::string_view name, load_text(request.name));
    if (!name.empty())
        CW_TRY(check_name("partition", name));
    return std::string(name);
}

// 0: not to be seen from here, as that of a process in another PID namespace, or of one that cannot
// be told from a later one with its number.
std::uint64_t user_namespace_of(const Session& session) {
    const pid_t pid = session.credentials.pid;
    struct stat facts {};
    if (pid <= 0 || !session.process ||
        ::stat(fmt::format("/proc/{}/ns/user", pid).c_str(), &facts) != 0)
        return 0;
    // It still lives: so it was its own number all the while.
    pollfd death{session.process.get(), POLLIN, 0};
    return ::poll(&death, 1, 0) == 0 ? facts.st_ino : 0;
}

}  // namespace

Answer Server::attach(Session& session, const Call& call) {
    if (static_cast<abi::Request>(call.header.type) != abi::Request::attach) {
        return fail(ErrorCode::wrong_state,
                    fmt::format("{} before attach: the first request of a connection is attach",
                                control::request_name(call.header.type)));
    }
    if (call.descriptor)
        return fail(ErrorCode::protocol, "attach came with a descriptor but takes none");
    CW_TRY_ASSIGN(const auto message, control::parse<abi::AttachRequest>(call.bytes));
    CW_TRY(check_version(message));
    CW_TRY(check_flags(message));
    CW_TRY_ASSIGN(const std::string wanted, requested_name(message));
    if (const auto admitted = check_identity(session, message); !admitted) {
        note_denied(session, wanted,
                    session.door->entrance->is_open() ? "open entrance" : "identity",
                    admitted.error());
        return tl::unexpected(admitted.error());
    }
    std::copy_n(message.secret, sizeof message.secret, session.secret.begin());
    if ((message.flags & abi::attach_flag::kObserver) != 0) {
        if (!wanted.empty()) {
            return fail(ErrorCode::invalid_argument,
                        fmt::format("an observer has no name, but '{}' is asked for: leave it "
                                    "empty, or attach as a partition",
                                    wanted));
        }
        CW_TRY_ASSIGN(Reply reply, attach_observer(session, call.header));
        return reply;
    }
    if ((message.flags & abi::attach_flag::kResume) != 0) {
        CW_TRY_ASSIGN(Reply reply, attach_resumed(session, call.header, message));
        return reply;
    }
    session.returns = (message.features & abi::feature::kReturns) != 0;
    const auto name = session.door->entrance->name_for(wanted, config_->partitions);
    if (!name) {
        note_denied(session, wanted,
                    session.door->entrance->is_open() ? "reserved name" : "named entrance",
                    name.error());
        return tl::unexpected(name.error());
    }
    return attach_as(session, call.header, *name);
}

void Server::note_denied(const Session& session, const std::string& wanted, const char* rule,
                         const Error& error) {
    fabric_->count_refusal();
    if (error.code != ErrorCode::denied)
        return;
    fabric_->count_denial(session.door->entrance->name(), rule);
    fabric_->audit().denied({.event = "attach",
                             .from = wanted,
                             .entrance = session.door->entrance->label(),
                             .text = error.text,
                             .pid = session.credentials.pid,
                             .uid = session.credentials.uid});
}

Result<Reply> Server::attach_observer(Session& session, const abi::Header& header) {
    Door& door = *session.door;
    if (door.observers.size() >= options_.max_observers) {
        // The end of some may just not have been noticed yet.
        for (const std::uint32_t id : std::vector(door.observers.begin(), door.observers.end())) {
            if (has_gone(*sessions_.at(id)))
                end_session(id, "it has gone");
        }
    }
    if (door.observers.size() >= options_.max_observers) {
        fabric_->count_refusal();
        return fail(ErrorCode::limit_reached,
                    fmt::format("{} observers look in by entrance {} already, as many as are "
                                "admitted: try again when one has ended",
                                door.observers.size(), door.entrance->label()));
    }
    CW_TRY_ASSIGN(Reply reply, attach_reply(session, header, ""));
    settle(session, Session::State::observer);
    door.observers.insert(session.id);
    return reply;
}

Answer Server::attach_as(Session& session, const abi::Header& header, const std::string& name) {
    fabric_->give_up_own(name, session.credentials);
    if (!fabric_->name_taken(name))
        return attach_partition(session, header, name);
    if (const Partition* holder = fabric_->find(name)) {
        // Its end may just not have been noticed yet: a restarted program is faster than that.
        const auto holding = sessions_.find(holder->session);
        if (holding != sessions_.end() && has_gone(*holding->second))
            end_session(holder->session, "its process has gone");
    }
    if (!fabric_->name_taken(name))
        return attach_partition(session, header, name);
    if (fabric_->find(name) == nullptr && wait_for(session, header, name))
        return std::nullopt;
    fabric_->count_refusal();
    return fail(ErrorCode::name_in_use,
                fmt::format("a partition named '{}' is attached already: take another name, or end "
                            "that one first",
                            name));
}

// Answers `session` once the name is free; false if somebody else waits for that already.
bool Server::wait_for(Session& session, const abi::Header& header, const std::string& name) {
    if (const auto before = waiting_.find(name); before != waiting_.end()) {
        const std::uint32_t id = before->second;
        if (!has_gone(*sessions_.at(id)))
            return false;
        end_session(id, "it has gone");
    }
    waiting_[name] = session.id;
    fabric_->when_free(name, [this, id = session.id, header, name] {
        waiting_.erase(name);
        Session& waiting = *sessions_.at(id);
        waiting.answering_late = false;
        read_again(waiting);
        waiting.state = Session::State::unattached;
        waiting.door->unattached.push_front(id);
        send(waiting, header, attach_partition(waiting, header, name));
    });
    leave_unattached(session);
    session.state = Session::State::waiting;
    session.name = name;
    (void)answer_later(session, header);
    return true;
}

Result<Reply> Server::attach_partition(Session& session, const abi::Header& header,
                                       const std::string& name) {
    CW_TRY_ASSIGN(
        Partition * partition,
        fabric_->attach(session.id, name, session.door->entrance->name(), session.credentials));
    if (!session.returns)
        Journal::invalidate(partition->cell);  // what it has is swept away with it
    partition->user_namespace = user_namespace_of(session);
    session.name = name;
    settle(session, Session::State::partition);
    fabric_->audit().allowed({.event = "attach",
                              .from = name,
                              .entrance = session.door->entrance->label(),
                              .pid = session.credentials.pid,
                              .uid = session.credentials.uid});
    if (session.door->complaints.allow(platform::monotonic_ns())) {
        log_event(log_, spdlog::level::info, "attached",
                  {{"partition", session.name}, {"entrance", session.door->entrance->label()}},
                  fmt::format("{}: attached by entrance {} (pid {}, uid {})", session.label(),
                              session.door->entrance->label(), session.credentials.pid,
                              session.credentials.uid));
    }
    return attach_reply(session, header, name);
}

// The partition of an adapter that has died goes on with this one.
Result<Reply> Server::attach_resumed(Session& session, const abi::Header& header,
                                     const abi::AttachRequest& request) {
    auto resumed = fabric_->resume(request.session, request.token, session.door->entrance->name(),
                                   session.credentials);
    if (!resumed) {
        fabric_->count_refusal();
        return tl::unexpected(resumed.error());
    }
    Partition& partition = **resumed;
    partition.resuming_since_ns = platform::monotonic_ns();
    partition.user_namespace = user_namespace_of(session);
    session.name = partition.name;
    session.returns = true;
    settle(session, Session::State::partition);
    if (const auto renumbered = renumber(session, request.session); !renumbered) {
        fabric_->end(request.session);
        return tl::unexpected(renumbered.error());
    }
    if (session.door->complaints.allow(platform::monotonic_ns())) {
        log_event(log_, spdlog::level::info, "resumed",
                  {{"partition", session.name}, {"entrance", session.door->entrance->label()}},
                  fmt::format("{}: is back by entrance {} (pid {}, uid {})", session.label(),
                              session.door->entrance->label(), session.credentials.pid,
                              session.credentials.uid));
    }
    return attach_reply(session, header, partition.name);
}

// The connection takes the number that the session had at the last adapter.
Result<void> Server::renumber(Session& session, std::uint32_t id) {
    if (sessions_.count(id) != 0) {
        return fail(ErrorCode::not_found,
                    fmt::format("the number of session {} has been given out again", id));
    }
    auto node = sessions_.extract(session.id);
    node.key() = id;
    session.id = id;
    sessions_.insert(std::move(node));
    loop_->remove(session.socket_watch);
    if (session.process)
        loop_->remove(session.process_watch);
    return watch_as(session, session.socket->get());
}

// `name`: empty for an observer.
Result<Reply> Server::attach_reply(const Session& session, const abi::Header& header,
                                   const std::string& name) const {
    auto reply = control::make_reply<abi::AttachReply>(header);
    reply.major = abi::kMajor;
    reply.minor = abi::kMinor;
    reply.session = session.id;
    reply.movers = fabric_->mover_count();
    const Quota quota = fabric_->terms_of(name).quota;
    reply.max_bytes = quota.max_bytes;
    reply.max_regions = quota.max_regions;
    reply.max_queue_pairs = quota.max_queue_pairs;
    CW_TRY(store_text(reply.name, name));
    CW_TRY(store_text(reply.adapter_version, kVersion));
    if (const Partition* partition = fabric_->find(session.id);
        partition != nullptr && fabric_->journal().lasting() && session.returns)
        std::copy_n(partition->cell->token, sizeof reply.token, reply.token);
    return Reply::of(reply);
}

void Server::settle(Session& session, Session::State state) {
    leave_unattached(session);
    session.state = state;
}

bool Server::has_gone(const Session& session) const {
    std::array<pollfd, 2> fds = {pollfd{session.socket->get(), 0, 0},
                                 pollfd{session.process.get(), POLLIN, 0}};
    // A negative descriptor is passed over.
    if (::poll(fds.data(), fds.size(), 0) <= 0)
        return false;
    return (fds[0].revents & (POLLHUP | POLLERR)) != 0 || (fds[1].revents & POLLIN) != 0;
}

}  // namespace causeway::adapter
