#include "ipc/message_receiver.hpp"

#include <utility>

#include "client/last_error.hpp"

namespace causeway::ipc::inner {

Result<std::unique_ptr<MessageReceiver>> MessageReceiver::open(
    std::shared_ptr<client::Partition> partition, const std::string& service, const Terms& terms) {
    CW_TRY_ASSIGN(auto port, Port::open(std::move(partition), terms.wait, Doors::listens));
    LinkTerms link;
    link.kind = abi::IpcKind::message_queue;
    link.largest = terms.largest;
    link.window = terms.depth;
    link.executor = terms.executor;
    CW_TRY_ASSIGN(Door door, Door::open(*port, service, link));
    return std::unique_ptr<MessageReceiver>(new MessageReceiver(std::move(port), std::move(door)));
}

ErrorCode MessageReceiver::receive_slowly(cw_message& out, std::uint64_t timeout_ns) noexcept {
    std::uint64_t until = 0;
    for (;;) {
        if (some_ended_) {  // nothing that was taken off the queue names them any more
            some_ended_ = false;
            links_.sweep();
        }
        if (port_->knocked())
            door_.let_in(*port_, links_);
        while (const cw_completion* c = port_->next()) {
            if (take(*c, out))
                return ErrorCode::none;
        }
        if (some_ended_)
            continue;
        if (port_->ended()) {
            return client::set_error(ErrorCode::adapter_gone,
                                     "the adapter has gone for good and no sender is connected: "
                                     "close the partition and attach anew");
        }
        if (timeout_ns == 0) {
            port_->settle(Port::Worth::nothing);
            return client::set_error(ErrorCode::again, "there is no message now");
        }
        if (until == 0)
            until = moment_in(timeout_ns);
        if (port_->wait(until) == Port::Woken::timed_out) {
            port_->settle(Port::Worth::nothing);
            return client::set_error(ErrorCode::timed_out, "no message came within %llu ms",
                                     timeout_ns / 1'000'000);
        }
    }
}

ErrorCode MessageReceiver::release(cw_message& message) noexcept {
    Link* const link = links_.holder_of(message.token);
    if (link == nullptr) {
        return client::set_error(ErrorCode::invalid_argument,
                                 "a message that is not held: each is released once, to the "
                                 "receiver that it came from");
    }
    link->release(LinkTable::buffer_of(message.token));
    message = {};
    if (link->ended() && link->holds() == 0)
        some_ended_ = true;
    return ErrorCode::none;
}

}  // namespace causeway::ipc::inner
