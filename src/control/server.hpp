// The adapter's end of a control connection: takes one request, sends one reply, never waits.
//
// Threading: one thread per connection at a time. Ownership: the caller owns the connection.
//
// Invariants:
//  1. Neither function blocks, whatever the peer does.
//  2. Every message that arrives can be answered: what is wrong with it stands in `fault`.
#pragma once

#include <causeway/abi/control.hpp>
#include <cstddef>
#include <optional>
#include <span>

#include "base/result.hpp"
#include "control/message.hpp"
#include "platform/fd.hpp"

namespace causeway::control {

struct IncomingRequest {
    abi::Header header{};              // private copy; zero where not even that came whole
    std::span<const std::byte> bytes;  // the whole message, in the buffer given; for parse<T>()
    platform::UniqueFd descriptor;     // if one came, also with a fault; closing it may hang
    // Set: the message is not acceptable, whatever its type; answer with reply_error(fault), drop
    // it.
    std::optional<Error> fault;
};

// The next request, into `buffer` (abi::kMaxMessage bytes). Errors: again (nothing there),
// peer_gone.
[[nodiscard]] Result<IncomingRequest> receive_request(int fd, std::span<std::byte> buffer);

// Sends a reply, and a copy of `descriptor` unless that is -1. An error (again included) means:
// close the session.
[[nodiscard]] Result<void> send_reply(int fd, std::span<const std::byte> reply,
                                      int descriptor = -1);
template<Message T>
[[nodiscard]] Result<void> reply(int fd, const T& message, int descriptor = -1) {
    return send_reply(fd, bytes_of(message), descriptor);
}
// A reply without content: a bare Header.
[[nodiscard]] Result<void> reply_empty(int fd, const abi::Header& request, int descriptor = -1);
[[nodiscard]] Result<void> reply_error(int fd, const abi::Header& request, const Error& error);

}  // namespace causeway::control
