// StreamEndpoint: one end of a byte stream of the kernel, a Unix or TCP socket or a pair of pipes.
//
// Threading: one thread. Ownership: the descriptors and the messages' buffers.
//
// Invariants:
//  1. Messages have no frame: both ends know their size.
//  2. Blocking: a call sleeps in the kernel until it can go on. Spinning: it tries again and again.
#pragma once

#include <memory>

#include "perf/endpoint.hpp"
#include "platform/fd.hpp"

namespace causeway::perf {

struct StreamEnds {
    platform::UniqueFd in{};   // read from
    platform::UniqueFd out{};  // written to; none: `in`
    bool sockets = true;       // or pipes
};

enum class StreamWait { block, spin };

[[nodiscard]] Result<std::unique_ptr<Endpoint>> make_stream_endpoint(const Plan& plan,
                                                                     StreamEnds ends,
                                                                     StreamWait wait);

// One end of a socket pair that the responder makes; each process calls it with its role.
[[nodiscard]] Result<platform::UniqueFd> unix_socket_end(Role role, SideChannel& side);

// A descriptor from one process of a measurement to the other.
[[nodiscard]] Result<void> put_descriptor(SideChannel& side, int fd);
[[nodiscard]] Result<platform::UniqueFd> get_descriptor(SideChannel& side);

}  // namespace causeway::perf
