// Control plane of the fabric bus (Fig 4): the controllers on the fabric, what they are for, and
// who uses them. A controller is a service whose partition announced it as one when it began to
// listen. By the rules of abi/control.hpp.
//
// Rows of one kind come a page at a time. A partition sees its own controllers and those that it
// may connect to, an observer what the partition of its entrance would see, one by the open
// entrance all. Who came in by a named entrance sees all users of its own controllers, and itself
// among those of others.
//
// `generation` stands for all that the asker sees: as long as it stays the same nothing has
// changed. It says nothing else, and another adapter counts in another way.
#pragma once

#include <causeway/abi/control.hpp>
#include <cstddef>
#include <cstdint>

namespace causeway::abi {

// What a controller is for.
enum class ControllerType : std::uint32_t {
    none = 0,  // no controller: an ordinary service
    network = 1,
    block = 2,
    security = 3,
    other = 4,
};

enum class ControllerState : std::uint32_t {
    up = 1,
    away = 2,  // its partition has not come back to this adapter yet
};

enum class BusKind : std::uint32_t { controllers = 0, users = 1 };

namespace bus_flag {
// A partition's events tell it once, by bus_changed, when what it sees has changed after this.
inline constexpr std::uint32_t kTell = 1;
inline constexpr std::uint32_t kAll = 1;
}  // namespace bus_flag

struct BusRequest {
    Header header;
    std::uint32_t kind;        // BusKind
    std::uint32_t flags;       // bus_flag
    std::uint64_t controller;  // users: of this one; controllers: zero
    std::uint64_t cursor;      // 0, or `next` of the page before
    // With cursor 0: the generation that the asker knows. Where it still holds no rows come. 0:
    // none.
    std::uint64_t known;
};
struct BusReply {  // followed by `rows` structures of `row_size` bytes
    Header header;
    std::uint32_t rows;
    std::uint32_t row_size;
    std::uint64_t next;        // cursor of the next page; 0: no more
    std::uint64_t generation;  // never 0
};
static_assert(sizeof(BusRequest) == 48 && sizeof(BusReply) == 40);
static_assert(offsetof(BusRequest, controller) == 24 && offsetof(BusRequest, cursor) == 32);
static_assert(offsetof(BusReply, next) == 24 && offsetof(BusReply, generation) == 32);

struct ControllerRow {
    std::uint64_t controller;  // its number as long as it is there, also at the next adapter
    char partition[kNameSize];
    char service[kNameSize];
    std::uint32_t type;   // ControllerType
    std::uint32_t state;  // ControllerState
    // Connections that were accepted and that neither end has let go of, as far as the asker sees.
    std::uint32_t connections;
    std::uint32_t users;  // partitions that have them
};
struct BusUserRow {
    char partition[kNameSize];
    std::uint32_t connections;
    std::uint32_t reserved;
};
static_assert(sizeof(ControllerRow) == 152 && sizeof(BusUserRow) == 72);
static_assert(offsetof(ControllerRow, type) == 136 && offsetof(ControllerRow, users) == 148);
static_assert(offsetof(BusUserRow, connections) == 64);

}  // namespace causeway::abi
