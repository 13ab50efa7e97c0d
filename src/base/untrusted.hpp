// Untrusted<T>: a value in shared memory that a peer may change at any moment. It is read once;
// what was read is validated and acted upon, never read again.
//
//     const std::uint32_t tail = Untrusted(layout.tail).load();       // once, then private
//     const std::uint32_t used = Untrusted(layout.count).clamp(0, entries);
//
// Threading: one Untrusted belongs to one thread; the value itself may change meanwhile.
// Ownership: refers to the value, which must outlive it.
//
// Invariants:
//  1. load() and clamp() exist for rvalues only, so that reading twice needs std::move twice, which
//     an assertion refuses. Nothing else reads the value.
//  2. Every byte is read once, by a relaxed atomic load: of a scalar as a whole, of a larger T word
//  by
//     word (where it is aligned for that). The compiler may not fetch anything again behind our
//     back.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/assert.hpp"

namespace causeway {

// In memory that others write: T is a plain type or std::atomic<T>.
template<typename T>
class Untrusted {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    explicit Untrusted(const T& shared) noexcept : shared_(&shared) {}
    Untrusted(Untrusted&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
    Untrusted(const Untrusted&) = delete;
    Untrusted& operator=(const Untrusted&) = delete;
    Untrusted& operator=(Untrusted&&) = delete;
    ~Untrusted() = default;

    // A private copy. Not atomic as a whole for T of more than 8 bytes: the copy is what counts.
    [[nodiscard]] T load() && noexcept {
        const T* shared = take();
        if constexpr (std::is_scalar_v<T> && sizeof(T) <= 8) {
            return __atomic_load_n(shared, __ATOMIC_RELAXED);
        } else {
            T copy;
            auto* to = reinterpret_cast<unsigned char*>(&copy);
            const auto* from = reinterpret_cast<const unsigned char*>(shared);
            if constexpr (alignof(T) % sizeof(Word) == 0) {
                for (std::size_t i = 0; i < sizeof(T); i += sizeof(Word)) {
                    const Word word =
                        __atomic_load_n(reinterpret_cast<const Word*>(from + i), __ATOMIC_RELAXED);
                    std::memcpy(to + i, &word, sizeof word);
                }
            } else {
                for (std::size_t i = 0; i < sizeof(T); ++i)
                    to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
            }
            return copy;
        }
    }
    // The value, brought into [least, most].
    [[nodiscard]] T clamp(const T& least, const T& most) && noexcept {
        return std::clamp(std::move(*this).load(), least, most);
    }

private:
    using Word = std::uint64_t __attribute__((may_alias));

    const T* take() noexcept {
        CW_ASSERT(shared_ != nullptr);  // a second load
        return std::exchange(shared_, nullptr);
    }
    const T* shared_;
};

template<typename T>
class Untrusted<std::atomic<T>> {
public:
    explicit Untrusted(const std::atomic<T>& shared) noexcept : shared_(&shared) {}
    Untrusted(Untrusted&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
    Untrusted(const Untrusted&) = delete;
    Untrusted& operator=(const Untrusted&) = delete;
    Untrusted& operator=(Untrusted&&) = delete;
    ~Untrusted() = default;

    // The order is the caller's business: it stands beside the SYNC comment there.
    [[nodiscard]] T load(std::memory_order order = std::memory_order_relaxed) && noexcept {
        CW_ASSERT(shared_ != nullptr);  // a second load
        return std::exchange(shared_, nullptr)->load(order);
    }
    [[nodiscard]] T clamp(const T& least, const T& most,
                          std::memory_order order = std::memory_order_relaxed) && noexcept {
        return std::clamp(std::move(*this).load(order), least, most);
    }

private:
    const std::atomic<T>* shared_;
};

template<typename T>
Untrusted(const T&) -> Untrusted<T>;
template<typename T>
Untrusted(const std::atomic<T>&) -> Untrusted<std::atomic<T>>;

}  // namespace causeway
