#include "io/network/unit.hpp"

#include <algorithm>
#include <causeway/abi/network.hpp>
#include <cstring>
#include <new>
#include <utility>

#include "io/network/channel_terms.hpp"
#include "platform/clock.hpp"

namespace causeway::io::network {
namespace {

namespace wire = abi::network;
using messaging::Channel;
using messaging::Message;

constexpr std::uint16_t kind_of(wire::Kind kind) noexcept {
    return static_cast<std::uint16_t>(kind);
}

// Up to here copying is cheaper than sending from where the frame lies, and waiting for that.
constexpr std::uint32_t kMostCopied = kSmallFrame;
constexpr std::uint32_t kUplinkBuffers = 32;
constexpr std::uint32_t kUplinkStride = (kMaxFrame + 63) / 64 * 64;
constexpr int kMostFromUplink = 64;  // frames in one step

}  // namespace

Result<std::unique_ptr<NetworkUnit>> NetworkUnit::open(std::shared_ptr<client::Partition> partition,
                                                       const UnitTerms& terms, Device* uplink) {
    CW_TRY_ASSIGN(LearningSwitch lan, LearningSwitch::make({.mtu = terms.mtu}));
    std::unique_ptr<NetworkUnit> unit(new NetworkUnit(terms, std::move(lan), uplink));
    if (uplink != nullptr) {
        CW_TRY_ASSIGN(auto memory,
                      client::Region::allocate(partition, kUplinkBuffers * kUplinkStride,
                                               {.access = CW_ACCESS_EXPORTABLE}));
        unit->uplink_memory_ = std::make_unique<client::Region>(std::move(memory));
        CW_TRY(unit->furnish_uplink());
    }
    CW_TRY_ASSIGN(unit->service_, messaging::Service::open(std::move(partition), terms.name,
                                                           unit_terms(terms.executor)));
    return unit;
}

NetworkUnit::~NetworkUnit() = default;

Result<void> NetworkUnit::furnish_uplink() {
    CW_TRY_ASSIGN(uplink_port_, switch_.add_port({.sources = Sources::any}, 0));
    for (std::uint32_t i = kUplinkBuffers; i-- > 0;)
        uplink_free_.push_back(i);
    return {};
}

void NetworkUnit::opened(Channel& channel) noexcept {
    try {
        guests_.push_back(std::make_unique<Guest>());
        guests_.back()->channel = &channel;
        channel.user = guests_.back().get();
    } catch (const std::bad_alloc&) {
        channel.user = nullptr;  // its messages are dropped
    }
}

void NetworkUnit::join(Guest& guest, const Message& message) noexcept {
    wire::Join wanted{};
    std::string why;
    if (message.length != sizeof wanted) {
        why = "a join of another size";
    } else if (std::memcpy(&wanted, message.data, sizeof wanted);
               wanted.flags != 0 || wanted.reserved != 0) {
        why = "a join that asks for what this unit does not know";
    } else if (wanted.mtu > terms_.mtu) {
        why = "the network's MTU is " + std::to_string(terms_.mtu) + ": choose at most that";
    } else if (const MacAddress mac(std::to_array(wanted.mac)); guest.joined && mac != guest.mac) {
        why = "joined as " + guest.mac.to_string() + " already: connect again for another address";
    } else if (!guest.joined) {
        guest.mac = mac;
        auto port = switch_.add_port({.isolation = terms_.isolation, .announced = {&guest.mac, 1}},
                                     now_ns_);
        if (port.has_value()) {
            guest.port = *port;
            guest.joined = true;
            switch_.count_on(guest.port, recall(guest));
            by_port_[port->value()] = &guest;
        } else {
            why = port.error().text;
        }
    }
    Channel& channel = *guest.channel;
    // No room: the host module asks again.
    if (!why.empty()) {
        const auto length = std::min<std::size_t>(why.size(), 512);
        std::memcpy(channel.place(), why.data(), length);
        (void)channel.send_place(kind_of(wire::Kind::refused), 0,
                                 static_cast<std::uint32_t>(length));
        return;
    }
    wire::Joined joined{};
    joined.mtu = terms_.mtu;
    joined.port = guest.port.value();
    std::memcpy(channel.place(), &joined, sizeof joined);
    (void)channel.send_place(kind_of(wire::Kind::joined), 0, sizeof joined);
}

void NetworkUnit::message(Channel& channel, const Message& message) noexcept {
    auto* const guest = static_cast<Guest*>(channel.user);
    const bool is_frame = message.kind == kind_of(wire::Kind::frame);
    if (guest != nullptr && is_frame && guest->joined) {
        const auto received = switch_.receive(guest->port, {message.data, message.length}, now_ns_);
        if (received.decision.kind != Decision::Kind::drop) {
            cw_slice body = message.slice();
            body.address = static_cast<std::byte*>(body.address) + kHeadSize;
            body.length -= static_cast<std::uint32_t>(kHeadSize);
            Passing frame{&channel, message.token, received.frame.facts, body, kNotHeld};
            pass(frame, received.decision);
            return;
        }
    } else if (guest != nullptr && message.kind == kind_of(wire::Kind::join)) {
        join(*guest, message);
    } else if (is_frame) {
        ++early_frames_;
    }
    channel.release(message.token);
}

// Hands a frame to all that are to have it, and gives its buffer back as soon as nobody needs it.
void NetworkUnit::pass(Passing& frame, const Decision& decision) noexcept {
    if (decision.kind == Decision::Kind::forward) {
        give(decision.to, frame);
    } else {
        for (std::size_t port = 0; port < kMaxPorts; ++port) {
            if (decision.ports[port])
                give(PortId(static_cast<std::uint32_t>(port)), frame);
        }
    }
    if (frame.held != kNotHeld)
        let_go(frame.held);
    else
        let_go_of(frame.from, frame.token);
}

void NetworkUnit::give(PortId to, Passing& frame) noexcept {
    if (uplink_ != nullptr && to == uplink_port_) {
        const auto* const body = static_cast<const std::byte*>(frame.body.address);
        if (uplink_->write(frame.facts.head(), {body, frame.body.length}).status == IoStatus::done)
            switch_.sent(to, frame.facts);
        else
            switch_.lost(to);
        return;
    }
    Guest* const guest = by_port_[to.value()];
    if (guest == nullptr || guest->channel->ended()) {
        switch_.lost(to);
    } else if (guest->waiting.empty() && send(*guest, frame) == ErrorCode::none) {
        guest->stalled = false;
        switch_.sent(to, frame.facts);
    } else if (guest->stalled) {
        switch_.lost(to);
    } else {
        wait(*guest, frame);
    }
}

// Errors: again (no room now), what ended the connection.
ErrorCode NetworkUnit::send(Guest& to, Passing& frame) noexcept {
    const auto length = static_cast<std::uint32_t>(kHeadSize + frame.body.length);
    Channel& channel = *to.channel;
    constexpr std::uint16_t kind = kind_of(wire::Kind::frame);
    if (!channel.has_room(length))
        return ErrorCode::again;
    if (length <= kMostCopied) {
        std::byte* const place = channel.place();
        std::memcpy(place, frame.facts.head().data(), kHeadSize);
        std::memcpy(place + kHeadSize, frame.body.address, frame.body.length);
        return channel.send_place(kind, 0, length);
    }
    if (!hold(frame))
        return ErrorCode::no_memory;
    const ErrorCode code = channel.send(kind, 0, frame.facts.head(), {&frame.body, 1}, frame.held);
    if (code == ErrorCode::none)
        held_.use(frame.held);
    return code;
}

bool NetworkUnit::hold(Passing& frame) noexcept {
    if (frame.held != kNotHeld)
        return true;
    try {
        frame.held = held_.hold(frame.from, frame.token, frame.body);
    } catch (const std::bad_alloc&) {
        return false;
    }
    return true;
}

void NetworkUnit::wait(Guest& to, Passing& frame) noexcept {
    if (!hold(frame)) {
        switch_.lost(to.port);
        return;
    }
    try {
        to.waiting.push_back({frame.held, now_ns_, frame.facts});
    } catch (const std::bad_alloc&) {
        switch_.lost(to.port);
        return;
    }
    held_.use(frame.held);
    waiting_ += to.waiting.size() == 1 ? 1 : 0;
}

// Sends what waits, as far as there is room.
void NetworkUnit::go_on(Guest& to) noexcept {
    while (!to.waiting.empty()) {
        const Waiting& first = to.waiting.front();
        const HeldFrames::Frame& held = held_[first.frame];
        Passing frame{held.from, held.token, first.facts, held.body, first.frame};
        if (send(to, frame) != ErrorCode::none)
            break;
        switch_.sent(to.port, first.facts);
        let_go(first.frame);
        to.waiting.pop_front();
        waiting_ -= to.waiting.empty() ? 1 : 0;
    }
    if (!to.waiting.empty() && now_ns_ - to.waiting.front().since_ns > kMostWaitNs) {
        to.stalled = true;
        drop_waiting(to);
    }
}

void NetworkUnit::drop_waiting(Guest& to) noexcept {
    waiting_ -= to.waiting.empty() ? 0 : 1;
    for (const Waiting& each : to.waiting) {
        switch_.lost(to.port);
        let_go(each.frame);
    }
    to.waiting.clear();
}

void NetworkUnit::let_go(std::uint32_t held) noexcept {
    held_.drop(held,
               [this](const HeldFrames::Frame& frame) { let_go_of(frame.from, frame.token); });
}

void NetworkUnit::let_go_of(Channel* from, std::uint32_t token) noexcept {
    if (from != nullptr)
        from->release(token);
    else
        uplink_free_.push_back(token);  // within what furnish_uplink() has filled
}

void NetworkUnit::sent(Channel&, std::uint64_t cookie) noexcept {
    let_go(static_cast<std::uint32_t>(cookie));
}

void NetworkUnit::ended(Channel& channel) noexcept {
    auto* const guest = static_cast<Guest*>(channel.user);
    if (guest == nullptr)
        return;
    drop_waiting(*guest);
    if (guest->joined) {
        remember(*guest);
        by_port_[guest->port.value()] = nullptr;
        switch_.remove_port(guest->port);
    }
    channel.user = nullptr;
    guests_.erase(std::find_if(guests_.begin(), guests_.end(),
                               [&](const auto& each) { return each.get() == guest; }));
}

bool NetworkUnit::read_uplink() noexcept {
    int count = 0;
    while (count < kMostFromUplink && !uplink_free_.empty()) {
        const std::uint32_t buffer = uplink_free_.back();
        std::byte* const at = uplink_memory_->data() + std::size_t{buffer} * kUplinkStride;
        const IoResult read = uplink_->read({at, kMaxFrame});
        if (read.status == IoStatus::gone) {
            uplink_gone_ = true;
            break;
        }
        if (read.status == IoStatus::again)
            break;
        ++count;
        if (read.status == IoStatus::refused)
            continue;
        const std::size_t size = read.bytes;
        const auto received = switch_.receive(uplink_port_, {at, size}, now_ns_);
        if (received.decision.kind == Decision::Kind::drop)
            continue;
        uplink_free_.pop_back();
        const cw_slice body{at + kHeadSize, static_cast<std::uint32_t>(size - kHeadSize),
                            uplink_memory_->handle()};
        Passing frame{nullptr, buffer, received.frame.facts, body, kNotHeld};
        pass(frame, received.decision);
    }
    return count != 0;
}

bool NetworkUnit::step() noexcept {
    now_ns_ = platform::monotonic_ns();
    bool any = service_->step(*this);
    if (uplink_ != nullptr)
        any = read_uplink() || any;
    if (waiting_ != 0) {
        for (const auto& guest : guests_)
            go_on(*guest);
    }
    return any;
}

std::uint64_t NetworkUnit::settle(std::uint64_t until_ns) noexcept {
    if (waiting_ != 0)
        until_ns = std::min(until_ns, now_ns_ + kMostWaitNs / 4);
    service_->settle(until_ns);
    return until_ns;
}

std::vector<NetworkUnit::PortFigures> NetworkUnit::figures() const {
    std::vector<PortFigures> all;
    if (uplink_ != nullptr)
        all.push_back({"", "", uplink_port_.value(), "", true, switch_.counters(uplink_port_)});
    for (const auto& guest : guests_) {
        if (guest->joined)
            all.push_back(figures_of(*guest));
    }
    all.insert(all.end(), departed_.begin(), departed_.end());
    return all;
}

NetworkUnit::PortFigures NetworkUnit::figures_of(const Guest& guest) const {
    return {guest.channel->peer(),     guest.mac.to_string(),   guest.port.value(),
            guest.channel->executor(), !guest.channel->ended(), switch_.counters(guest.port)};
}

// Figures alone are lost where there is no memory for them.
void NetworkUnit::remember(Guest& guest) noexcept {
    try {
        if (departed_.size() >= kMostDeparted)
            departed_.erase(departed_.begin());
        departed_.push_back(figures_of(guest));
        departed_.back().connected = false;
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): as it says
    }
}

// What a guest's earlier ports have counted, which it goes on with.
PortCounters NetworkUnit::recall(const Guest& guest) noexcept {
    try {
        const std::string mac = guest.mac.to_string();
        const auto found = std::find_if(departed_.begin(), departed_.end(), [&](const auto& each) {
            return each.mac == mac && each.partition == guest.channel->peer();
        });
        if (found == departed_.end())
            return {};
        const PortCounters counters = found->counters;
        departed_.erase(found);
        return counters;
    } catch (const std::bad_alloc&) {
        return {};
    }
}

}  // namespace causeway::io::network
