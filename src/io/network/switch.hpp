// LearningSwitch: where a frame goes. It decides and counts; carrying the frame is the caller's.
//
// What it is not: there is no spanning tree (a loop outside is the administrator's), no IGMP or MLD
// snooping (multicast goes where broadcast goes), and VLANs are not told apart (a tag passes as it
// is, an address is one whatever its VLAN).
//
// Threading: one thread. Ownership: its own tables; frames and ports are the caller's. It has no
// clock: the caller says the time, in nanoseconds of any monotonic clock. A time before the last
// one counts as the last one.
//
// Invariants:
//  1. A frame never goes back to the port that it came from.
//  2. Nothing passes between two isolated ports, in either direction, unicast or flooded.
//  3. A port that announced its addresses sends from no other (DropReason::spoofed), and an
//     announced address is found behind its port whatever frames say elsewhere
//     (DropReason::taken).
//  4. Unicast to an address that nobody knows goes to ports with Sources::any only: what is behind
//     a port with announced addresses is known. So such a port sees its own unicast, broadcast and
//     multicast, and of others' unicast nothing.
//  5. For each port: frames_in = forwarded + flooded + the sum of dropped.
//  6. No call allocates but add_port() and entries().
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "io/network/frame.hpp"
#include "io/network/mac.hpp"
#include "io/network/mac_table.hpp"

namespace causeway::io::network {

using PortSet = std::bitset<kMaxPorts>;
inline constexpr std::size_t kMaxAnnounced = 16;  // addresses of one port

struct SwitchOptions {
    std::uint32_t mtu = 1500;  // kMinMtu to kMaxMtu
    MacTableOptions table{};
};

enum class Isolation : std::uint8_t { open, isolated };  // isolated: reaches open ports only
enum class Sources : std::uint8_t { announced, any };    // any: the uplink; addresses are learned

struct PortOptions {
    Isolation isolation = Isolation::open;
    Sources sources = Sources::announced;
    // With Sources::announced at least one, with Sources::any those that are certain, or none.
    std::span<const MacAddress> announced{};
};

enum class DropReason : std::uint8_t {
    none,
    malformed,    // check_frame() says no: PortCounters::malformed says which way
    spoofed,      // from an address that this port did not announce
    taken,        // from an address that another port announced
    link_local,   // for the other end of the cable: MacAddress::is_link_local()
    same_port,    // the destination is behind the port that it came from
    isolated,     // from one isolated port to another
    unreachable,  // to be flooded, and there is no port that may have it
};
inline constexpr std::size_t kDropReasons = 8;
[[nodiscard]] const char* name(DropReason reason) noexcept;

struct Decision {
    enum class Kind : std::uint8_t { drop, forward, flood };
    Kind kind = Kind::drop;
    DropReason reason = DropReason::none;  // of a drop
    PortId to{};                           // of a forward
    PortSet ports{};                       // of a forward and of a flood: all of them
};

// Bytes are those of Ethernet frames, without virtio-net headers.
struct PortCounters {
    std::uint64_t frames_in = 0;
    std::uint64_t bytes_in = 0;  // of the well-formed ones
    std::uint64_t frames_out = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t lost_out = 0;  // decided for this port, which did not take it in time
    std::uint64_t broadcast_in = 0;
    std::uint64_t multicast_in = 0;  // without broadcast
    std::uint64_t forwarded = 0;     // of those that came in: to one port
    std::uint64_t flooded = 0;       // to all that may have it
    std::uint64_t not_learned = 0;   // frames whose source found no room in the table
    std::array<std::uint64_t, kDropReasons> dropped{};
    std::array<std::uint64_t, kFrameVerdicts> malformed{};

    [[nodiscard]] std::uint64_t operator[](DropReason reason) const noexcept {
        return dropped[static_cast<std::size_t>(reason)];
    }
    [[nodiscard]] std::uint64_t operator[](FrameVerdict verdict) const noexcept {
        return malformed[static_cast<std::size_t>(verdict)];
    }
};

class LearningSwitch {
public:
    // invalid_argument: an MTU or table that cannot be.
    [[nodiscard]] static Result<LearningSwitch> make(const SwitchOptions& options);

    // The lowest number that is free. invalid_argument: no announced address, too many, or one that
    // no station can have; name_in_use: announced by another port; limit_reached: kMaxPorts, or a
    // table full of announced addresses. A learned entry for an announced address gives way.
    [[nodiscard]] Result<PortId> add_port(const PortOptions& options, std::uint64_t now_ns);
    // Its entries go with it. Its number and counters are the next one's, from zero.
    void remove_port(PortId port) noexcept;
    [[nodiscard]] bool has_port(PortId port) const noexcept {
        return port.value() < kMaxPorts && present_[port.value()];
    }
    [[nodiscard]] const PortSet& ports() const noexcept { return present_; }

    struct Received {
        Decision decision;
        CheckedFrame frame;  // what to act on: facts.head(), then the buffer from kHeadSize
    };
    // check_frame() with the switch's MTU, decide(), and counting, in one.
    [[nodiscard]] Received receive(PortId from, std::span<const std::byte> frame,
                                   std::uint64_t now_ns) noexcept;
    // For a frame that check_frame() found good. Learns the source, counts it as come in.
    [[nodiscard]] Decision decide(PortId from, const FrameFacts& facts,
                                  std::uint64_t now_ns) noexcept;
    // What became of a frame at a port that it was decided for.
    void sent(PortId to, const FrameFacts& facts) noexcept;
    void lost(PortId to) noexcept;

    // Forgets what is too old: decide() does, too; this is for when no frame comes.
    void expire(std::uint64_t now_ns) noexcept;

    [[nodiscard]] std::uint32_t mtu() const noexcept { return mtu_; }
    [[nodiscard]] const PortCounters& counters(PortId port) const noexcept;
    // A new port counts on from these.
    void count_on(PortId port, const PortCounters& from) noexcept { at(port).counters = from; }
    [[nodiscard]] const MacTable& table() const noexcept { return table_; }

private:
    struct Port {
        Isolation isolation = Isolation::open;
        Sources sources = Sources::announced;
        PortCounters counters;
    };

    explicit LearningSwitch(const SwitchOptions& options);

    [[nodiscard]] Port& at(PortId port) noexcept;
    [[nodiscard]] Decision route(PortId from, const FrameFacts& facts) noexcept;
    [[nodiscard]] PortSet reachable(PortId from) const noexcept;
    void count_in(PortCounters& counters, const FrameFacts& facts) noexcept;
    void advance(std::uint64_t now_ns) noexcept;

    std::uint32_t mtu_;
    MacTable table_;
    std::vector<Port> ports_;  // kMaxPorts
    PortSet present_;
    PortSet isolated_;
    PortSet any_source_;
    std::uint64_t now_ns_ = 0;
};

}  // namespace causeway::io::network
