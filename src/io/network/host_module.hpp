// HostModule: the half of the network driver in a partition: frames from its interface go to the
// network unit, and the unit's into the interface, by push both ways.
//
// Threading: one thread. Ownership: owns its end of the fabric and the interface.
//
// Invariants:
//  1. The interface stays as long as this object does. Its carrier is on exactly while frames can
//     pass: after joined, until the connection ends.
//  2. A frame is taken out of the interface only when there is room for the largest one: nothing
//     that was taken is dropped here, and what waits, waits in the kernel's queue.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "io/messaging/host.hpp"
#include "io/network/tap.hpp"

namespace causeway::io::network {

struct HostModuleTerms {
    std::string socket;  // as in messaging::HostTerms
    std::string name;
    std::string target;
    MacAddress mac;
    std::uint32_t mtu = 0;  // of the interface
    abi::Executor executor = abi::Executor::any;
};

struct HostModuleFigures {
    std::uint64_t frames_out = 0;  // into the fabric
    std::uint64_t bytes_out = 0;
    std::uint64_t frames_in = 0;  // out of it
    std::uint64_t bytes_in = 0;
    std::uint64_t refused_in = 0;   // by the kernel: malformed, or it had no room
    std::uint64_t refused_out = 0;  // longer than any frame may be
    std::uint64_t waited = 0;       // times that the unit had no room for more
};

class HostModule final : public messaging::Handler {
public:
    // `carrier` is called when it changes.
    HostModule(const HostModuleTerms& terms, Device& interface,
               std::function<void(Carrier)> carrier);

    // Moves what has come, both ways; false: there was nothing.
    [[nodiscard]] bool step() noexcept;
    // As messaging::Host::settle().
    [[nodiscard]] std::uint64_t settle(std::uint64_t until_ns) noexcept;
    [[nodiscard]] int fabric_fd() const noexcept { return host_.fd(); }
    // Negative: not to be read from now.
    [[nodiscard]] int interface_fd() const noexcept {
        return carrier_ == Carrier::on && may_send() ? interface_.fd() : -1;
    }
    [[nodiscard]] Carrier carrier() const noexcept { return carrier_; }
    [[nodiscard]] const messaging::Host& host() const noexcept { return host_; }
    // Why the unit does not let it in; empty: it does, or has not been asked.
    [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }
    [[nodiscard]] const HostModuleFigures& figures() const noexcept { return figures_; }

private:
    void opened(messaging::Channel& channel) noexcept override;
    void message(messaging::Channel& channel, const messaging::Message& message) noexcept override;
    void sent(messaging::Channel&, std::uint64_t) noexcept override {}
    void ended(messaging::Channel& channel) noexcept override;

    [[nodiscard]] bool may_send() const noexcept;
    [[nodiscard]] bool read_interface() noexcept;
    void ask_to_join() noexcept;
    void set_carrier(Carrier carrier) noexcept;

    messaging::Host host_;
    Device& interface_;
    std::function<void(Carrier)> on_carrier_;
    MacAddress mac_;
    std::uint32_t mtu_;
    Carrier carrier_ = Carrier::off;
    std::uint32_t unsent_ = 0;        // bytes of a frame that stands in place(): the queue was full
    std::uint64_t ask_again_ns_ = 0;  // to join; 0: no need
    std::string refusal_;
    HostModuleFigures figures_;
};

}  // namespace causeway::io::network
