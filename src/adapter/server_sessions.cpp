// Sessions: reading a request, answering it now or later, and ending.
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "adapter/requests.hpp"
#include "adapter/server.hpp"
#include "base/assert.hpp"
#include "base/names.hpp"
#include "platform/clock.hpp"

namespace causeway::adapter {
namespace {

constexpr std::uint32_t kNoSession = 0;  // next_id() never gives it

// Does the next message bring descriptors? Looking does not take it, and without room for them
// none comes in.
bool descriptor_waits(int connection) noexcept {
    msghdr header{};
    return ::recvmsg(connection, &header, MSG_PEEK | MSG_DONTWAIT) >= 0 &&
           (header.msg_flags & MSG_CTRUNC) != 0;
}

}  // namespace

std::string Session::label() const {
    switch (state) {
        case State::partition:
            return fmt::format("partition {} (session {})", name, id);
        case State::observer:
            return fmt::format("observer (session {}, pid {})", id, credentials.pid);
        case State::unattached:
        case State::waiting:
            break;
    }
    return fmt::format("connection {} at entrance {} (pid {})", id, door->entrance->label(),
                       credentials.pid);
}

void Server::on_readable(std::uint32_t id, std::uint32_t events) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end())
        return;
    Session& session = *found->second;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        end_session(id, "it closed its connection");
        return;
    }
    if (session.answering_late || session.aside)
        return;
    if (descriptor_waits(session.socket->get()))
        take_aside(session);
    else
        take(session, control::receive_request(session.socket->get(), buffer_));
}

void Server::take(Session& session, Result<control::IncomingRequest> request) {
    if (request)
        serve(session, std::move(*request));
    else if (request.error().code == ErrorCode::peer_gone)
        end_session(session.id, "it closed its connection");
    else if (request.error().code != ErrorCode::again)
        end_session(session.id, request.error().text);
}

// Taking a message drops the descriptors that are too many, which may hang.
void Server::take_aside(Session& session) {
    session.aside = true;
    read_again(session);
    do_aside(session.door,
             [this, id = session.id, door = session.door,
              socket = session.socket]() -> std::function<void()> {
                 auto buffer = std::make_shared<std::vector<std::byte>>(abi::kMaxMessage);
                 auto request = std::make_shared<Result<control::IncomingRequest>>(
                     control::receive_request(socket->get(), *buffer));
                 return [this, id, door, buffer, request] {
                     const auto found = sessions_.find(id);
                     if (found != sessions_.end()) {
                         found->second->aside = false;
                         read_again(*found->second);
                         take(*found->second, std::move(*request));
                     } else if (*request && (*request)->descriptor) {
                         close_stray(id, door, std::move((*request)->descriptor));
                     }
                 };
             });
}

void Server::serve(Session& session, control::IncomingRequest request) {
    const std::uint32_t id = session.id;
    const std::shared_ptr<Door> door = session.door;
    const abi::Header header = request.header;
    Call call{*fabric_,
              fabric_->find(id),
              door->entrance->name(),
              header,
              request.bytes,
              std::move(request.descriptor),
              [this, &session, header] { return answer_later(session, header); }};
    if (request.fault) {
        answer(session, header, tl::unexpected(std::move(*request.fault)));
    } else if (session.state == Session::State::unattached) {
        answer(session, header, attach(session, call));
    } else if (static_cast<abi::Request>(header.type) == abi::Request::reload && !call.descriptor) {
        answer(session, header, reload(session, call));
    } else {
        answer(session, header, handle(call));
    }
    if (call.descriptor)
        close_stray(id, door, std::move(call.descriptor));
}

// The session may be gone already.
void Server::close_stray(std::uint32_t id, const std::shared_ptr<Door>& door,
                         platform::UniqueFd stray) {
    if (const auto found = sessions_.find(id); found != sessions_.end()) {
        found->second->aside = true;
        read_again(*found->second);
    }
    auto shared = std::make_shared<platform::UniqueFd>(std::move(stray));
    do_aside(door, [this, id, shared]() -> std::function<void()> {
        shared->reset();
        return [this, id] {
            if (const auto found = sessions_.find(id); found != sessions_.end()) {
                found->second->aside = false;
                read_again(*found->second);
            }
        };
    });
}

// Of a partition that may be gone; its entrance stays.
void Server::close_left_behind(const std::string& entrance, platform::UniqueFd fd) {
    const auto of = [&](const std::string& name) {
        return std::find_if(doors_.begin(), doors_.end(),
                            [&](const auto& each) { return each->entrance->name() == name; });
    };
    auto door = of(entrance);
    if (door == doors_.end())
        door = of("");  // it is not configured any more; the open one always is
    CW_ASSERT(door != doors_.end());
    close_stray(kNoSession, *door, std::move(fd));
}

void Server::do_aside(const std::shared_ptr<Door>& door,
                      std::function<std::function<void()>()> work) {
    ++door->aside;
    listen_again(*door);
    door->side.post([this, inbox = inbox_, door, work = std::move(work)]() mutable {
        std::function<void()> then = work();
        work = nullptr;  // what it owns goes here
        inbox->post([this, door, then = std::move(then)] {
            --door->aside;
            listen_again(*door);
            if (then)
                then();
        });
    });
}

void Server::read_again(Session& session) {
    const bool busy = session.answering_late || session.aside;
    loop_->set_events(session.socket_watch, busy ? 0U : std::uint32_t{EPOLLIN});
}

// After this the session may be gone.
void Server::answer(Session& session, const abi::Header& header, Answer answer) {
    if (!answer) {
        send(session, header, tl::unexpected(std::move(answer).error()));
    } else if (answer->has_value()) {
        send(session, header, std::move(**answer));
    }
}

void Server::send(Session& session, const abi::Header& header, Result<Reply> reply) {
    if (!reply && reply.error().code != ErrorCode::again) {
        complain(session, header, reply.error());
    }
    const Result<void> sent =
        reply ? control::send_reply(session.socket->get(), reply->bytes, reply->descriptor.get())
              : control::reply_error(session.socket->get(), header, reply.error());
    if (!sent && sent.error().code == ErrorCode::limit_reached && reply && reply->take_back) {
        reply->take_back(std::move(reply->descriptor));
        send(session, header,
             fail(ErrorCode::limit_reached,
                  "the system takes no descriptor from the adapter now: too many of its user's are "
                  "on their way in sockets (ETOOMANYREFS); try again later, or raise its limit "
                  "(ulimit -n)"));
    } else if (!sent) {
        end_session(session.id, sent.error().code == ErrorCode::again
                                    ? "it does not read its replies"
                                    : "it does not take its reply: " + sent.error().text);
    }
}

LateReply Server::answer_later(Session& session, const abi::Header& header) {
    session.answering_late = true;
    read_again(session);
    return [this, id = session.id, header](Result<Reply> reply) {
        const auto found = sessions_.find(id);
        if (found == sessions_.end())
            return;
        Session& it = *found->second;
        it.answering_late = false;
        read_again(it);
        send(it, header, std::move(reply));
    };
}

void Server::complain(Session& session, const abi::Header& header, const Error& error) {
    const bool denied = error.code == ErrorCode::denied;
    const std::string rule = denied ? fabric_->take_denied_rule() : std::string();
    // No session takes more than its share, and who comes again and again no more than that.
    const std::uint64_t now = platform::monotonic_ns();
    if (!session.complaints.allow(now) || !session.door->refusals.allow(now))
        return;
    const std::string request = control::request_name(header.type);
    log_event(log_, spdlog::level::info, denied ? "denied" : "refused",
              {{"partition", session.name},
               {"entrance", session.door->entrance->label()},
               {"request", request},
               {"error", error_name(error.code)},
               {"rule", rule}},
              fmt::format("{}: {} refused: {}: {}", session.label(), request,
                          error_name(error.code), error.text));
}

void Server::end_session(std::uint32_t id, const std::string& why) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end())
        return;
    const std::unique_ptr<Session> session = std::move(found->second);
    sessions_.erase(found);
    if (session->state == Session::State::unattached) {
        leave_unattached(*session);
        if (!why.empty())
            log_->debug("{}: gone: {}", session->label(), why);
    } else if (session->state == Session::State::partition) {
        const std::uint64_t held_back = session->complaints.take_held_back();
        const std::string more =
            held_back == 0 ? "" : fmt::format("; {} complaints were not logged", held_back);
        if (session->door->complaints.allow(platform::monotonic_ns()))
            log_event(log_, spdlog::level::info, "left",
                      {{"partition", session->name},
                       {"entrance", session->door->entrance->label()},
                       {"reason", why}},
                      fmt::format("{}: left: {}{}", session->label(), why, more));
    } else if (session->state == Session::State::observer) {
        session->door->observers.erase(id);
    } else {
        waiting_.erase(session->name);
        fabric_->nobody_waits(session->name);
    }
    loop_->remove(session->socket_watch);
    ::shutdown(session->socket->get(), SHUT_RDWR);  // the client sees it now, whatever hangs
    if (session->process)
        loop_->remove(session->process_watch);
    do_aside(session->door, [this, socket = std::move(session->socket)]() mutable {
        socket.reset();
        return [this] { fabric_->count_files(-kFilesPerSession); };
    });
    if (session->state == Session::State::partition && !keep_partitions_)
        fabric_->end(id);
}

}  // namespace causeway::adapter
