// A host module without an interface: it joins a network unit in the same thread, and sends what it
// is told to, also what no host module should.
//
// Threading: one thread, the unit's. Ownership: owns its end of the fabric.
#pragma once

#include <causeway/abi/network.hpp>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/messaging/host.hpp"
#include "io/network/channel_terms.hpp"
#include "io/network/frame.hpp"
#include "io/network/unit.hpp"
#include "support/frames.hpp"

namespace causeway::test {

namespace messaging = io::messaging;
namespace network = io::network;
using NetworkKind = abi::network::Kind;

class NetworkGuest final : public messaging::Handler {
public:
    NetworkGuest(const std::string& socket, const std::string& name, std::uint64_t number,
                 abi::Executor executor)
        : mac(station(number)), name_(name), host_(terms(socket, name, executor)) {}

    const network::MacAddress mac;
    std::deque<Frame> frames;  // that came
    std::vector<std::string> refusals;
    std::uint32_t joined = 0;  // answers
    std::uint32_t port = 0;    // as the last one says
    bool takes = true;         // else: keeps what comes, and with it the credit

    [[nodiscard]] bool step() noexcept { return host_.step(*this); }
    [[nodiscard]] messaging::Channel* channel() const noexcept { return host_.channel(); }
    [[nodiscard]] messaging::Host& host() noexcept { return host_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    // Errors: again: no room now.
    [[nodiscard]] ErrorCode send(NetworkKind kind, std::span<const std::byte> bytes) {
        messaging::Channel* const to = channel();
        if (to == nullptr)
            return ErrorCode::again;
        if (!bytes.empty())
            std::memcpy(to->place(), bytes.data(), bytes.size());
        return to->send_place(static_cast<std::uint16_t>(kind), 0,
                              static_cast<std::uint32_t>(bytes.size()));
    }
    [[nodiscard]] ErrorCode join(const abi::network::Join& wanted) {
        return send(NetworkKind::join, std::as_bytes(std::span(&wanted, 1)));
    }
    [[nodiscard]] abi::network::Join proper_join() const {
        abi::network::Join join{};
        std::memcpy(join.mac, mac.bytes().data(), sizeof join.mac);
        join.mtu = 1500;
        return join;
    }
    void release_all() {
        for (const std::uint32_t token : std::exchange(kept_, {}))
            channel()->release(token);
    }
    [[nodiscard]] std::size_t kept() const noexcept { return kept_.size(); }

private:
    [[nodiscard]] static messaging::HostTerms terms(const std::string& socket,
                                                    const std::string& name,
                                                    abi::Executor executor) {
        messaging::HostTerms made;
        made.socket = socket;
        made.name = name;
        made.target = "net/lan0";
        made.channel = network::host_terms(executor);
        made.channel.place = 70'000;  // more than any frame
        return made;
    }
    void opened(messaging::Channel&) noexcept override {}
    void message(messaging::Channel& channel, const messaging::Message& message) noexcept override {
        switch (static_cast<NetworkKind>(message.kind)) {
            case NetworkKind::joined: {
                abi::network::Joined answer{};
                std::memcpy(&answer, message.data, sizeof answer);
                port = answer.port;
                ++joined;
                break;
            }
            case NetworkKind::refused:
                refusals.emplace_back(reinterpret_cast<const char*>(message.data), message.length);
                break;
            case NetworkKind::frame:
                frames.emplace_back(message.data, message.data + message.length);
                if (!takes) {
                    kept_.push_back(message.token);
                    return;
                }
                break;
            case NetworkKind::join:
                break;
        }
        channel.release(message.token);
    }
    void sent(messaging::Channel&, std::uint64_t) noexcept override {}
    void ended(messaging::Channel& channel) noexcept override {
        for (const std::uint32_t token : std::exchange(kept_, {}))
            channel.release(token);
    }

    std::vector<std::uint32_t> kept_;
    std::string name_;
    messaging::Host host_;
};

}  // namespace causeway::test
