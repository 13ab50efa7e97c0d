#include "io/network/host_module.hpp"

#include <algorithm>
#include <causeway/abi/network.hpp>
#include <cstring>
#include <utility>

#include "io/network/channel_terms.hpp"
#include "platform/clock.hpp"

namespace causeway::io::network {
namespace {

namespace wire = abi::network;
using messaging::Channel;
using messaging::Message;

constexpr int kMostAtOnce = 64;  // frames out of the interface in one step
constexpr std::uint64_t kAskAgainNs = 500'000'000;

constexpr std::uint16_t kind_of(wire::Kind kind) noexcept {
    return static_cast<std::uint16_t>(kind);
}

[[nodiscard]] messaging::HostTerms host_terms_of(const HostModuleTerms& terms) {
    messaging::HostTerms made;
    made.socket = terms.socket;
    made.name = terms.name;
    made.target = terms.target;
    made.channel = host_terms(terms.executor);
    return made;
}

}  // namespace

HostModule::HostModule(const HostModuleTerms& terms, Device& interface,
                       std::function<void(Carrier)> carrier)
    : host_(host_terms_of(terms)),
      interface_(interface),
      on_carrier_(std::move(carrier)),
      mac_(terms.mac),
      mtu_(terms.mtu) {}

void HostModule::set_carrier(Carrier carrier) noexcept {
    if (carrier_ == carrier)
        return;
    carrier_ = carrier;
    on_carrier_(carrier);
}

void HostModule::ask_to_join() noexcept {
    Channel* const channel = host_.channel();
    if (channel == nullptr)
        return;
    wire::Join join{};
    std::copy(mac_.bytes().begin(), mac_.bytes().end(), join.mac);
    join.mtu = mtu_;
    std::memcpy(channel->place(), &join, sizeof join);
    (void)channel->send_place(kind_of(wire::Kind::join), 0, sizeof join);
    ask_again_ns_ = platform::monotonic_ns() + kAskAgainNs;
}

void HostModule::opened(Channel&) noexcept {
    unsent_ = 0;
    ask_to_join();
}

void HostModule::ended(Channel&) noexcept {
    ask_again_ns_ = 0;
    set_carrier(Carrier::off);
}

void HostModule::message(Channel& channel, const Message& message) noexcept {
    switch (static_cast<wire::Kind>(message.kind)) {
        case wire::Kind::frame:
            if (carrier_ == Carrier::on &&
                interface_.write({message.data, message.length}).status == IoStatus::done) {
                ++figures_.frames_in;
                figures_.bytes_in += message.length;
            } else {
                ++figures_.refused_in;
            }
            break;
        case wire::Kind::joined:
            ask_again_ns_ = 0;
            refusal_.clear();
            set_carrier(Carrier::on);
            break;
        case wire::Kind::refused:
            refusal_.assign(reinterpret_cast<const char*>(message.data),
                            std::min(message.length, 512U));
            break;
        case wire::Kind::join:
            break;
    }
    channel.release(message.token);
}

bool HostModule::may_send() const noexcept {
    const Channel* const channel = host_.channel();
    return channel != nullptr && channel->has_room(kSmallFrame) && channel->has_room(kMaxFrame);
}

bool HostModule::read_interface() noexcept {
    Channel* const channel = host_.channel();
    if (channel == nullptr || carrier_ == Carrier::off)
        return false;
    int count = 0;
    while (count < kMostAtOnce) {
        if (unsent_ == 0) {
            if (!may_send()) {
                ++figures_.waited;
                break;
            }
            const IoResult read = interface_.read({channel->place(), kMaxFrame});
            if (read.status == IoStatus::refused) {
                ++figures_.refused_out;
                continue;
            }
            if (read.status != IoStatus::done)
                break;
            unsent_ = static_cast<std::uint32_t>(read.bytes);
        }
        const ErrorCode code = channel->send_place(kind_of(wire::Kind::frame), 0, unsent_);
        if (code == ErrorCode::again) {
            ++figures_.waited;
            break;
        }
        if (code == ErrorCode::none) {
            ++figures_.frames_out;
            figures_.bytes_out += unsent_;
        }
        unsent_ = 0;
        ++count;
    }
    return count != 0;
}

bool HostModule::step() noexcept {
    bool any = host_.step(*this);
    if (ask_again_ns_ != 0 && platform::monotonic_ns() >= ask_again_ns_) {
        any = true;
        ask_to_join();
    }
    return read_interface() || any;
}

std::uint64_t HostModule::settle(std::uint64_t until_ns) noexcept {
    if (ask_again_ns_ != 0)
        until_ns = std::min(until_ns, ask_again_ns_);
    if (unsent_ != 0)  // its send queue is full, of which nothing tells: a moment
        until_ns = std::min(until_ns, platform::monotonic_ns() + 50'000);
    return host_.settle(until_ns);
}

}  // namespace causeway::io::network
