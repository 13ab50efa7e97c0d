// MessageReceiver: takes the messages of any number of senders, each sender's in its order.
//
// Threading: one thread at a time.
// Ownership: owns port, door and the links of its senders. A message belongs to its taker until
// release(); the buffers of a sender that has gone stay as long as a message in them is held.
#pragma once

#include <causeway/ipc.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "ipc/door.hpp"
#include "ipc/link.hpp"
#include "ipc/link_table.hpp"
#include "ipc/port.hpp"
#include "ipc/terms.hpp"

namespace causeway::ipc::inner {

class MessageReceiver {
public:
    [[nodiscard]] static Result<std::unique_ptr<MessageReceiver>> open(
        std::shared_ptr<client::Partition> partition, const std::string& service,
        const Terms& terms);

    [[nodiscard]] bool here() const noexcept { return port_->here(); }
    // Each sets the thread's error text where it returns an error.
    [[nodiscard]] ErrorCode receive(cw_message& out, std::uint64_t timeout_ns) noexcept {
        // New senders get in also while others keep this one busy.
        if (!port_->handed_out() || !port_->may_be_knocked()) {
            while (const cw_completion* c = port_->next()) {
                if (take(*c, out))
                    return ErrorCode::none;
            }
        }
        return receive_slowly(out, timeout_ns);
    }
    [[nodiscard]] ErrorCode release(cw_message& message) noexcept;
    [[nodiscard]] int fd() noexcept { return port_->fd(); }
    [[nodiscard]] std::uint32_t senders() const noexcept { return links_.living(); }

private:
    MessageReceiver(std::unique_ptr<Port> port, Door door) noexcept
        : port_(std::move(port)), door_(std::move(door)) {}
    [[nodiscard]] bool take(const cw_completion& c, cw_message& out) noexcept {
        Link& link = *static_cast<Link*>(c.user);
        const Link::Event event = link.take(c);
        if (event != Link::Event::message) [[unlikely]] {
            some_ended_ = some_ended_ || event == Link::Event::ended;
            return false;
        }
        out.data = link.data_of(link.buffer());
        out.length = c.length;
        out.sender = link.peer();
        out.token = links_.token_of(link, link.buffer());
        return true;
    }
    [[nodiscard]] ErrorCode receive_slowly(cw_message& out, std::uint64_t timeout_ns) noexcept;

    std::unique_ptr<Port> port_;
    Door door_;
    LinkTable links_;
    bool some_ended_ = false;
};

}  // namespace causeway::ipc::inner
