// Service: the listening end of an I/O unit: a controller on the fabric, and a channel for every
// host module that has connected to it.
//
// Threading: one thread at a time.
// Ownership: owns port, listener and channels.
//
// Invariants:
//  1. A channel that has ended stays until nothing of it is held and all its sends have ended.
//  2. One partition has at most kMostOfOne channels, also while it says nothing on them: what it
//     connects beyond that is closed at once.
//  3. Who has connected and says no Hello within ChannelTerms::hello_ns is let go.
//  4. An idle service makes no system call: its owner sleeps on fd() after settle().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/listener.hpp"
#include "io/messaging/handler.hpp"

namespace causeway::io::messaging {

// Each costs the unit the memory of its buffers, whatever the partition does.
inline constexpr std::uint32_t kMostOfOne = 16;

class Service {
public:
    // On the bus it is a controller of the type ChannelTerms::service.
    [[nodiscard]] static Result<std::unique_ptr<Service>> open(
        std::shared_ptr<client::Partition> partition, const std::string& name,
        const ChannelTerms& terms);

    // Takes what has come, host modules that want in included; false: there was nothing.
    [[nodiscard]] bool step(Handler& handler) noexcept;
    // For poll(): readable when there is something for step(), or the moment has come; valid after
    // settle(). Negative: -cw_error.
    [[nodiscard]] int fd() noexcept { return port_->fd(); }
    void settle(std::uint64_t until_ns = ipc::inner::kForever) noexcept;
    // Nothing will come any more: the adapter has gone for good, or has withdrawn the controller.
    [[nodiscard]] bool ended() const noexcept { return port_->ended() || !withdrawn_.empty(); }
    // Why the adapter has withdrawn it: a configuration does not allow it any more. Empty: it has
    // not.
    [[nodiscard]] const std::string& withdrawn() const noexcept { return withdrawn_; }

    // Those that have not gone, in no order.
    [[nodiscard]] const std::vector<std::unique_ptr<Channel>>& channels() const noexcept {
        return channels_;
    }
    // Why a host module could not be let in last; empty: all could.
    [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }

private:
    Service(std::unique_ptr<ipc::inner::Port> port, client::Listener listener,
            const ChannelTerms& terms) noexcept
        : port_(std::move(port)), listener_(std::move(listener)), terms_(terms) {}
    [[nodiscard]] Result<void> make_spare();
    void admit() noexcept;
    [[nodiscard]] bool has_most(const Channel& newcomer) const;
    void sweep() noexcept;
    void let_go_of_silent(Handler& handler) noexcept;

    struct Silent {
        Channel* channel;
        std::uint64_t until_ns;
    };
    std::unique_ptr<ipc::inner::Port> port_;
    client::Listener listener_;
    ChannelTerms terms_;
    std::vector<std::unique_ptr<Channel>> channels_;
    std::unique_ptr<Channel> spare_;  // the next one's
    std::uint32_t ended_ = 0;         // of channels_
    std::vector<Silent> silent_;      // those that have not said their Hello, the oldest first
    std::string trouble_;
    std::string withdrawn_;
};

// Hands a completion to its channel, and what it was to `handler`.
void hand_out(Channel& channel, const cw_completion& completion, Handler& handler) noexcept;

}  // namespace causeway::io::messaging
