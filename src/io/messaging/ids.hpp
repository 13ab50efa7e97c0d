// What the ids of a channel's descriptors mean. Own file because both halves of Channel use it.
#pragma once

#include <cstdint>

namespace causeway::io::messaging {

inline constexpr std::uint64_t kReceiveId = std::uint64_t{1} << 63;    // plus the receive's number
inline constexpr std::uint64_t kUncountedId = std::uint64_t{1} << 62;  // of what nobody waits for
inline constexpr std::uint64_t kMostCookie = kUncountedId - 1;
inline constexpr std::uint32_t kMostSlices = 30;  // of a message, without its Header

}  // namespace causeway::io::messaging
