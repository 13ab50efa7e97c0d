#include "budget/path/allocations.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>

// The C library's own, under the names that it keeps for whoever stands in front of them.
extern "C" {
void* __libc_malloc(std::size_t size);                       // NOLINT
void* __libc_calloc(std::size_t count, std::size_t size);    // NOLINT
void* __libc_realloc(void* old, std::size_t size);           // NOLINT
void* __libc_memalign(std::size_t align, std::size_t size);  // NOLINT
void __libc_free(void* memory);                              // NOLINT
}

namespace {

std::atomic<bool> counting{false};
std::atomic<std::uint64_t> counted{0};

void count() noexcept {
    if (counting.load(std::memory_order_relaxed))
        counted.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) noexcept {
    count();
    return __libc_malloc(size);
}

void* calloc(std::size_t number, std::size_t size) noexcept {
    count();
    return __libc_calloc(number, size);
}

void* realloc(void* old, std::size_t size) noexcept {
    count();
    return __libc_realloc(old, size);
}

void* memalign(std::size_t align, std::size_t size) noexcept {
    count();
    return __libc_memalign(align, size);
}

void* aligned_alloc(std::size_t align, std::size_t size) noexcept {
    count();
    return __libc_memalign(align, size);
}

int posix_memalign(void** out, std::size_t align, std::size_t size) noexcept {
    count();
    void* const memory = __libc_memalign(align, size);
    if (memory == nullptr)
        return ENOMEM;
    *out = memory;
    return 0;
}

void free(void* memory) noexcept {
    count();
    __libc_free(memory);
}

}  // extern "C"

namespace causeway::test {

void count_allocations(bool on) noexcept { counting.store(on, std::memory_order_relaxed); }
std::uint64_t allocations() noexcept { return counted.load(std::memory_order_relaxed); }

}  // namespace causeway::test
