// Mapping: owns a range of addresses, and what is mapped in it.
//
// Threading: one thread at a time, except that revoke() may run while other threads use the memory;
// they then fault, which fault_guard.hpp turns into an error.
// Ownership: unmaps the whole range when it goes. The files behind it may be closed before.
//
// Invariants:
//  1. The range stays reserved from creation to destruction: nothing else can come to lie in it,
//  not
//     even after revoke().
//  2. Parts are placed only inside the own range.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.hpp"

namespace causeway::platform {

class Mapping {
public:
    enum class Placement {
        anywhere,  // `address` must be null
        vacant,    // exactly at `address`, where nothing may be mapped yet
        replace,   // exactly at `address`, over what the caller owns there
    };
    enum class Protection { read_only, read_write };

    Mapping() noexcept = default;
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() { reset(); }

    // `size` bytes of `fd` from `file_offset` on, shared. A multiple of the page size is not
    // required. Errors: no_memory (also when vm.max_map_count is reached), invalid_argument
    // (address taken).
    [[nodiscard]] static Result<Mapping> map(int fd, std::size_t size,
                                             std::uint64_t file_offset = 0,
                                             Protection protection = Protection::read_write,
                                             Placement placement = Placement::anywhere,
                                             void* address = nullptr);
    // Addresses only, without access or memory. `alignment`: a power of two, at least a page.
    [[nodiscard]] static Result<Mapping> reserve(std::size_t size, std::size_t alignment = 4096);

    // Places `size` bytes of `fd` at `offset` of the range, shared and writable.
    [[nodiscard]] Result<void> place(std::size_t offset, int fd, std::uint64_t file_offset,
                                     std::size_t size);

    // A child of fork() will not see the range (MADV_DONTFORK), as it stands now.
    [[nodiscard]] Result<void> dont_fork();

    // Populates [offset, offset+length) writable, in pieces of 2 MiB: afterwards no page of it has
    // to be faulted in. Blocks; takes about 0.2 ms per MiB. no_memory: memory or the cgroup's limit
    // ran out; memory that is populated by then stays.
    [[nodiscard]] Result<void> populate_write(std::size_t offset, std::size_t length);

    // Replaces the whole range by memory without access, in one step: no access to the old memory
    // succeeds after it returns. Memory and file references are given up.
    [[nodiscard]] Result<void> revoke();

    // Unmaps now; empty afterwards.
    void reset() noexcept;
    // Gives the range to the caller, who unmaps it.
    [[nodiscard]] std::byte* release() noexcept;

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool valid() const noexcept { return data_ != nullptr; }
    [[nodiscard]] std::uintptr_t address() const noexcept {
        return reinterpret_cast<std::uintptr_t>(data_);
    }
    [[nodiscard]] bool contains(std::uintptr_t where) const noexcept {
        return where - address() < size_;
    }
    // The range as a T at `offset`, which must lie inside and be aligned.
    template<typename T>
    [[nodiscard]] T* at(std::size_t offset = 0) const noexcept {
        return reinterpret_cast<T*>(data_ + offset);
    }

private:
    Mapping(std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace causeway::platform
