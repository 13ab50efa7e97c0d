// Two ends of the messaging layer in one thread: a unit that answers, and a host module.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/messaging/host.hpp"
#include "io/messaging/service.hpp"

namespace causeway::test {

namespace messaging = io::messaging;

struct Got {
    std::uint16_t kind = 0;
    std::uint64_t tag = 0;
    std::string bytes;
};

// Keeps what comes. Releases at once, unless told to keep that as well.
class Keeper : public messaging::Handler {
public:
    void opened(messaging::Channel& channel) noexcept override {
        ++opened_count;
        last = &channel;
        if (on_opened)
            on_opened(channel);
    }
    void message(messaging::Channel& channel, const messaging::Message& message) noexcept override {
        last = &channel;
        got.push_back({message.kind,
                       message.tag,
                       {reinterpret_cast<const char*>(message.data), message.length}});
        if (on_message) {
            on_message(channel, message);
        } else {
            channel.release(message.token);
        }
    }
    void sent(messaging::Channel& channel, std::uint64_t cookie) noexcept override {
        sent_cookies.push_back(cookie);
        if (on_sent)
            on_sent(channel, cookie);
    }
    void ended(messaging::Channel& channel) noexcept override {
        ++ended_count;
        why = channel.why();
        last = nullptr;
        if (on_ended)
            on_ended(channel);
    }

    int opened_count = 0;
    int ended_count = 0;
    std::string why;
    messaging::Channel* last = nullptr;
    std::deque<Got> got;
    std::vector<std::uint64_t> sent_cookies;
    std::function<void(messaging::Channel&)> on_opened;
    std::function<void(messaging::Channel&, const messaging::Message&)> on_message;
    std::function<void(messaging::Channel&, std::uint64_t)> on_sent;
    std::function<void(messaging::Channel&)> on_ended;
};

[[nodiscard]] inline abi::Executor executor_of(const std::string& name) {
    return name == "direct" ? abi::Executor::direct : abi::Executor::adapter;
}

// Puts `text` into the channel's place and sends it.
[[nodiscard]] inline ErrorCode say(messaging::Channel& channel, std::uint16_t kind,
                                   std::uint64_t tag, const std::string& text) {
    std::memcpy(channel.place(), text.data(), text.size());
    return channel.send_place(kind, tag, static_cast<std::uint32_t>(text.size()));
}

}  // namespace causeway::test
