// Accepting: who may come in, how many may dawdle, and what happens when descriptors run out.
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "adapter/server.hpp"
#include "platform/clock.hpp"

namespace causeway::adapter {
namespace {

constexpr std::uint32_t kReadable = EPOLLIN;
constexpr int kAcceptsPerRound = 16;
constexpr std::uint64_t kPauseNs = 100'000'000;
constexpr std::uint32_t kMostAside = 64;  // tasks under way on an entrance's own threads
// Bytes of unread replies, as the kernel counts them (it doubles the number): some thirty small
// ones. It also bounds how many descriptors a client can leave in flight.
constexpr int kSendBuffer = 16 << 10;

}  // namespace

void Server::accept_some(const std::shared_ptr<Door>& door) {
    for (int i = 0; i < kAcceptsPerRound; ++i) {
        if (fabric_->files_short()) {
            pause_accepting("few descriptors are left");
            return;
        }
        auto connection = platform::accept_from(door->entrance->listener());
        if (connection) {
            admit(door, std::move(*connection));
            continue;
        }
        const ErrorCode why = connection.error().code;
        if (why == ErrorCode::limit_reached || why == ErrorCode::no_memory)
            pause_accepting(connection.error().text);
        else if (why != ErrorCode::again && door->complaints.allow(platform::monotonic_ns()))
            log_->warn("entrance {}: {}", door->entrance->label(), connection.error().text);
        return;
    }
}

void Server::admit(const std::shared_ptr<Door>& door, platform::UniqueFd connection) {
    auto session = std::make_unique<Session>();
    const std::uint32_t id = session->id = next_id(last_session_, sessions_);
    session->door = door;
    session->accepted_ns = platform::monotonic_ns();
    ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
    const auto served = watch(*session, connection.get());
    if (!served) {
        const bool dead = served.error().code == ErrorCode::peer_gone;
        if (!dead && door->complaints.allow(session->accepted_ns)) {
            log_->warn("entrance {}: a connection cannot be served: {}", door->entrance->label(),
                       served.error().text);
        }
        loop_->remove(session->socket_watch);
        loop_->remove(session->process_watch);
        close_stray(id, door, std::move(connection));
        return;
    }
    session->socket = std::make_shared<platform::UniqueFd>(std::move(connection));
    if (door->unattached.size() >= options_.max_unattached)
        drop_oldest_unattached(*door);
    door->unattached.push_back(id);
    fabric_->count_files(kFilesPerSession);
    sessions_.emplace(id, std::move(session));
}

// Who is at the other end is found out now: later its number may be another process's.
Result<void> Server::watch(Session& session, int connection) {
    CW_TRY_ASSIGN(session.credentials, platform::peer_credentials(connection));
    auto process = platform::peer_pidfd(connection);
    if (process) {
        session.process = std::move(*process);
    } else if (process.error().code == ErrorCode::peer_gone) {
        return tl::unexpected(process.error());  // a child of its may hold the connection for ever
    }
    // Not every kernel gives one; then the end of the connection has to tell.
    return watch_as(session, connection);
}

// Watches its connection and process under the number that it has.
Result<void> Server::watch_as(Session& session, int connection) {
    const std::uint32_t id = session.id;
    CW_TRY_ASSIGN(session.socket_watch,
                  loop_->add(connection, EPOLLIN,
                             [this, id](std::uint32_t events) { on_readable(id, events); }));
    if (session.process) {
        CW_TRY_ASSIGN(session.process_watch,
                      loop_->add(session.process.get(), EPOLLIN, [this, id](std::uint32_t) {
                          end_session(id, "its process has died");
                      }));
    }
    return {};
}

void Server::leave_unattached(Session& session) {
    std::erase(session.door->unattached, session.id);
}

void Server::drop_oldest_unattached(Door& door) {
    const std::uint32_t id = door.unattached.front();
    fabric_->count_refusal();
    if (door.complaints.allow(platform::monotonic_ns())) {
        log_event(
            log_, spdlog::level::warn, "not_attached", {{"entrance", door.entrance->label()}},
            fmt::format("entrance {}: {} connections have not attached; the oldest is dropped",
                        door.entrance->label(), door.unattached.size()));
    }
    end_session(id, "");
}

void Server::drop_late_attachers(std::uint64_t now_ns) {
    for (const auto& door : doors_) {
        while (!door->unattached.empty()) {
            const std::uint32_t id = door->unattached.front();
            const Session& session = *sessions_.at(id);
            if (now_ns - session.accepted_ns < options_.attach_patience_ns)
                break;
            fabric_->count_refusal();
            if (door->complaints.allow(now_ns)) {
                log_event(log_, spdlog::level::warn, "not_attached",
                          {{"entrance", door->entrance->label()}},
                          fmt::format("entrance {}: a connection of pid {} did not attach within "
                                      "{} ms",
                                      door->entrance->label(), session.credentials.pid,
                                      options_.attach_patience_ns / 1'000'000));
            }
            end_session(id, "");
        }
    }
}

// For a while at least: that descriptors are to be had again may be known to the kernel only (a
// limit of the whole system), and so is found out by trying.
void Server::pause_accepting(const std::string& why) {
    const std::uint64_t now = platform::monotonic_ns();
    if (!accepting_paused_) {
        pause_was_logged_ = pauses_.allow(now);
        if (pause_was_logged_)
            log_event(log_, spdlog::level::warn, "accepting_paused", {{"reason", why}},
                      fmt::format("accepting pauses: {}", why));
    }
    accepting_paused_ = true;
    paused_until_ns_ = now + kPauseNs;
    for (const auto& door : doors_)
        loop_->set_events(door->watch, 0);
}

void Server::resume_accepting() {
    if (pause_was_logged_)
        log_event(log_, spdlog::level::info, "accepting_resumed", {}, "accepting goes on");
    accepting_paused_ = false;
    for (const auto& door : doors_)
        listen_again(*door);
}

void Server::listen_again(Door& door) {
    const bool open = !accepting_paused_ && door.aside < kMostAside;
    loop_->set_events(door.watch, open ? kReadable : 0);
}

}  // namespace causeway::adapter
