// Counts what this program asks of the C library's heap, operator new included: the program has
// functions of its own in front of malloc and its kin.
//
// Threading: count_allocations() and allocations() belong to one thread; every thread's are
// counted.
#pragma once

#include <cstdint>

namespace causeway::test {

void count_allocations(bool on) noexcept;
// Calls of malloc, calloc, realloc, aligned_alloc, memalign, posix_memalign and free while counting
// was on.
[[nodiscard]] std::uint64_t allocations() noexcept;

}  // namespace causeway::test
