// Fault guard: a memory access that faults (SIGSEGV, SIGBUS) ends the guarded function, not the
// process. For copies from and to memory whose owner may shrink, punch or revoke it.
//
//     FaultInfo fault;
//     if (!guarded([&] { copy(to, from, length); }, fault)) ...   // fault.address says where
//
// Threading: every thread has its own guards. install_fault_guard() before the first one, from any
// thread.
// Ownership: the process' handlers of SIGSEGV and SIGBUS. What was installed before is called for
// every fault that is not ours; who installs a handler later must do the same.
//
// Invariants:
//  1. The guarded function is left in the middle, without unwinding: it may own nothing (no object
//     with a destructor, no lock, no allocation) and may not throw. What it had written before the
//     fault is unspecified, except through std::atomic, volatile or memory that an opaque call
//     wrote.
//  2. Only synchronous faults of the thread inside its guard are taken, and, with ranges, only
//  those
//     whose address lies in one of them; anything else goes to the previous handler, and to the
//     kernel's default if there is none.
//  3. Guards nest; the innermost whose ranges match takes the fault.
//  4. No signal mask is touched on the way: entering and leaving costs a few nanoseconds.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "base/result.hpp"
#include "base/sanitizers.hpp"

// How the handler jumps back. The compiler's own jump saves three words instead of all registers;
// the library's is the one that AddressSanitizer knows and that every architecture has;
// ThreadSanitizer blocks all signals while a handler runs, so there (and only there) the mask is
// saved and restored.
#if CW_THREAD_SANITIZER
#define CW_JUMP_RESTORES_MASK 1
#elif CW_ADDRESS_SANITIZER || CW_MEMORY_SANITIZER
#define CW_JUMP_BY_LIBRARY 1
#endif

#if defined(CW_JUMP_RESTORES_MASK)
#include <setjmp.h>
#define CW_SET_JUMP(landing) sigsetjmp(landing, 1)
#define CW_LONG_JUMP(landing) ::siglongjmp(landing, 1)
#elif defined(CW_JUMP_BY_LIBRARY) || !defined(__x86_64__)
#include <setjmp.h>
#define CW_SET_JUMP(landing) _setjmp(landing)
#define CW_LONG_JUMP(landing) ::_longjmp(landing, 1)
#else
#define CW_SET_JUMP(landing) __builtin_setjmp(landing)
#define CW_LONG_JUMP(landing) __builtin_longjmp(landing, 1)
#endif

namespace causeway::platform {

struct FaultInfo {
    std::uintptr_t address = 0;  // that was accessed; 0 where the processor does not tell
    int signal = 0;              // SIGSEGV or SIGBUS
};

// [begin, end). The ranges of a guard must not change while it is in force.
struct FaultRange {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
};

// Installs the handlers; calling it again is harmless. wrong_state if somebody else has put his own
// handler over ours: whether that one passes faults on to us cannot be known, and putting ours back
// could make the two call each other for ever.
[[nodiscard]] Result<void> install_fault_guard();
// Are ours the handlers that the kernel calls?
[[nodiscard]] bool fault_guard_installed() noexcept;

namespace detail {

#if defined(CW_JUMP_RESTORES_MASK)
using Landing = sigjmp_buf;
#elif defined(CW_JUMP_BY_LIBRARY) || !defined(__x86_64__)
using Landing = jmp_buf;
#else
using Landing = void* [5];
#endif

struct FaultFrame {
    FaultFrame* outer;
    const FaultRange* ranges;  // null: any address
    std::uint32_t range_count;
    FaultInfo fault;
    Landing landing;
};

// Initial-exec: the handler may run where the dynamic linker's lazy TLS allocation is not allowed.
extern constinit thread_local FaultFrame* fault_frame __attribute__((tls_model("initial-exec")));

}  // namespace detail

// Runs f. False if it faulted within `ranges` (any address where there are none); then `fault`
// tells.
template<typename F>
[[nodiscard, gnu::noinline]] bool guarded_within(std::span<const FaultRange> ranges, F&& f,
                                                 FaultInfo& fault) noexcept {
    static_assert(std::is_void_v<std::invoke_result_t<F&>>);
    detail::FaultFrame frame;
    frame.outer = detail::fault_frame;
    frame.ranges = ranges.data();
    frame.range_count = static_cast<std::uint32_t>(ranges.size());
    if (CW_SET_JUMP(frame.landing) != 0) {
        fault = frame.fault;  // the handler has taken the frame off
        return false;
    }
    detail::fault_frame = &frame;
    // The compiler may move no access of f out of the guard.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    f();
    std::atomic_signal_fence(std::memory_order_seq_cst);
    detail::fault_frame = frame.outer;
    return true;
}

template<typename F>
[[nodiscard]] bool guarded(F&& f, FaultInfo& fault) noexcept {
    return guarded_within(std::span<const FaultRange>{}, std::forward<F>(f), fault);
}
template<typename F>
[[nodiscard]] bool guarded(F&& f) noexcept {
    FaultInfo fault;
    return guarded_within(std::span<const FaultRange>{}, std::forward<F>(f), fault);
}

}  // namespace causeway::platform
