// What a block unit offers its hosts: sizes and numbers. Own file because both halves of BlockUnit
// use them.
#pragma once

#include <causeway/abi/block.hpp>
#include <cstdint>

#include "io/block/chunks.hpp"
#include "io/messaging/channel.hpp"

namespace causeway::io::block {

inline constexpr std::uint32_t kHostDepth = 128;           // requests of a connection at once
inline constexpr std::uint32_t kMostInline = 4096;         // bytes that come by Send
inline constexpr std::uint32_t kLargeWrites = 16;          // that come by Write, at once
inline constexpr std::uint32_t kMostInPlace = 256U << 10;  // bytes
static_assert(kMostInPlace <= Chunks::kLarge);
inline constexpr std::uint32_t kChunkShares = 4;  // a partition has one of so many at most
inline constexpr std::uint32_t kSmallChunks = kChunkShares * kHostDepth;
inline constexpr std::uint64_t kMostDeallocate = 1ULL << 30;  // bytes

[[nodiscard]] inline messaging::ChannelTerms channel_terms(abi::Executor executor) noexcept {
    namespace wire = abi::block;
    messaging::ChannelTerms terms;
    terms.service = wire::kService;
    terms.messages = kHostDepth;
    terms.message = sizeof(wire::Request) + kMostInline;
    terms.buffers = kLargeWrites;
    terms.buffer = sizeof(wire::Request) + Chunks::kLarge;
    terms.sends = 2 * kHostDepth;  // each request is answered by two at most
    terms.place = sizeof(wire::Done) + wire::kMostExtents * sizeof(wire::Extent);
    terms.executor = executor;
    return terms;
}

}  // namespace causeway::io::block
