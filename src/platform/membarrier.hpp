// membarrier(2): a full memory barrier on every thread of every process that registered for it, at
// the cost of the caller alone. A pair of fences of which one stands on a hot path and the other
// before a sleep becomes a compiler barrier here and this call there.
//
// Threading: from any thread.
#pragma once

namespace causeway::platform {

// Registers this process, once; false where the kernel does not offer it. A process that did not
// register is not reached by other processes' barriers.
[[nodiscard]] bool register_for_membarrier() noexcept;

// The barrier. Only after register_for_membarrier() was true.
void membarrier_everywhere() noexcept;

}  // namespace causeway::platform
