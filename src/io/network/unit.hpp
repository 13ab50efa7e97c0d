// NetworkUnit: the I/O unit module of a network: a switch with one port for each host module, and
// one for the uplink.
//
// A frame is received into a buffer of the port that it comes from. A short one is copied to where
// the port that it goes to sends from; a long one is sent from where it lies, and its buffer given
// back when that has ended: the unit itself does not copy it.
//
// Threading: one thread. Ownership: owns service and switch, borrows the uplink.
//
// Invariants:
//  1. A host module that does not take its frames holds up others for kMostWaitNs at most: then
//     what waits for it is dropped, and so is what comes, until it takes frames again.
//  2. What is decided upon is a private copy (FrameFacts), and what is sent begins with it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "io/messaging/service.hpp"
#include "io/network/device.hpp"
#include "io/network/held_frames.hpp"
#include "io/network/switch.hpp"

namespace causeway::io::network {

inline constexpr std::uint64_t kMostWaitNs = 20'000'000;

struct UnitTerms {
    std::string name = "lan0";  // of the controller
    std::uint32_t mtu = 1500;
    Isolation isolation = Isolation::open;  // of host modules among each other
    abi::Executor executor = abi::Executor::any;
};

class NetworkUnit final : public messaging::Handler {
public:
    // `uplink` may be null; it outlives the unit.
    [[nodiscard]] static Result<std::unique_ptr<NetworkUnit>> open(
        std::shared_ptr<client::Partition> partition, const UnitTerms& terms, Device* uplink);
    ~NetworkUnit() override;

    // Takes and hands on what has come; false: there was nothing.
    [[nodiscard]] bool step() noexcept;
    // What to wait for: service().fd(), and the uplink if it is to be read from; and at most until
    // this moment.
    [[nodiscard]] std::uint64_t settle(std::uint64_t until_ns) noexcept;
    [[nodiscard]] messaging::Service& service() noexcept { return *service_; }
    // Negative: there is none, or no buffer to read into now.
    [[nodiscard]] int uplink_fd() const noexcept {
        return uplink_ != nullptr && !uplink_gone_ && !uplink_free_.empty() ? uplink_->fd() : -1;
    }
    // The uplink's interface has been removed.
    [[nodiscard]] bool uplink_gone() const noexcept { return uplink_gone_; }

    struct PortFigures {
        std::string partition;  // empty: the uplink
        std::string mac;
        std::uint32_t port;
        const char* executor;
        bool connected;
        PortCounters counters;  // of the same partition's earlier ports with this address, too
    };
    // Of all that are there, then of those that have gone: the latest kMostDeparted.
    [[nodiscard]] std::vector<PortFigures> figures() const;
    static constexpr std::size_t kMostDeparted = 256;
    // Frames of partitions that had no port yet: dropped.
    [[nodiscard]] std::uint64_t early_frames() const noexcept { return early_frames_; }

private:
    struct Waiting {
        std::uint32_t frame;  // held
        std::uint64_t since_ns;
        FrameFacts facts;
    };
    struct Guest {
        messaging::Channel* channel = nullptr;
        bool joined = false;
        bool stalled = false;  // what came for it was dropped, and it has not taken anything since
        PortId port{};
        MacAddress mac{};
        std::deque<Waiting> waiting{};
    };
    // A frame on its way through.
    struct Passing {
        messaging::Channel* from;  // null: the uplink
        std::uint32_t token;
        const FrameFacts& facts;
        cw_slice body;
        std::uint32_t held;  // among held_, or kNotHeld
    };
    static constexpr std::uint32_t kNotHeld = UINT32_MAX;

    NetworkUnit(const UnitTerms& terms, LearningSwitch lan, Device* uplink) noexcept
        : terms_(terms), switch_(std::move(lan)), uplink_(uplink) {}

    void opened(messaging::Channel& channel) noexcept override;
    void message(messaging::Channel& channel, const messaging::Message& message) noexcept override;
    void sent(messaging::Channel& channel, std::uint64_t cookie) noexcept override;
    void ended(messaging::Channel& channel) noexcept override;

    [[nodiscard]] Result<void> furnish_uplink();
    [[nodiscard]] bool read_uplink() noexcept;
    void join(Guest& guest, const messaging::Message& message) noexcept;
    void remember(Guest& guest) noexcept;
    [[nodiscard]] PortCounters recall(const Guest& guest) noexcept;
    [[nodiscard]] PortFigures figures_of(const Guest& guest) const;
    void pass(Passing& frame, const Decision& decision) noexcept;
    void give(PortId to, Passing& frame) noexcept;
    [[nodiscard]] ErrorCode send(Guest& to, Passing& frame) noexcept;
    void wait(Guest& to, Passing& frame) noexcept;
    void go_on(Guest& to) noexcept;
    void drop_waiting(Guest& to) noexcept;
    [[nodiscard]] bool hold(Passing& frame) noexcept;
    void let_go(std::uint32_t held) noexcept;
    void let_go_of(messaging::Channel* from, std::uint32_t token) noexcept;

    UnitTerms terms_;
    LearningSwitch switch_;
    std::unique_ptr<messaging::Service> service_;
    Device* uplink_;  // null: there is none
    PortId uplink_port_{};
    bool uplink_gone_ = false;
    std::unique_ptr<client::Region> uplink_memory_;
    std::vector<std::uint32_t> uplink_free_;
    HeldFrames held_;
    std::array<Guest*, kMaxPorts> by_port_{};
    std::vector<std::unique_ptr<Guest>> guests_;
    std::vector<PortFigures> departed_;  // the latest last
    std::uint64_t early_frames_ = 0;
    std::uint32_t waiting_ = 0;  // guests that have frames waiting
    std::uint64_t now_ns_ = 0;
};

}  // namespace causeway::io::network
