// Copy kernels of the limits: on purpose not the engine's, which they are to judge.
//
// Threading: all functions are pure but for the memory given to them.
#pragma once

#include <cstddef>

namespace causeway::bench {

enum class Kernel { cached, nontemporal, rep_movsb };

// What was stored is visible to whoever acquires a later release, whichever kernel it was.
void copy_with(Kernel kernel, std::byte* to, const std::byte* from, std::size_t size) noexcept;

}  // namespace causeway::bench
