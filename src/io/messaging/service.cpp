#include "io/messaging/service.hpp"

#include <algorithm>
#include <new>
#include <string_view>
#include <utility>

#include "platform/clock.hpp"

namespace causeway::io::messaging {
namespace {

constexpr std::uint32_t kBacklog = 64;
constexpr int kMostAtOnce = 256;  // completions, before the caller looks at its device

}  // namespace

void hand_out(Channel& channel, const cw_completion& completion, Handler& handler) noexcept {
    const bool had_ended = channel.ended();
    switch (channel.take(completion)) {
        case Channel::Event::opened:
            handler.opened(channel);
            break;
        case Channel::Event::message:
            handler.message(channel, channel.message());
            break;
        case Channel::Event::sent:
            handler.sent(channel, channel.sent_cookie());
            break;
        case Channel::Event::nothing:
        case Channel::Event::ended:
            break;
    }
    if (channel.ended() && !had_ended)
        handler.ended(channel);
}

Result<std::unique_ptr<Service>> Service::open(std::shared_ptr<client::Partition> partition,
                                               const std::string& name, const ChannelTerms& terms) {
    CW_TRY_ASSIGN(auto port, ipc::inner::Port::open(std::move(partition), CW_WAIT_ADAPTIVE,
                                                    ipc::inner::Doors::listens));
    CW_TRY_ASSIGN(client::Listener listener,
                  client::Listener::create(port->partition(), name, kBacklog,
                                           static_cast<abi::ControllerType>(terms.service)));
    std::unique_ptr<Service> service(new Service(std::move(port), std::move(listener), terms));
    CW_TRY(service->make_spare());  // what cannot be had shows now
    return service;
}

Result<void> Service::make_spare() {
    if (spare_)
        return {};
    CW_TRY_ASSIGN(spare_, Channel::create(*port_, terms_));
    return {};
}

// Has the partition of this one as many as it may?
bool Service::has_most(const Channel& newcomer) const {
    const std::string_view peer = newcomer.peer();
    const auto same = [&](const std::unique_ptr<Channel>& channel) {
        return peer == channel->peer();
    };
    return std::count_if(channels_.begin(), channels_.end(), same) >= kMostOfOne;
}

// Takes in whoever wants to connect.
void Service::admit() noexcept {
    try {
        bool lost = false;  // something was not found: the spare one, or else the listener
        while (port_->partition()->adapter().standing() == client::Standing::here) {
            if (auto made = make_spare(); !made.has_value()) {
                trouble_ = made.error().text;
                return;
            }
            auto accepted = listener_.accept(spare_->pair(), 0);
            if (!accepted.has_value() && accepted.error().code == ErrorCode::again)
                return;
            if (!accepted.has_value() && accepted.error().code == ErrorCode::not_found &&
                std::exchange(lost, true)) {
                withdrawn_ = accepted.error().text;
                return;
            }
            std::unique_ptr<Channel> channel = std::move(spare_);
            if (accepted.has_value() && has_most(*channel))
                accepted =
                    fail_format(ErrorCode::limit_reached,
                                "partition %s has %u connections already: it may have no more",
                                channel->peer(), kMostOfOne);
            if (accepted.has_value())
                accepted = channel->welcome();
            if (accepted.has_value()) {
                silent_.push_back({channel.get(), platform::monotonic_ns() + terms_.hello_ns});
                channels_.push_back(std::move(channel));
            } else
                trouble_ = accepted.error().text;  // it has gone again: the next one
        }
    } catch (const std::bad_alloc&) {
        return;
    }
}

void Service::let_go_of_silent(Handler& handler) noexcept {
    std::erase_if(silent_, [](const Silent& each) { return each.channel->is_open(); });
    while (!silent_.empty() && platform::monotonic_ns() >= silent_.front().until_ns) {
        Channel& channel = *silent_.front().channel;
        silent_.erase(silent_.begin());
        if (channel.ended())
            continue;
        channel.abandon(ErrorCode::timed_out, "the other end has said no Hello in time");
        ++ended_;
        handler.ended(channel);
    }
}

void Service::sweep() noexcept {
    std::erase_if(silent_, [](const Silent& each) { return each.channel->ended(); });
    const auto gone = [](const std::unique_ptr<Channel>& channel) {
        return channel->ended() && channel->unsent() == 0 && channel->holds() == 0;
    };
    channels_.erase(std::remove_if(channels_.begin(), channels_.end(), gone), channels_.end());
    ended_ = static_cast<std::uint32_t>(
        std::count_if(channels_.begin(), channels_.end(),
                      [](const std::unique_ptr<Channel>& channel) { return channel->ended(); }));
}

bool Service::step(Handler& handler) noexcept {
    bool any = false;
    if (port_->handed_out()) {
        if (!silent_.empty())
            let_go_of_silent(handler);
        if (ended_ != 0)
            sweep();
        if (withdrawn_.empty() && port_->knocked()) {
            any = true;
            admit();
        }
    }
    for (int i = 0; i < kMostAtOnce; ++i) {
        const cw_completion* const completion = port_->next();
        if (completion == nullptr)
            break;
        any = true;
        Channel& channel = *static_cast<Channel*>(completion->user);
        const bool had_ended = channel.ended();
        hand_out(channel, *completion, handler);
        if (channel.ended() && !had_ended)
            ++ended_;
    }
    return any;
}

void Service::settle(std::uint64_t until_ns) noexcept {
    for (const auto& channel : channels_)
        channel->settle();
    const bool to_sweep = std::any_of(channels_.begin(), channels_.end(), [](const auto& channel) {
        return channel->ended() && channel->unsent() == 0 && channel->holds() == 0;
    });
    if (!silent_.empty())
        until_ns = std::min(until_ns, silent_.front().until_ns);
    const bool more = !port_->handed_out() || to_sweep;
    port_->settle(more ? ipc::inner::Port::Worth::something : ipc::inner::Port::Worth::nothing,
                  until_ns);
}

}  // namespace causeway::io::messaging
