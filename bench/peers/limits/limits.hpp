// The machine's limits, as data paths: the best that can be had without protection or checks.
#pragma once

#include <memory>

#include "kernels.hpp"
#include "peer/peer.hpp"

namespace causeway::bench {

// A hand-made loop between two cores: the sender copies into a ring of buffers in shared memory,
// the receiver owns and reads them there. Up to kRingInline bytes travel in the line that tells.
inline constexpr std::size_t kRingInline = 56;
[[nodiscard]] Result<std::unique_ptr<perf::Endpoint>> make_ring(Kernel kernel,
                                                                const perf::Plan& plan,
                                                                perf::Role role,
                                                                perf::SideChannel& side);

// One core copies from buffer to buffer, as many in turn as a data path would use; nobody reads.
[[nodiscard]] Result<std::unique_ptr<Sampler>> make_copier(Kernel kernel, const perf::Plan& plan);

}  // namespace causeway::bench
