// What an I/O unit module or a host module does with what comes over its channels.
//
// Threading: called by Service::step and Host::step, on their thread.
#pragma once

#include <cstdint>

#include "io/messaging/channel.hpp"

namespace causeway::io::messaging {

class Handler {
public:
    virtual ~Handler() = default;
    // The peer's Hello has come: messages can be sent. A host module replays here what a lost
    // connection had not answered.
    virtual void opened(Channel& channel) noexcept = 0;
    // To be released, now or later, on the same channel.
    virtual void message(Channel& channel, const Message& message) noexcept = 0;
    // A send() has ended, well or not.
    virtual void sent(Channel& channel, std::uint64_t cookie) noexcept = 0;
    // The connection has: what is held of it is to be released, as soon as nothing sends from it.
    // Its sends under way still end in sent(); after that it is gone.
    virtual void ended(Channel& channel) noexcept = 0;
};

}  // namespace causeway::io::messaging
