#include "ipc/request_server.hpp"

#include <cstring>
#include <thread>
#include <utility>

#include "client/last_error.hpp"
#include "ipc/parting.hpp"

namespace causeway::ipc::inner {
namespace {

// An answer's place in the send queue is there as soon as the executor says so of an earlier one,
// which the client has seen already.
constexpr int kTries = 10'000;

[[nodiscard]] ErrorCode not_held() noexcept {
    return client::set_error(ErrorCode::invalid_argument,
                             "a request that is not held: each is answered or dropped once, at the "
                             "server that it came to");
}

}  // namespace

Result<std::unique_ptr<RequestServer>> RequestServer::open(
    std::shared_ptr<client::Partition> partition, const std::string& service, const Terms& terms) {
    CW_TRY_ASSIGN(auto port, Port::open(std::move(partition), terms.wait, Doors::listens));
    LinkTerms link;
    link.kind = abi::IpcKind::requests;
    link.largest = terms.largest;
    link.largest_answer = terms.largest_answer;
    link.window = terms.depth;
    link.depth = terms.depth;
    link.executor = terms.executor;
    CW_TRY_ASSIGN(Door door, Door::open(*port, service, link));
    return std::unique_ptr<RequestServer>(
        new RequestServer(std::move(port), std::move(door), terms));
}

RequestServer::~RequestServer() {
    if (!here())
        return;
    links_.each([](Link& link) {
        if (link.greeted() && !link.ended())
            (void)link.control(0, 0, 0);  // ends with a completion once the answers before it have
    });
    see_off(*port_, [this] {
        bool all = true;
        links_.each([&](const Link& link) { all = all && (link.ended() || link.said_all()); });
        return all;
    });
}

bool RequestServer::take(const cw_completion& c, cw_request& out) noexcept {
    Link& link = *static_cast<Link*>(c.user);
    const Link::Event event = link.take(c);
    if (event != Link::Event::message) {
        some_ended_ = some_ended_ || event == Link::Event::ended;
        return false;
    }
    if (c.has_immediate == 0) {  // of nobody who keeps the rules
        link.release(link.buffer());
        return false;
    }
    out.data = link.data_of(link.buffer());
    out.length = c.length;
    out.client = link.peer();
    out.token = links_.token_of(link, link.buffer());
    out.tag = c.immediate & ~abi::tag::kUnanswered;
    out.reserved = 0;
    return true;
}

ErrorCode RequestServer::next(cw_request& out, std::uint64_t timeout_ns) noexcept {
    std::uint64_t until = 0;
    for (;;) {
        if (some_ended_ && port_->handed_out()) {
            some_ended_ = false;
            links_.sweep();
        }
        if (port_->handed_out() && port_->knocked())
            door_.let_in(*port_, links_);
        while (const cw_completion* c = port_->next()) {
            if (take(*c, out))
                return ErrorCode::none;
        }
        if (some_ended_)
            continue;
        if (port_->ended()) {
            return client::set_error(ErrorCode::adapter_gone,
                                     "the adapter has gone for good and no client is connected: "
                                     "close the partition and attach anew");
        }
        if (timeout_ns == 0) {
            port_->settle(Port::Worth::nothing);
            return client::set_error(ErrorCode::again, "there is no request now");
        }
        if (until == 0)
            until = moment_in(timeout_ns);
        if (port_->wait(until) == Port::Woken::timed_out) {
            port_->settle(Port::Worth::nothing);
            return client::set_error(ErrorCode::timed_out, "no request came within %llu ms",
                                     timeout_ns / 1'000'000);
        }
    }
}

// Sends what stands in the link's place as the answer, and lets go of the request.
ErrorCode RequestServer::answer(cw_request& request, std::uint32_t length,
                                std::uint32_t tag) noexcept {
    Link& link = *links_.holder_of(request.token);
    ErrorCode code = link.ended() ? link.reason() : ErrorCode::again;
    for (int tries = 0; code == ErrorCode::again && tries < kTries; ++tries) {
        if (tries != 0)
            std::this_thread::yield();
        code = link.post(length, CW_IMMEDIATE, tag);
    }
    link.release(LinkTable::buffer_of(request.token));
    request = {};
    if (code == ErrorCode::none)
        return code;
    some_ended_ = true;
    return code == ErrorCode::again
               ? client::set_error(code, "the client's connection takes no more answers now")
               : client::set_error(code, "the client has gone: nobody gets the answer");
}

ErrorCode RequestServer::reply(cw_request& request, const void* data, std::size_t length) noexcept {
    Link* const link = links_.holder_of(request.token);
    if (link == nullptr)
        return not_held();
    if (data == nullptr && length != 0)
        return client::set_error(ErrorCode::invalid_argument, "no answer given (NULL)");
    if (length > largest_answer_) {
        return client::set_error(ErrorCode::invalid_argument,
                                 "an answer of %llu bytes; the server was made for %llu at most: "
                                 "set cw_ipc_options.max_answer",
                                 length, largest_answer_);
    }
    if (length != 0)
        std::memcpy(link->place(), data, length);
    return answer(request, static_cast<std::uint32_t>(length), request.tag);
}

ErrorCode RequestServer::drop(cw_request& request) noexcept {
    if (links_.holder_of(request.token) == nullptr)
        return not_held();
    return answer(request, 0, request.tag | abi::tag::kUnanswered);
}

}  // namespace causeway::ipc::inner
