// What both ends of a network channel offer each other. Small frames come by Send, and so do
// acknowledgements; whatever is longer comes by Write, into buffers that hold the largest segment.
#pragma once

#include <causeway/abi/network.hpp>

#include "io/messaging/channel.hpp"
#include "io/network/frame.hpp"

namespace causeway::io::network {

inline constexpr std::uint32_t kSmallFrames = 256;
inline constexpr std::uint32_t kSmallFrame = 2048 - 32;
inline constexpr std::uint32_t kLargeFrames = 32;

[[nodiscard]] inline messaging::ChannelTerms unit_terms(abi::Executor executor) noexcept {
    messaging::ChannelTerms terms;
    terms.service = abi::network::kService;
    terms.features = abi::network::offload::kAll;
    terms.messages = kSmallFrames;
    terms.message = kSmallFrame;
    terms.buffers = kLargeFrames;
    terms.buffer = kMaxFrame;
    terms.sends = kSmallFrames;
    terms.place = kSmallFrame;
    terms.executor = executor;
    return terms;
}

// The host module reads its frames into the places that it sends from: fewer, but large ones.
[[nodiscard]] inline messaging::ChannelTerms host_terms(abi::Executor executor) noexcept {
    messaging::ChannelTerms terms = unit_terms(executor);
    terms.sends = 48;
    terms.place = kMaxFrame;
    return terms;
}

}  // namespace causeway::io::network
