// What two ends of `causeway pipe` say to one another: the contents of the Sends.
//
// A Send without immediate is the next piece of the byte stream, at most Hello::chunk bytes. One
// with an immediate is a Message. The order of a direction:
//
//   hello, piece..., end      and for the other direction, when all of it has been written: done
//
// An end that cannot go on says failed instead, and leaves.
#pragma once

#include <cstddef>
#include <cstdint>

namespace causeway::pipe {

enum class Message : std::uint32_t {  // the immediate
    hello = 1,                        // with a Hello
    end = 2,                          // my input has ended
    done = 3,                         // your bytes, up to your end, were written to my output
    failed = 4,                       // with a Failure
};

inline constexpr std::uint32_t kMagic = 0x50495043;  // "CPIP"
inline constexpr std::uint16_t kVersion = 1;

struct Hello {
    std::uint32_t magic;
    std::uint16_t version;
    std::uint16_t reserved;
    std::uint32_t chunk;  // most bytes of a piece that this end takes
    std::uint32_t reserved2;
};
static_assert(sizeof(Hello) == 16);

enum class Failure : std::uint32_t {
    input = 1,   // reading standard input failed
    output = 2,  // standard output failed or was closed
};

inline constexpr std::size_t kChunk = 256 << 10;  // bytes of a piece
inline constexpr std::uint32_t kDepth = 8;        // pieces on their way in each direction
inline constexpr std::size_t kMostMessage = 32;   // bytes: sent inline

}  // namespace causeway::pipe
