#include "io/network/mac_table.hpp"

#include <algorithm>
#include <bit>

#include "base/assert.hpp"

namespace causeway::io::network {

MacTable::MacTable(const MacTableOptions& options) : options_(options), of_port_(kMaxPorts) {
    CW_ASSERT(options.entries > 0 && options.entries < kNone);
    nodes_.resize(options.entries);
    buckets_.assign(std::bit_ceil(options.entries), kNone);
    for (std::size_t i = nodes_.size(); i-- > 0;) {
        nodes_[i].next_in_bucket = free_;
        free_ = static_cast<Index>(i);
    }
}

MacTable::Index& MacTable::bucket(const MacAddress& mac) noexcept {
    return buckets_[hash(mac, options_.seed) & (buckets_.size() - 1)];
}

MacTable::Index MacTable::index_of(const MacAddress& mac) const noexcept {
    Index index = buckets_[hash(mac, options_.seed) & (buckets_.size() - 1)];
    while (index != kNone && nodes_[index].entry.mac != mac)
        index = nodes_[index].next_in_bucket;
    return index;
}

const MacTable::Entry* MacTable::find(const MacAddress& mac) const noexcept {
    const Index index = index_of(mac);
    return index == kNone ? nullptr : &nodes_[index].entry;
}

MacTable::Learned MacTable::learn(const MacAddress& mac, PortId port,
                                  std::uint64_t now_ns) noexcept {
    const Index known = index_of(mac);
    const bool full = of_port_[port.value()] >= options_.entries_per_port;
    if (known != kNone) {
        Entry& entry = nodes_[known].entry;
        if (entry.kind == Kind::fixed)
            return Learned::yes;
        if (entry.port != port) {
            if (full)
                return Learned::no_room;
            --of_port_[entry.port.value()];
            ++of_port_[port.value()];
            entry.port = port;
        }
        entry.seen_ns = now_ns;
        if (known != newest_) {
            unlink_age(known);
            append_newest(known);
        }
        return Learned::yes;
    }
    if (full || free_ == kNone)
        return Learned::no_room;
    append_newest(insert({mac, port, Kind::learned, now_ns}));
    return Learned::yes;
}

bool MacTable::fix(const MacAddress& mac, PortId port, std::uint64_t now_ns) noexcept {
    const Index known = index_of(mac);
    if (known != kNone) {
        const Entry& entry = nodes_[known].entry;
        if (entry.kind == Kind::fixed)
            return entry.port == port;
        erase(known);
    }
    if (free_ == kNone) {
        if (oldest_ == kNone)
            return false;
        erase(oldest_);
    }
    (void)insert({mac, port, Kind::fixed, now_ns});
    return true;
}

void MacTable::forget(PortId port) noexcept {
    for (std::size_t i = 0; i < nodes_.size() && of_port_[port.value()] != 0; ++i) {
        const auto index = static_cast<Index>(i);
        // A free node is not found under its address.
        if (nodes_[i].entry.port == port && index_of(nodes_[i].entry.mac) == index)
            erase(index);
    }
}

void MacTable::expire(std::uint64_t now_ns) noexcept {
    while (oldest_ != kNone && now_ns - nodes_[oldest_].entry.seen_ns >= options_.ageing_ns)
        erase(oldest_);
}

std::vector<MacTable::Entry> MacTable::entries() const {
    std::vector<Entry> all;
    all.reserve(used_);
    for (Index index : buckets_) {
        for (; index != kNone; index = nodes_[index].next_in_bucket)
            all.push_back(nodes_[index].entry);
    }
    return all;
}

MacTable::Index MacTable::insert(const Entry& entry) noexcept {
    const Index index = free_;
    Node& node = nodes_[index];
    free_ = node.next_in_bucket;
    Index& first = bucket(entry.mac);
    node = {entry, first, kNone, kNone};
    first = index;
    ++of_port_[entry.port.value()];
    ++used_;
    return index;
}

void MacTable::erase(Index index) noexcept {
    Node& node = nodes_[index];
    Index* link = &bucket(node.entry.mac);
    while (*link != index)
        link = &nodes_[*link].next_in_bucket;
    *link = node.next_in_bucket;
    if (node.entry.kind == Kind::learned)
        unlink_age(index);
    --of_port_[node.entry.port.value()];
    --used_;
    node.next_in_bucket = free_;
    free_ = index;
}

void MacTable::append_newest(Index index) noexcept {
    nodes_[index].older = newest_;
    nodes_[index].newer = kNone;
    (newest_ == kNone ? oldest_ : nodes_[newest_].newer) = index;
    newest_ = index;
}

void MacTable::unlink_age(Index index) noexcept {
    const Node& node = nodes_[index];
    (node.older == kNone ? oldest_ : nodes_[node.older].newer) = node.newer;
    (node.newer == kNone ? newest_ : nodes_[node.newer].older) = node.older;
}

}  // namespace causeway::io::network
