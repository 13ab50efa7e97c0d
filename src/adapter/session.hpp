// A session: one control connection, from being accepted to its end. A record of the server
// (server.hpp).
#pragma once

#include <cstdint>
#include <string>

#include "adapter/entrance.hpp"
#include "adapter/event_loop.hpp"
#include "adapter/log.hpp"
#include "platform/fd.hpp"
#include "platform/socket.hpp"

namespace causeway::adapter {

// Its connection, and a descriptor of its process.
inline constexpr std::int64_t kFilesPerSession = 2;

struct Session {
    enum class State {
        unattached,   // accepted; has kAttachPatienceNs to attach
        waiting,      // wants a name whose last holder is just going
        observer,     // may only ask for stats
        partition,    // the fabric has a partition of this number
    };

    std::uint32_t id = 0;
    Entrance* entrance = nullptr;
    platform::UniqueFd socket;
    platform::UniqueFd process;  // pidfd of the peer, where the kernel gives one
    EventLoop::Watch socket_watch = 0;
    EventLoop::Watch process_watch = 0;
    platform::Credentials credentials{};
    State state = State::unattached;
    std::string name;
    bool answering_late = false;  // a request is under way; nothing is read meanwhile
    std::uint64_t accepted_ns = 0;
    RateLimit complaints{5, 1'000'000'000};

    // For logs.
    [[nodiscard]] std::string label() const;
};

}  // namespace causeway::adapter
