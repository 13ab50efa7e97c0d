// The two sides of a doorbell (abi/doorbell.hpp, which states the protocol).
//
// Threading: ring() may be called from several threads of the waker; take() and the sleep calls
// belong to the waiter's one thread. Ownership: borrows the mapped page.
#pragma once

#include <atomic>
#include <bit>
#include <causeway/abi/doorbell.hpp>
#include <cstdint>

namespace causeway::shm {

// Whether the waiter must be woken through the socket.
enum class Kick { no, yes };

// Who orders a publication before the look whether the waiter sleeps: the waker by a fence, or the
// waiter by a barrier on all processors before it sleeps (platform/membarrier.hpp).
enum class Ordering { fence, waiters_barrier };

inline void order(Ordering ordering) noexcept {
    if (ordering == Ordering::fence) {
        std::atomic_thread_fence(std::memory_order_seq_cst);
    } else {
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
}

class DoorbellWaker {
public:
    DoorbellWaker() = default;
    explicit DoorbellWaker(abi::DoorbellLayout* page) noexcept : page_(page) {}

    // Marks `bit` (below abi::kDoorbellBits).
    [[nodiscard]] Kick ring(std::uint32_t bit) const noexcept {
        const std::uint32_t word = bit / 64;
        page_->words[word].fetch_or(std::uint64_t{1} << (bit % 64), std::memory_order_release);
        page_->summary.fetch_or(std::uint64_t{1} << word, std::memory_order_release);
        return sleeping();
    }
    // SYNC(doorbell): pairs with DoorbellWaiter::announce_sleep. Either the waiter's second look
    // sees what was published before this call, or this load sees it asleep; without the fence both
    // could miss each other and the waiter would sleep on a full ring.
    [[nodiscard]] Kick sleeping(Ordering ordering = Ordering::fence) const noexcept {
        order(ordering);
        return page_->asleep.load(std::memory_order_relaxed) != 0 ? Kick::yes : Kick::no;
    }

private:
    abi::DoorbellLayout* page_ = nullptr;
};

class DoorbellWaiter {
public:
    DoorbellWaiter() = default;
    explicit DoorbellWaiter(abi::DoorbellLayout* page) noexcept : page_(page) {}

    [[nodiscard]] bool rung() const noexcept {
        return page_->summary.load(std::memory_order_relaxed) != 0;
    }
    // Calls `each(bit)` for every marked bit and clears it. A hostile waker can only make this see
    // bits, at most kDoorbellBits of them.
    template<typename F>
    void take(F&& each) const {
        if (!rung())
            return;
        std::uint64_t summary = page_->summary.exchange(0, std::memory_order_acquire);
        while (summary != 0) {
            const auto word = static_cast<std::uint32_t>(std::countr_zero(summary));
            summary &= summary - 1;
            std::uint64_t bits = page_->words[word].exchange(0, std::memory_order_acquire);
            while (bits != 0) {
                const auto bit = static_cast<std::uint32_t>(std::countr_zero(bits));
                bits &= bits - 1;
                each(word * 64 + bit);
            }
        }
    }
    // After this the caller looks at everything once more, and only then sleeps.
    // SYNC(doorbell): pairs with DoorbellWaker::sleeping.
    void announce_sleep() const noexcept {
        page_->asleep.store(1, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    void announce_awake() const noexcept { page_->asleep.store(0, std::memory_order_relaxed); }

private:
    abi::DoorbellLayout* page_ = nullptr;
};

}  // namespace causeway::shm
