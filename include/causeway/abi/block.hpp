// What a block host module and a block unit say to each other, over the messaging layer
// (abi/messaging.hpp). The number of a message is its Header's kind; the tag of a request comes
// back with its Done.
//
// The host module begins with open, as soon as the channel is open; the unit answers with opened or
// refused. Requests before that, and more than `Opened::depth` at once, end the connection. They
// end in any order: what has to come after another is asked for when that has ended.
//
// Data comes with the message (write), goes to the memory that the request names (read), or, with
// kInPlace, is fetched by the device from the memory that the request names (write). The unit
// reaches that memory itself only on a connection of executor direct; otherwise it reads into
// memory of its own, and puts from there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace causeway::abi::block {

// Hello::service: ControllerType::block.
inline constexpr std::uint16_t kService = 2;

enum class Kind : std::uint16_t {
    open = 1,     // to the unit: Open
    opened = 2,   // to the host module: Opened
    refused = 3,  // to the host module: Refused, and why as text
    read = 16,    // to the unit, this and the following: Request
    write = 17,   // with the data behind it, unless kInPlace
    flush = 18,
    zero = 19,
    discard = 20,
    extents = 21,
    done = 32,  // to the host module: Done; of extents, with Extents behind it
};

// What a host wants to do with the disk.
enum class Access : std::uint32_t {
    read = 1,
    write = 2,   // as the only partition that writes
    shared = 3,  // write, as others may
};

struct Open {
    std::uint32_t access;  // Access
    std::uint32_t flags;   // zero
    std::uint64_t more;    // zero
};
static_assert(sizeof(Open) == 16);

// What the disk can do.
namespace feature {
inline constexpr std::uint32_t kReadOnly = 1;  // for this host
inline constexpr std::uint32_t kZero = 2;
inline constexpr std::uint32_t kDiscard = 4;
inline constexpr std::uint32_t kExtents = 8;
inline constexpr std::uint32_t kInPlace = 16;  // kInPlace of requests: executor direct
inline constexpr std::uint32_t kRotational = 32;
inline constexpr std::uint32_t kFastZero = 64;  // zeroing costs less than writing
}  // namespace feature

struct Opened {
    std::uint64_t size;           // bytes
    std::uint64_t unit;           // of this run of the unit: another number, another run
    std::uint32_t block;          // bytes: offsets and lengths are multiples of it; a power of two
    std::uint32_t preferred;      // bytes: requests of multiples of this cost least
    std::uint32_t depth;          // requests at once, at most
    std::uint32_t features;       // feature
    std::uint32_t most_moved;     // bytes of a read, or of a write that comes with its data
    std::uint32_t most_in_place;  // bytes of a read or write in place; 0 without the feature
    std::uint64_t most_deallocate;  // bytes of one zero or discard
    std::uint64_t more[2];          // zero
};
static_assert(sizeof(Opened) == 64 && offsetof(Opened, block) == 16);
static_assert(offsetof(Opened, most_moved) == 32 && offsetof(Opened, most_deallocate) == 40);

struct Refused {
    std::uint32_t error;     // errno: EROFS, EBUSY, EACCES, EINVAL
    std::uint32_t reserved;  // zero
};
static_assert(sizeof(Refused) == 8);

namespace request_flag {
inline constexpr std::uint32_t kFua = 1;         // write, zero, discard: done when it is durable
inline constexpr std::uint32_t kAllocate = 2;    // zero: what is written later must find its room
inline constexpr std::uint32_t kFastOnly = 4;    // zero: EOPNOTSUPP rather than writing zeros
inline constexpr std::uint32_t kInPlace = 8;     // write: from the memory that is named
inline constexpr std::uint32_t kOneExtent = 16;  // extents: the first is enough
inline constexpr std::uint32_t kAll = 31;
}  // namespace request_flag

struct Request {
    std::uint64_t offset;  // bytes
    std::uint32_t length;  // bytes; zero, discard and extents: blocks of `Opened::block`
    std::uint32_t flags;   // request_flag
    // Memory of the host: where a read puts its data, where a write in place has it.
    std::uint32_t handle;
    std::uint32_t generation;
    std::uint64_t address;
};
static_assert(sizeof(Request) == 32 && offsetof(Request, length) == 8);
static_assert(offsetof(Request, handle) == 16 && offsetof(Request, address) == 24);

struct Done {
    std::uint32_t error;  // errno, of those that NBD knows, or EFAULT: the memory cannot be reached
    std::uint32_t extents;  // that follow
};
static_assert(sizeof(Done) == 8);

namespace extent_flag {
inline constexpr std::uint32_t kHole = 1;  // takes no room
inline constexpr std::uint32_t kZero = 2;  // reads as zeros
}  // namespace extent_flag

inline constexpr std::uint32_t kMostExtents = 64;  // of one answer

// Side by side, from the request's offset on; the last one may end before or behind the request.
struct Extent {
    std::uint64_t length;  // bytes
    std::uint32_t flags;   // extent_flag
    std::uint32_t reserved;
};
static_assert(sizeof(Extent) == 16);

}  // namespace causeway::abi::block
