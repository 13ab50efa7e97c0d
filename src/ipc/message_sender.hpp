// MessageSender: sends each message to one of its receivers: the next in turn that has room.
//
// Threading: one thread at a time.
// Ownership: owns port and links.
//
// Invariants:
//  1. A message is sent only where the receiver has a buffer for it: once send() says so, it is in
//     that buffer or on its way there, and needs nothing more of this side.
//  2. send() looks at its completion queue only when the receiver at hand has no room.
#pragma once

#include <causeway/ipc.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ipc/link.hpp"
#include "ipc/port.hpp"
#include "ipc/terms.hpp"

namespace causeway::ipc::inner {

class MessageSender {
public:
    [[nodiscard]] static Result<std::unique_ptr<MessageSender>> open(
        std::shared_ptr<client::Partition> partition, const Terms& terms);
    // Says farewell: what was sent reaches the receivers that are there.
    ~MessageSender();
    MessageSender(const MessageSender&) = delete;
    MessageSender& operator=(const MessageSender&) = delete;

    // Connects to one more receiver; with timeout 0 only begins to.
    [[nodiscard]] Result<void> add(const std::string& target, std::uint64_t timeout_ns);

    [[nodiscard]] bool here() const noexcept { return port_->here(); }
    // Sets the thread's error text where it returns an error.
    [[nodiscard]] ErrorCode send(const void* data, std::size_t length,
                                 std::uint64_t timeout_ns) noexcept {
        if (now_ != nullptr && now_->credit() != 0 && length <= now_->peer_terms().largest)
            [[likely]] {
            std::memcpy(now_->place(), data, length);
            if (now_->send(static_cast<std::uint32_t>(length), 0, 0) == ErrorCode::none) {
                if (links_.size() > 1)
                    now_ = nullptr;  // the next one's turn
                return ErrorCode::none;
            }
        }
        return send_slowly(data, length, timeout_ns);
    }
    [[nodiscard]] int fd() noexcept { return port_->fd(); }
    // Receivers that are connected.
    [[nodiscard]] std::uint32_t receivers() const noexcept;
    // Bytes of the largest message that all of them take; 0 before the first is connected.
    [[nodiscard]] std::size_t largest() const noexcept;

private:
    MessageSender(std::unique_ptr<Port> port, const Terms& terms) noexcept
        : port_(std::move(port)), terms_(terms) {}
    [[nodiscard]] ErrorCode send_slowly(const void* data, std::size_t length,
                                        std::uint64_t timeout_ns) noexcept;
    void take_all() noexcept;
    [[nodiscard]] Link* pick(std::size_t length) noexcept;
    [[nodiscard]] ErrorCode check(const void* data, std::size_t length) noexcept;
    void sweep() noexcept;

    Link* now_ = nullptr;  // who gets the next message, if it has room
    std::vector<std::unique_ptr<Link>> links_;
    std::size_t turn_ = 0;
    ErrorCode last_reason_ = ErrorCode::wrong_state;  // of the link that ended last
    std::unique_ptr<Port> port_;
    Terms terms_;
};

}  // namespace causeway::ipc::inner
