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

constexpr int kAcceptsPerRound = 16;
// Bytes of unread replies, as the kernel counts them (it doubles the number): some thirty small
// ones. It also bounds how many descriptors a client can leave in flight.
constexpr int kSendBuffer = 16 << 10;

}  // namespace

void Server::accept_some(Door& door) {
    for (int i = 0; i < kAcceptsPerRound; ++i) {
        if (fabric_->files_short()) {
            pause_accepting("few descriptors are left");
            return;
        }
        auto connection = platform::accept_from(door.entrance->listener());
        if (connection) {
            admit(door, std::move(*connection));
            continue;
        }
        if (connection.error().code == ErrorCode::limit_reached)
            pause_accepting(connection.error().text);
        else if (connection.error().code != ErrorCode::again)
            log_->warn("entrance {}: {}", door.entrance->label(), connection.error().text);
        return;
    }
}

void Server::admit(Door& door, platform::UniqueFd connection) {
    auto session = std::make_unique<Session>();
    session->id = next_id(last_session_, sessions_);
    session->entrance = door.entrance.get();
    session->accepted_ns = platform::monotonic_ns();
    ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
    const auto credentials = platform::peer_credentials(connection.get());
    if (!credentials)
        return;  // it has gone already
    session->credentials = *credentials;
    const std::uint32_t id = session->id;
    const auto watch =
        loop_->add(connection.get(), EPOLLIN,
                   [this, id](std::uint32_t events) { on_readable(id, events); });
    if (!watch) {
        log_->warn("entrance {}: {}", door.entrance->label(), watch.error().text);
        return;
    }
    session->socket = std::move(connection);
    session->socket_watch = *watch;
    if (door.unattached_count >= options_.max_unattached)
        drop_oldest_unattached(door);
    door.unattached.push_back(id);
    ++door.unattached_count;
    fabric_->count_files(kFilesPerSession);
    sessions_.emplace(id, std::move(session));
}

Server::Door& Server::door_of(const Session& session) {
    const auto found =
        std::find_if(doors_.begin(), doors_.end(), [&session](const std::unique_ptr<Door>& door) {
            return door->entrance.get() == session.entrance;
        });
    return **found;
}

void Server::leave_unattached(Session& session) {
    Door& door = door_of(session);
    --door.unattached_count;
    std::erase(door.unattached, session.id);
}

void Server::drop_oldest_unattached(Door& door) {
    const std::uint32_t id = door.unattached.front();
    fabric_->count_refusal();
    if (door.complaints.allow(platform::monotonic_ns())) {
        log_->warn("entrance {}: {} connections have not attached; the oldest is dropped",
                   door.entrance->label(), door.unattached_count);
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
                log_->warn("entrance {}: a connection of pid {} did not attach within {} ms",
                           door->entrance->label(), session.credentials.pid,
                           options_.attach_patience_ns / 1'000'000);
            }
            end_session(id, "");
        }
    }
}

void Server::pause_accepting(const std::string& why) {
    if (!accepting_paused_)
        log_->warn("accepting pauses: {}", why);
    accepting_paused_ = true;
    for (const auto& door : doors_)
        loop_->set_events(door->watch, 0);
}

void Server::resume_accepting() {
    log_->info("accepting goes on");
    accepting_paused_ = false;
    for (const auto& door : doors_)
        loop_->set_events(door->watch, EPOLLIN);
}

}  // namespace causeway::adapter
