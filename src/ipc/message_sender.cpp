#include "ipc/message_sender.hpp"

#include <algorithm>
#include <utility>

#include "client/last_error.hpp"
#include "ipc/parting.hpp"

namespace causeway::ipc::inner {

Result<std::unique_ptr<MessageSender>> MessageSender::open(
    std::shared_ptr<client::Partition> partition, const Terms& terms) {
    CW_TRY_ASSIGN(auto port, Port::open(std::move(partition), terms.wait, Doors::none));
    return std::unique_ptr<MessageSender>(new MessageSender(std::move(port), terms));
}

MessageSender::~MessageSender() {
    if (!here())
        return;
    for (const auto& link : links_) {
        if (link->greeted() && !link->ended())
            (void)link->control(0, CW_IMMEDIATE, 0);
    }
    see_off(*port_, [this] {
        return std::all_of(links_.begin(), links_.end(), [](const auto& link) {
            return link->ended() || !link->greeted() || link->said_all();
        });
    });
    links_.clear();  // before the port, whose batch may still name them
}

Result<void> MessageSender::add(const std::string& target, std::uint64_t timeout_ns) {
    LinkTerms terms;
    terms.kind = abi::IpcKind::message_queue;
    terms.depth = terms_.depth;
    terms.limit = terms_.largest;
    terms.executor = terms_.executor;
    CW_TRY_ASSIGN(auto created, Link::create(*port_, terms));
    const auto take_in = [this] { take_all(); };
    const Within within(timeout_ns);
    CW_TRY(begin_within(*port_, *created, target, within, take_in));
    links_.push_back(std::move(created));
    return greet_within(*port_, *links_.back(), target, within, take_in);
}

// Takes in what has come: greetings, credit, and ends.
void MessageSender::take_all() noexcept {
    while (const cw_completion* c = port_->next())
        (void)static_cast<Link*>(c->user)->take(*c);
}

// Forgets the links that have ended, once nothing names them.
void MessageSender::sweep() noexcept {
    if (std::none_of(links_.begin(), links_.end(), [](const auto& l) { return l->ended(); }))
        return;
    take_all();
    std::erase_if(links_, [this](const std::unique_ptr<Link>& link) {
        if (!link->ended())
            return false;
        last_reason_ = link->reason();
        if (now_ == link.get())
            now_ = nullptr;
        return true;
    });
}

// The next in turn that has room; null: none has.
Link* MessageSender::pick(std::size_t length) noexcept {
    for (std::size_t tried = 0; tried < links_.size(); ++tried) {
        turn_ = turn_ + 1 < links_.size() ? turn_ + 1 : 0;
        Link& link = *links_[turn_];
        if (link.credit() != 0 && length <= link.peer_terms().largest)
            return &link;
    }
    return nullptr;
}

ErrorCode MessageSender::check(const void* data, std::size_t length) noexcept {
    if (data == nullptr && length != 0)
        return client::set_error(ErrorCode::invalid_argument, "no message given (NULL)");
    if (links_.empty()) {
        if (last_reason_ == ErrorCode::peer_gone) {
            return client::set_error(ErrorCode::peer_gone,
                                     "the receiver has gone: connect to another");
        }
        return client::set_error(last_reason_, "no receiver is connected: add one first");
    }
    const bool any = std::any_of(links_.begin(), links_.end(), [&](const auto& link) {
        return !link->greeted() || length <= link->peer_terms().largest;
    });
    if (any)
        return ErrorCode::none;
    return client::set_error(ErrorCode::invalid_argument,
                             "a message of %llu bytes; %llu at most are possible here: send less, "
                             "or make both ends for more (max_message)",
                             length, links_.front()->peer_terms().largest);
}

ErrorCode MessageSender::send_slowly(const void* data, std::size_t length,
                                     std::uint64_t timeout_ns) noexcept {
    std::uint64_t until = 0;
    for (;;) {
        sweep();
        if (const ErrorCode code = check(data, length); code != ErrorCode::none)
            return code;
        now_ = pick(length);
        if (now_ == nullptr) {
            take_all();
            now_ = pick(length);
        }
        if (now_ != nullptr) {
            if (length != 0)
                std::memcpy(now_->place(), data, length);
            const ErrorCode code = now_->send(static_cast<std::uint32_t>(length), 0, 0);
            if (code == ErrorCode::none) {
                if (links_.size() > 1)
                    now_ = nullptr;
                return code;
            }
            take_all();  // it ends, as its completions are about to say; or its queue is full
        }
        if (std::any_of(links_.begin(), links_.end(), [](const auto& l) { return l->ended(); }))
            continue;
        if (timeout_ns == 0) {
            port_->settle(Port::Worth::nothing);
            return client::set_error(ErrorCode::again, "no receiver has room for a message now");
        }
        if (until == 0)
            until = moment_in(timeout_ns);
        if (port_->wait(until) == Port::Woken::timed_out) {
            port_->settle(Port::Worth::nothing);
            return client::set_error(ErrorCode::timed_out,
                                     "no receiver had room for a message within %llu ms",
                                     timeout_ns / 1'000'000);
        }
    }
}

std::uint32_t MessageSender::receivers() const noexcept {
    return static_cast<std::uint32_t>(
        std::count_if(links_.begin(), links_.end(),
                      [](const auto& link) { return link->greeted() && !link->ended(); }));
}

std::size_t MessageSender::largest() const noexcept {
    std::size_t least = 0;
    for (const auto& link : links_) {
        if (link->greeted() && (least == 0 || link->peer_terms().largest < least))
            least = link->peer_terms().largest;
    }
    return least;
}

}  // namespace causeway::ipc::inner
