#include "io/network/switch.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace causeway::io::network {

namespace {

Decision drop(DropReason reason) noexcept { return {Decision::Kind::drop, reason, {}, {}}; }

Result<void> check_announced(const PortOptions& options) {
    if (options.announced.empty() && options.sources == Sources::announced) {
        return fail(ErrorCode::invalid_argument,
                    "the port announces no MAC address, and may send from no other: announce one "
                    "or allow any");
    }
    if (options.announced.size() > kMaxAnnounced) {
        return fail_format(ErrorCode::invalid_argument,
                           "the port announces %zu MAC addresses; at most %zu are allowed",
                           options.announced.size(), kMaxAnnounced);
    }
    for (const MacAddress& mac : options.announced) {
        if (!mac.is_station()) {
            return fail_format(ErrorCode::invalid_argument,
                               "MAC address %s cannot be a station's own: take one whose first "
                               "byte is even and that is not all zero",
                               mac.to_string().c_str());
        }
    }
    return {};
}

}  // namespace

Result<LearningSwitch> LearningSwitch::make(const SwitchOptions& options) {
    if (options.mtu < kMinMtu || options.mtu > kMaxMtu) {
        return fail_format(ErrorCode::invalid_argument, "an MTU of %u bytes: take %u to %u",
                           options.mtu, kMinMtu, kMaxMtu);
    }
    constexpr std::size_t kMost = std::size_t{1} << 20;
    if (options.table.entries == 0 || options.table.entries > kMost ||
        options.table.entries_per_port == 0) {
        return fail_format(ErrorCode::invalid_argument,
                           "a table of %zu MAC addresses, %zu for each port: take 1 to %zu",
                           options.table.entries, options.table.entries_per_port, kMost);
    }
    return LearningSwitch(options);
}

LearningSwitch::LearningSwitch(const SwitchOptions& options)
    : mtu_(options.mtu), table_(options.table), ports_(kMaxPorts) {}

LearningSwitch::Port& LearningSwitch::at(PortId port) noexcept {
    CW_ASSERT(has_port(port));
    return ports_[port.value()];
}

const PortCounters& LearningSwitch::counters(PortId port) const noexcept {
    CW_ASSERT(has_port(port));
    return ports_[port.value()].counters;
}

void LearningSwitch::advance(std::uint64_t now_ns) noexcept {
    now_ns_ = std::max(now_ns_, now_ns);
    table_.expire(now_ns_);
}

void LearningSwitch::expire(std::uint64_t now_ns) noexcept { advance(now_ns); }

Result<PortId> LearningSwitch::add_port(const PortOptions& options, std::uint64_t now_ns) {
    CW_TRY(check_announced(options));
    advance(now_ns);
    std::size_t number = 0;
    while (number < kMaxPorts && present_[number])
        ++number;
    if (number == kMaxPorts)
        return fail_format(ErrorCode::limit_reached, "the switch has all of its %zu ports in use",
                           kMaxPorts);
    // Everything that can be refused is, before anything is changed.
    for (const MacAddress& mac : options.announced) {
        const MacTable::Entry* known = table_.find(mac);
        if (known != nullptr && known->kind == MacTable::Kind::fixed)
            return fail_format(ErrorCode::name_in_use,
                               "MAC address %s is another port's already: give each its own",
                               mac.to_string().c_str());
    }
    const PortId port(static_cast<std::uint32_t>(number));
    for (const MacAddress& mac : options.announced) {
        if (table_.fix(mac, port, now_ns_))
            continue;
        table_.forget(port);
        return fail(ErrorCode::limit_reached,
                    "the switch's table is full of announced MAC addresses: make it larger");
    }
    ports_[number] = {options.isolation, options.sources, {}};
    present_.set(number);
    isolated_.set(number, options.isolation == Isolation::isolated);
    any_source_.set(number, options.sources == Sources::any);
    return port;
}

void LearningSwitch::remove_port(PortId port) noexcept {
    CW_ASSERT(has_port(port));
    table_.forget(port);
    present_.reset(port.value());
    isolated_.reset(port.value());
    any_source_.reset(port.value());
}

LearningSwitch::Received LearningSwitch::receive(PortId from, std::span<const std::byte> frame,
                                                 std::uint64_t now_ns) noexcept {
    Received received{{}, check_frame(frame, mtu_)};
    if (received.frame.verdict == FrameVerdict::good) {
        received.decision = decide(from, received.frame.facts, now_ns);
        return received;
    }
    PortCounters& counters = at(from).counters;
    ++counters.frames_in;
    ++counters.dropped[static_cast<std::size_t>(DropReason::malformed)];
    ++counters.malformed[static_cast<std::size_t>(received.frame.verdict)];
    received.decision = drop(DropReason::malformed);
    return received;
}

void LearningSwitch::count_in(PortCounters& counters, const FrameFacts& facts) noexcept {
    ++counters.frames_in;
    counters.bytes_in += facts.length;
    if (facts.destination.is_broadcast())
        ++counters.broadcast_in;
    else if (facts.destination.is_multicast())
        ++counters.multicast_in;
}

Decision LearningSwitch::decide(PortId from, const FrameFacts& facts,
                                std::uint64_t now_ns) noexcept {
    PortCounters& counters = at(from).counters;
    count_in(counters, facts);
    advance(now_ns);
    const Decision decision = route(from, facts);
    switch (decision.kind) {
        case Decision::Kind::drop:
            ++counters.dropped[static_cast<std::size_t>(decision.reason)];
            break;
        case Decision::Kind::forward:
            ++counters.forwarded;
            break;
        case Decision::Kind::flood:
            ++counters.flooded;
            break;
    }
    return decision;
}

Decision LearningSwitch::route(PortId from, const FrameFacts& facts) noexcept {
    Port& port = at(from);
    const MacTable::Entry* sender = table_.find(facts.source);
    const bool fixed = sender != nullptr && sender->kind == MacTable::Kind::fixed;
    const bool own = fixed && sender->port == from;
    if (port.sources == Sources::announced) {
        if (!own)
            return drop(DropReason::spoofed);
    } else if (fixed && !own) {
        return drop(DropReason::taken);
    }
    if (facts.destination.is_link_local())
        return drop(DropReason::link_local);
    if (!own && table_.learn(facts.source, from, now_ns_) == MacTable::Learned::no_room)
        ++port.counters.not_learned;

    PortSet ports = reachable(from);
    if (!facts.destination.is_multicast()) {
        if (const MacTable::Entry* found = table_.find(facts.destination); found != nullptr) {
            const PortId to = found->port;
            if (to == from)
                return drop(DropReason::same_port);
            if (!ports[to.value()])
                return drop(DropReason::isolated);
            return {Decision::Kind::forward, DropReason::none, to, PortSet().set(to.value())};
        }
        ports &= any_source_;
    }
    if (ports.none())
        return drop(DropReason::unreachable);
    return {Decision::Kind::flood, DropReason::none, {}, ports};
}

PortSet LearningSwitch::reachable(PortId from) const noexcept {
    PortSet ports = present_;
    if (isolated_[from.value()])
        ports &= ~isolated_;
    ports.reset(from.value());
    return ports;
}

void LearningSwitch::sent(PortId to, const FrameFacts& facts) noexcept {
    PortCounters& counters = at(to).counters;
    ++counters.frames_out;
    counters.bytes_out += facts.length;
}

void LearningSwitch::lost(PortId to) noexcept { ++at(to).counters.lost_out; }

const char* name(DropReason reason) noexcept {
    switch (reason) {
        case DropReason::none:
            return "none";
        case DropReason::malformed:
            return "malformed";
        case DropReason::spoofed:
            return "spoofed";
        case DropReason::taken:
            return "taken";
        case DropReason::link_local:
            return "link_local";
        case DropReason::same_port:
            return "same_port";
        case DropReason::isolated:
            return "isolated";
        case DropReason::unreachable:
            return "unreachable";
    }
    return "unknown";
}

}  // namespace causeway::io::network
