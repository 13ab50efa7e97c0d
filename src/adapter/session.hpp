// A session: one control connection, from being accepted to its end; and a door: an entrance with
// what has come in there. Records of the server (server.hpp), on the control thread.
#pragma once

#include <array>
#include <causeway/abi/control.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>

#include "adapter/entrance.hpp"
#include "adapter/event_loop.hpp"
#include "adapter/log.hpp"
#include "adapter/side_threads.hpp"
#include "platform/fd.hpp"
#include "platform/socket.hpp"

namespace causeway::adapter {

struct Door {
    std::unique_ptr<Entrance> entrance;
    EventLoop::Watch watch = 0;
    std::deque<std::uint32_t> unattached;  // sessions, oldest first
    std::set<std::uint32_t> observers;     // sessions
    // What may hang because of who comes in here happens on threads of the door's own.
    SideThreads side{2};
    std::uint32_t aside = 0;                  // tasks there that have not come back
    RateLimit complaints{20, 1'000'000'000};  // about connections: who comes and goes
    RateLimit refusals{20, 1'000'000'000};    // about requests, of all sessions together
};

// Its connection, and a descriptor of its process.
inline constexpr std::int64_t kFilesPerSession = 2;

struct Session {
    enum class State {
        unattached,  // accepted; has ServerOptions::attach_patience_ns to attach
        waiting,     // wants a name whose last holder is just going
        observer,    // may only ask for stats
        partition,   // the fabric has a partition of this number
    };

    std::uint32_t id = 0;
    std::shared_ptr<Door> door;
    std::shared_ptr<platform::UniqueFd> socket;  // shared with what is done aside
    platform::UniqueFd process;                  // pidfd of the peer, where the kernel gives one
    EventLoop::Watch socket_watch = 0;
    EventLoop::Watch process_watch = 0;
    platform::Credentials credentials{};
    State state = State::unattached;
    std::string name;
    std::array<std::uint8_t, abi::kSecretSize> secret{};  // as it was brought
    std::uint64_t accepted_ns = 0;
    RateLimit complaints{5, 1'000'000'000};

    // While either holds, nothing is read.
    bool answering_late = false;  // a request is under way
    bool returns = false;         // offered feature::kReturns
    bool aside = false;           // a descriptor of its is being taken or closed on a side thread

    // For logs.
    [[nodiscard]] std::string label() const;
};

}  // namespace causeway::adapter
