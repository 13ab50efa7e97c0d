#include "ipc/request_client.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "client/last_error.hpp"
#include "ipc/parting.hpp"

namespace causeway::ipc::inner {
namespace {

[[nodiscard]] const char* text_of(ErrorCode error) noexcept {
    switch (error) {
        case ErrorCode::timed_out:
            return "the request's deadline has passed";
        case ErrorCode::unsupported:
            return "the server let go of the request without an answer";
        case ErrorCode::peer_gone:
            return "the server has gone: connect to another";
        case ErrorCode::adapter_gone:
            return "the adapter has gone for good: close the partition and attach anew";
        default:
            return "the connection to the server has ended: connect anew";
    }
}

}  // namespace

RequestClient::RequestClient(std::unique_ptr<Port> port, const Terms& terms)
    : slots_(terms.depth), free_(terms.depth), ready_(terms.depth), port_(std::move(port)) {
    std::iota(free_.rbegin(), free_.rend(), 0U);
}

Result<std::unique_ptr<RequestClient>> RequestClient::open(
    std::shared_ptr<client::Partition> partition, const std::string& target, const Terms& terms,
    std::uint64_t timeout_ns) {
    CW_TRY_ASSIGN(auto port, Port::open(std::move(partition), terms.wait, Doors::none));
    std::unique_ptr<RequestClient> made(new RequestClient(std::move(port), terms));
    LinkTerms link;
    link.kind = abi::IpcKind::requests;
    link.window = terms.depth;
    link.depth = terms.depth;
    link.limit = terms.largest;
    link.limit_answer = terms.largest_answer;
    link.executor = terms.executor;
    CW_TRY_ASSIGN(made->link_, Link::create(*made->port_, link));
    const auto take_in = [&made] { made->take_all(); };
    const Within within(timeout_ns);
    CW_TRY(begin_within(*made->port_, *made->link_, target, within, take_in));
    CW_TRY(greet_within(*made->port_, *made->link_, target, within, take_in));
    return made;
}

bool RequestClient::room() const noexcept {
    return !free_.empty() && at_server_ + link_->holds() < link_->credit();
}

void RequestClient::take_all() noexcept {
    while (const cw_completion* c = port_->next()) {
        switch (link_->take(*c)) {
            case Link::Event::message:
                take_answer(*c);
                break;
            case Link::Event::ended:
                fail_all(link_->reason());
                break;
            default:
                break;
        }
    }
    if (port_->ended() && !link_->ended())
        fail_all(ErrorCode::adapter_gone);
}

void RequestClient::take_answer(const cw_completion& c) noexcept {
    if (c.has_immediate == 0) {  // the server's farewell
        link_->release(link_->buffer());
        return;
    }
    at_server_ -= at_server_ != 0 ? 1 : 0;
    const std::uint32_t index = abi::tag_slot(c.immediate);
    const bool known = index < slots_.size() && slots_[index].state == State::waiting &&
                       (slots_[index].lap & abi::tag::kLaps) == abi::tag_lap(c.immediate);
    if (!known) {  // too late
        link_->release(link_->buffer());
        return;
    }
    Slot& slot = slots_[index];
    slot.buffer = link_->buffer();
    slot.length = c.length;
    ErrorCode error = ErrorCode::none;
    if ((c.immediate & abi::tag::kUnanswered) != 0) {
        error = ErrorCode::unsupported;
    } else if (slot.deadline_ns != kForever && platform::monotonic_ns() > slot.deadline_ns) {
        error = ErrorCode::timed_out;
    }
    if (error != ErrorCode::none)
        link_->release(slot.buffer);
    end(slot, error);
}

void RequestClient::end(Slot& slot, ErrorCode error) noexcept {
    slot.state = State::done;
    slot.error = error;
    if (slot.taker == Taker::call)
        return;
    ready_[(ready_at_ + ready_count_++) % ready_.size()] =
        static_cast<std::uint32_t>(&slot - slots_.data());
}

void RequestClient::expire() noexcept {
    if (earliest_ns_ == kForever)
        return;
    const std::uint64_t now = platform::monotonic_ns();
    if (now < earliest_ns_)
        return;
    earliest_ns_ = kForever;
    for (Slot& slot : slots_) {
        if (slot.state != State::waiting)
            continue;
        if (slot.deadline_ns <= now) {
            end(slot, ErrorCode::timed_out);
        } else {
            earliest_ns_ = std::min(earliest_ns_, slot.deadline_ns);
        }
    }
}

void RequestClient::fail_all(ErrorCode error) noexcept {
    for (Slot& slot : slots_) {
        if (slot.state == State::waiting)
            end(slot, error);
    }
}

ErrorCode RequestClient::check(const void* data, std::size_t length) noexcept {
    if (data == nullptr && length != 0)
        return client::set_error(ErrorCode::invalid_argument, "no request given (NULL)");
    if (link_->ended())
        return link_->ended_error(text_of(link_->reason()));
    if (port_->ended())
        return client::set_error(ErrorCode::adapter_gone, text_of(ErrorCode::adapter_gone));
    if (link_->greeted() && length > link_->peer_terms().largest) {
        return client::set_error(ErrorCode::invalid_argument,
                                 "a request of %llu bytes; %llu at most are possible here: send "
                                 "less, or make both ends for more (max_message)",
                                 length, link_->peer_terms().largest);
    }
    return ErrorCode::none;
}

// Starts a request if there is room; `again` without a text if there is none.
ErrorCode RequestClient::try_start(const void* data, std::size_t length, Taker taker,
                                   std::uint64_t until_ns, std::uint64_t user,
                                   std::uint32_t& slot) noexcept {
    if (!room())
        take_all();
    if (const ErrorCode code = check(data, length); code != ErrorCode::none)
        return code;
    if (!room())
        return ErrorCode::again;
    const std::uint32_t index = free_.back();
    Slot& mine = slots_[index];
    if (length != 0)
        std::memcpy(link_->place(), data, length);
    const ErrorCode code = link_->post(static_cast<std::uint32_t>(length), CW_IMMEDIATE,
                                       abi::make_tag(index, mine.lap));
    if (code == ErrorCode::again)
        return code;
    if (code != ErrorCode::none) {
        take_all();
        return client::set_error(code, text_of(code));
    }
    free_.pop_back();
    ++at_server_;
    mine.state = State::waiting;
    mine.taker = taker;
    mine.deadline_ns = until_ns;
    mine.user = user;
    earliest_ns_ = std::min(earliest_ns_, until_ns);
    slot = index;
    return code;
}

// The outcome of a slot that is done, which is free then.
ErrorCode RequestClient::hand_out(std::uint32_t index, cw_answer& out) noexcept {
    Slot& slot = slots_[index];
    const ErrorCode error = slot.error;
    out = {};
    out.user = slot.user;
    out.error = static_cast<int>(error);
    if (error == ErrorCode::none) {
        out.data = link_->data_of(slot.buffer);
        out.length = slot.length;
        out.token = std::uint64_t{slot.buffer} + 1;
    }
    slot.state = State::free;
    ++slot.lap;
    free_.push_back(index);
    return error;
}

// A call that found nothing to do ends.
ErrorCode RequestClient::nothing_yet(ErrorCode code, const char* text) noexcept {
    port_->settle(worth() ? Port::Worth::something : Port::Worth::nothing, earliest_ns_);
    return client::set_error(code, text);
}

// A call has taken in what another one, that the application's loop waits for, was looking for.
void RequestClient::tell_others() noexcept {
    if (port_->watched() && worth())
        port_->kick();
}

ErrorCode RequestClient::start(const void* data, std::size_t length, std::uint64_t deadline_ns,
                               std::uint64_t user) noexcept {
    starved_start_ = false;
    std::uint32_t slot = 0;
    const ErrorCode code =
        try_start(data, length, Taker::finish, moment_in(deadline_ns), user, slot);
    if (code == ErrorCode::none)
        ++open_;
    if (code == ErrorCode::again) {
        starved_start_ = true;
        return nothing_yet(code, "as many requests are outstanding as the connection allows");
    }
    tell_others();
    return code;
}

ErrorCode RequestClient::call(const void* data, std::size_t length, std::uint64_t timeout_ns,
                              cw_answer& out) noexcept {
    out = {};
    const std::uint64_t until = moment_in(timeout_ns);
    std::uint32_t slot = 0;
    ErrorCode code = try_start(data, length, Taker::call, until, 0, slot);
    while (code == ErrorCode::again) {
        if (port_->wait(until) == Port::Woken::timed_out) {
            tell_others();
            return client::set_error(ErrorCode::timed_out,
                                     "the request could not be sent before its deadline: too many "
                                     "are outstanding");
        }
        take_all();
        code = try_start(data, length, Taker::call, until, 0, slot);
    }
    if (code != ErrorCode::none)
        return code;
    while (slots_[slot].state == State::waiting) {
        take_all();
        if (slots_[slot].state == State::waiting && port_->wait(until) == Port::Woken::timed_out) {
            expire();
        }
    }
    code = hand_out(slot, out);
    tell_others();
    return code == ErrorCode::none ? code : client::set_error(code, text_of(code));
}

ErrorCode RequestClient::finish(cw_answer& out, std::uint64_t timeout_ns) noexcept {
    starved_finish_ = false;
    std::uint64_t until = 0;
    for (;;) {
        if (ready_count_ == 0) {
            take_all();
            expire();
        }
        if (ready_count_ != 0) {
            const std::uint32_t slot = ready_[ready_at_];
            ready_at_ = (ready_at_ + 1) % ready_.size();
            --ready_count_;
            --open_;
            (void)hand_out(slot, out);
            tell_others();
            return ErrorCode::none;
        }
        if (open_ == 0)
            return client::set_error(ErrorCode::wrong_state, "no request is outstanding");
        if (timeout_ns == 0) {
            starved_finish_ = true;
            return nothing_yet(ErrorCode::again, "there is no answer now");
        }
        if (until == 0)
            until = moment_in(timeout_ns);
        if (port_->wait(std::min(until, earliest_ns_)) == Port::Woken::timed_out &&
            platform::monotonic_ns() >= until) {
            starved_finish_ = true;
            return nothing_yet(ErrorCode::timed_out, "no answer came in that time");
        }
    }
}

ErrorCode RequestClient::release(cw_answer& answer) noexcept {
    if (answer.token == 0 && answer.data == nullptr)
        return ErrorCode::none;
    const std::uint64_t buffer = answer.token - 1;
    if (answer.token == 0 || buffer > UINT32_MAX ||
        !link_->held(static_cast<std::uint32_t>(buffer))) {
        return client::set_error(ErrorCode::invalid_argument,
                                 "an answer that is not held: each is released once, to the client "
                                 "that it came from");
    }
    link_->release(static_cast<std::uint32_t>(buffer));
    answer = {};
    tell_others();
    return ErrorCode::none;
}

}  // namespace causeway::ipc::inner
