// Sessions: reading a request, answering it now or later, and ending.
#include <fmt/format.h>
#include <sys/epoll.h>

#include <utility>

#include "adapter/requests.hpp"
#include "adapter/server.hpp"
#include "base/names.hpp"
#include "platform/clock.hpp"

namespace causeway::adapter {
namespace {

// Descriptors of all clients whose closing hangs; who sends another stray one then is shown out.
constexpr std::size_t kMostHanging = 16;

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
    return fmt::format("connection {} at entrance {} (pid {})", id, entrance->label(),
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
    if (session.answering_late)
        return;
    auto request = control::receive_request(session.socket.get(), buffer_);
    if (!request) {
        if (request.error().code == ErrorCode::peer_gone)
            end_session(id, "it closed its connection");
        else if (request.error().code != ErrorCode::again)
            end_session(id, request.error().text);
        return;
    }
    serve(session, std::move(*request));
}

void Server::serve(Session& session, control::IncomingRequest request) {
    const abi::Header header = request.header;
    const std::uint32_t id = session.id;
    if (request.fault) {
        answer(session, header, tl::unexpected(std::move(*request.fault)));
        return;
    }
    if (session.state == Session::State::unattached) {
        answer(session, header, attach(session, request));
        if (request.descriptor)
            disposer_.dispose(std::move(request.descriptor));
        return;
    }
    Call call{*fabric_, fabric_->find(id), header, request.bytes, std::move(request.descriptor),
              [this, &session, header] { return answer_later(session, header); }};
    answer(session, header, handle(call));
    if (call.descriptor) {
        // Not taken: somebody else's file, which may hang when it is closed.
        disposer_.dispose(std::move(call.descriptor));
        if (disposer_.pending() > kMostHanging)
            end_session(id, "it sends descriptors that cannot be closed");
    }
}

// After this the session may be gone.
void Server::answer(Session& session, const abi::Header& header, Answer answer) {
    if (!answer) {
        send(session, header, tl::unexpected(std::move(answer).error()));
    } else if (answer->has_value()) {
        send(session, header, std::move(**answer));
    }
}

void Server::send(Session& session, const abi::Header& header, const Result<Reply>& reply) {
    if (!reply && reply.error().code != ErrorCode::again) {
        complain(session, fmt::format("{} refused: {}: {}", control::request_name(header.type),
                                      error_name(reply.error().code), reply.error().text));
    }
    const Result<void> sent =
        reply ? control::send_reply(session.socket.get(), reply->bytes, reply->descriptor.get())
              : control::reply_error(session.socket.get(), header, reply.error());
    if (!sent) {
        end_session(session.id, sent.error().code == ErrorCode::again
                                    ? "it does not read its replies"
                                    : "it does not take its reply: " + sent.error().text);
    }
}

LateReply Server::answer_later(Session& session, const abi::Header& header) {
    session.answering_late = true;
    loop_->set_events(session.socket_watch, 0);
    return [this, id = session.id, header](Result<Reply> reply) {
        const auto found = sessions_.find(id);
        if (found == sessions_.end())
            return;
        Session& it = *found->second;
        it.answering_late = false;
        loop_->set_events(it.socket_watch, EPOLLIN);
        send(it, header, reply);
    };
}

void Server::complain(Session& session, const std::string& text) {
    // Who has not attached may come again and again: all of an entrance share one limit.
    RateLimit& limit = session.state == Session::State::unattached ? door_of(session).complaints
                                                                   : session.complaints;
    if (limit.allow(platform::monotonic_ns()))
        log_->info("{}: {}", session.label(), text);
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
        if (door_of(*session).complaints.allow(platform::monotonic_ns()))
            log_->info("{}: left: {}{}", session->label(), why, more);
    }
    loop_->remove(session->socket_watch);
    if (session->process)
        loop_->remove(session->process_watch);
    fabric_->count_files(-kFilesPerSession);
    if (session->state == Session::State::partition)
        fabric_->end(id);
}

}  // namespace causeway::adapter
