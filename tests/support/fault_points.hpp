// Which fault points (base/fault_point.hpp) are reached by what. A point that is in none of these
// tables fails a test, and so does one at which nobody dies.
#pragma once

#include <algorithm>
#include <ostream>
#include <string>

#include "support/acts.hpp"

namespace causeway::test {

struct PartitionFault {
    const char* point;
    const char* executor;
    Act act;
};
inline constexpr PartitionFault kPartitionFaults[] = {
    {"engine.send.taken", "direct", Act::send_large},
    {"engine.receive.taken", "direct", Act::send_large},
    {"engine.receive.taken", "direct", Act::write_immediate},
    {"engine.append.reserved", "direct", Act::append},
    {"engine.plain.moved", "direct", Act::send_again},
    {"engine.plain.receiver_completed", "direct", Act::send_again},
    {"engine.move.stretch", "direct", Act::send_gather},
    {"engine.move.piece", "direct", Act::send_large},
    {"engine.move.piece", "direct", Act::read},
    {"engine.move.piece", "direct", Act::append},
    {"engine.receiver.completed", "direct", Act::send_large},
    {"engine.receiver.completed", "direct", Act::write_immediate},
    {"engine.append.ended", "direct", Act::append},
    {"engine.sender.completed", "direct", Act::write_immediate},
    {"client.send.published", "adapter", Act::send_large},
    {"client.send.published", "direct", Act::read},
    {"client.receive.published", "adapter", Act::receive},
    {"client.receive.published", "direct", Act::receive},
    {"client.register.replied", "adapter", Act::allocate},
    {"client.deregister.forgotten", "adapter", Act::deregister},
    {"client.deregister.forgotten", "direct", Act::deregister},
    {"client.connect.requested", "adapter", Act::connect},
    {"client.connect.requested", "direct", Act::connect},
    {"client.direct.own_fetched", "direct", Act::connect},
    {"client.direct.own_fetched", "direct", Act::accept},
    {"client.direct.bell_fetched", "direct", Act::connect},
    {"client.direct.bell_fetched", "direct", Act::accept},
    {"client.direct.opening", "direct", Act::connect},
    {"client.direct.opened", "direct", Act::accept},
};

// What an adapter comes by while two partitions connect and exchange, by this executor.
struct AdapterFault {
    const char* point;
    const char* executor;
};
inline constexpr AdapterFault kAdapterFaults[] = {
    {"engine.plain.moved", "adapter"},         {"engine.plain.receiver_completed", "adapter"},
    {"engine.send.taken", "adapter"},          {"engine.receive.taken", "adapter"},
    {"engine.append.locked", "adapter"},       {"engine.append.reserved", "adapter"},
    {"engine.move.stretch", "adapter"},        {"engine.move.piece", "adapter"},
    {"engine.receiver.completed", "adapter"},  {"engine.append.ended", "adapter"},
    {"engine.sender.completed", "adapter"},    {"adapter.register.part_taken", "adapter"},
    {"adapter.register.mapped", "adapter"},    {"adapter.register.published", "adapter"},
    {"adapter.create.made", "adapter"},        {"adapter.create.added", "adapter"},
    {"adapter.connect.waiting", "adapter"},    {"adapter.connect.waiting", "direct"},
    {"adapter.accept.matched", "adapter"},     {"adapter.accept.matched", "direct"},
    {"adapter.mover.one_connected", "direct"}, {"adapter.mover.one_connected", "adapter"},
    {"adapter.direct.bells_made", "direct"},   {"adapter.deregister.removed", "adapter"},
    {"adapter.deregister.removed", "direct"},
};

inline void PrintTo(const PartitionFault& fault, std::ostream* out) { *out << fault.point; }
inline void PrintTo(const AdapterFault& fault, std::ostream* out) { *out << fault.point; }

// As GoogleTest wants it.
[[nodiscard]] inline std::string test_name(std::string point) {
    std::replace(point.begin(), point.end(), '.', '_');
    return point;
}

}  // namespace causeway::test
