// RequestServer: takes requests of any number of clients and answers them, in any order.
//
// Threading: one thread at a time.
// Ownership: owns port, door and the links of its clients. A request belongs to its taker until
// reply() or drop().
//
// Invariants:
//  1. Each request is answered exactly once, be it by saying that there is no answer: its client
//     counts on it.
#pragma once

#include <causeway/ipc.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "ipc/door.hpp"
#include "ipc/link_table.hpp"
#include "ipc/port.hpp"
#include "ipc/terms.hpp"

namespace causeway::ipc::inner {

class RequestServer {
public:
    [[nodiscard]] static Result<std::unique_ptr<RequestServer>> open(
        std::shared_ptr<client::Partition> partition, const std::string& service,
        const Terms& terms);
    // Answers that were given reach the clients that are there.
    ~RequestServer();
    RequestServer(const RequestServer&) = delete;
    RequestServer& operator=(const RequestServer&) = delete;

    [[nodiscard]] bool here() const noexcept { return port_->here(); }
    // Each sets the thread's error text where it returns an error.
    [[nodiscard]] ErrorCode next(cw_request& out, std::uint64_t timeout_ns) noexcept;
    [[nodiscard]] ErrorCode reply(cw_request& request, const void* data,
                                  std::size_t length) noexcept;
    [[nodiscard]] ErrorCode drop(cw_request& request) noexcept;
    [[nodiscard]] int fd() noexcept { return port_->fd(); }
    [[nodiscard]] std::uint32_t clients() const noexcept { return links_.living(); }

private:
    RequestServer(std::unique_ptr<Port> port, Door door, const Terms& terms) noexcept
        : port_(std::move(port)), door_(std::move(door)), largest_answer_(terms.largest_answer) {}
    [[nodiscard]] ErrorCode answer(cw_request& request, std::uint32_t length,
                                   std::uint32_t tag) noexcept;
    [[nodiscard]] bool take(const cw_completion& c, cw_request& out) noexcept;

    std::unique_ptr<Port> port_;
    Door door_;
    LinkTable links_;
    std::uint32_t largest_answer_;
    bool some_ended_ = false;
};

}  // namespace causeway::ipc::inner
