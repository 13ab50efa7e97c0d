// MacTable: which address is behind which port. Of fixed size; nothing is allocated after it is
// made.
//
// Threading: one thread. Ownership: its own memory. Time is what the caller says it is, in
// nanoseconds, and never runs backwards.
//
// Invariants:
//  1. At most `entries` in all. A port that holds `entries_per_port` learns no more, so that one
//     that makes up addresses fills its own share, and pushes nobody's out, nor its own.
//  2. A fixed entry stays until its port is forgotten, and no frame changes it. Where there is no
//     room it takes the place of the learned one that has been silent longest: who announces an
//     address has a place, unless fixed ones fill everything.
//  3. A learned entry is gone `ageing_ns` after its last frame (at the next expire()).
//  4. Looking up takes the same few steps whatever addresses peers choose: where an address goes
//     depends on a seed that they do not know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/strong.hpp"
#include "io/network/mac.hpp"

namespace causeway::io::network {

using PortId = Strong<struct PortIdTag, std::uint32_t>;  // of a switch: 0 to kMaxPorts - 1
inline constexpr std::size_t kMaxPorts = 256;

struct MacTableOptions {
    std::size_t entries = 4096;
    std::size_t entries_per_port = 1024;
    std::uint64_t ageing_ns = 300'000'000'000;
    std::uint64_t seed = 0;  // a random number
};

class MacTable {
public:
    enum class Kind : std::uint8_t { learned, fixed };
    struct Entry {
        MacAddress mac;
        PortId port;
        Kind kind = Kind::learned;
        std::uint64_t seen_ns = 0;  // when its last frame came; of a fixed one: when it was made
    };
    enum class Learned { yes, no_room };

    explicit MacTable(const MacTableOptions& options);

    // nullptr: not known. Until the next call that changes the table.
    [[nodiscard]] const Entry* find(const MacAddress& mac) const noexcept;

    // A frame from `mac` came through `port`. A learned entry of another port moves here, unless
    // this port's share is full: then it stays. A fixed one is not touched.
    Learned learn(const MacAddress& mac, PortId port, std::uint64_t now_ns) noexcept;
    // False: no room, or it is fixed for another port. A learned entry is taken over.
    [[nodiscard]] bool fix(const MacAddress& mac, PortId port, std::uint64_t now_ns) noexcept;
    // All of one port.
    void forget(PortId port) noexcept;
    // Learned entries whose time is over.
    void expire(std::uint64_t now_ns) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return used_; }
    [[nodiscard]] std::size_t size(PortId port) const noexcept { return of_port_[port.value()]; }
    // A copy, in no order.
    [[nodiscard]] std::vector<Entry> entries() const;

private:
    using Index = std::uint32_t;
    static constexpr Index kNone = 0xffffffff;
    struct Node {
        Entry entry;
        Index next_in_bucket = kNone;  // or in the free list
        Index older = kNone;           // learned ones, by seen_ns
        Index newer = kNone;
    };

    [[nodiscard]] Index& bucket(const MacAddress& mac) noexcept;
    [[nodiscard]] Index index_of(const MacAddress& mac) const noexcept;
    [[nodiscard]] Index insert(const Entry& entry) noexcept;
    void erase(Index index) noexcept;
    void append_newest(Index index) noexcept;
    void unlink_age(Index index) noexcept;

    MacTableOptions options_;
    std::vector<Node> nodes_;
    std::vector<Index> buckets_;  // a power of two
    std::vector<std::size_t> of_port_;
    Index free_ = kNone;
    Index oldest_ = kNone;
    Index newest_ = kNone;
    std::size_t used_ = 0;
};

}  // namespace causeway::io::network
