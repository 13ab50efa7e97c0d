// What an application may choose of a queue, a pipe or a server, with its defaults and limits.
//
// Threading: pure.
#pragma once

#include <causeway/causeway.h>

#include <cstdint>

#include "base/result.hpp"
#include "ipc/link.hpp"

namespace causeway::ipc::inner {

inline constexpr std::uint32_t kDefaultLargest = 4096;    // bytes of a message
inline constexpr std::uint32_t kDefaultPiece = 32 << 10;  // bytes of a pipe's buffer
inline constexpr std::uint32_t kDefaultDepth = 256;       // messages under way per connection
inline constexpr std::uint32_t kDefaultPieces = 16;       // buffers under way in a pipe
inline constexpr std::uint32_t kMostLargest = 64U << 20;  // bytes
inline constexpr std::uint32_t kMostDepth = 16384;
// Bytes that a connecting end furnishes because the other end says so, where it was not told itself
// how large messages may be.
inline constexpr std::uint64_t kMostUnasked = 256U << 20;

struct Terms {
    std::uint32_t largest = kDefaultLargest;  // connecting ends: at most; 0: as the other end says
    std::uint32_t largest_answer = kDefaultLargest;  // the same
    std::uint32_t depth = kDefaultDepth;
    cw_wait wait = CW_WAIT_ADAPTIVE;
    abi::Executor executor = abi::Executor::any;
};

}  // namespace causeway::ipc::inner
