#include "platform/fault_guard.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <mutex>

namespace causeway::platform {

namespace detail {

constinit thread_local FaultFrame* fault_frame = nullptr;

}  // namespace detail

namespace {

// What was installed before ours, by signal. Published before our handler is in force, replaced
// only by install_fault_guard, never freed: a handler may be reading it.
std::atomic<const struct sigaction*> previous_segv{nullptr};
std::atomic<const struct sigaction*> previous_bus{nullptr};

std::atomic<const struct sigaction*>& previous_of(int signal) noexcept {
    return signal == SIGSEGV ? previous_segv : previous_bus;
}

bool matches(const detail::FaultFrame& frame, std::uintptr_t address) noexcept {
    if (frame.ranges == nullptr)
        return true;
    for (std::uint32_t i = 0; i < frame.range_count; ++i) {
        if (address >= frame.ranges[i].begin && address < frame.ranges[i].end)
            return true;
    }
    return false;
}

// Caused by the instruction at hand, not sent by somebody, and not an asynchronous memory error.
bool synchronous(int signal, const siginfo_t& info) noexcept {
    if (info.si_code <= 0)
        return false;
    return !(signal == SIGBUS && info.si_code == BUS_MCEERR_AO);
}

// As if our handler had never been there.
void pass_on(int signal, siginfo_t* info, void* context) noexcept {
    const struct sigaction* const previous = previous_of(signal).load(std::memory_order_acquire);
    // sa_handler and sa_sigaction are one union; POSIX lets SIG_DFL and SIG_IGN be read from
    // either.
    const bool by_default = previous == nullptr || previous->sa_handler == SIG_DFL ||
                            (previous->sa_handler == SIG_IGN && synchronous(signal, *info));
    if (by_default) {
        struct sigaction standard {};
        standard.sa_handler = SIG_DFL;
        ::sigaction(signal, &standard, nullptr);
        // A fault comes again when we return; a signal that was sent has to be sent again.
        if (!synchronous(signal, *info)) {
            ::syscall(SYS_tgkill, ::getpid(), static_cast<pid_t>(::syscall(SYS_gettid)), signal);
        }
        return;
    }
    if (previous->sa_handler == SIG_IGN)
        return;

    sigset_t blocked = previous->sa_mask;
    if ((previous->sa_flags & SA_NODEFER) == 0)
        sigaddset(&blocked, signal);
    sigset_t before;
    // sigprocmask works on the calling thread; pthread_sigmask would need a newer C library.
    ::sigprocmask(SIG_BLOCK, &blocked, &before);  // NOLINT(concurrency-mt-unsafe)
    if ((previous->sa_flags & SA_SIGINFO) != 0) {
        previous->sa_sigaction(signal, info, context);
    } else {
        previous->sa_handler(signal);
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);  // NOLINT(concurrency-mt-unsafe)
}

void on_fault(int signal, siginfo_t* info, void* context) {
    if (synchronous(signal, *info)) {
        const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
        for (detail::FaultFrame* frame = detail::fault_frame; frame != nullptr;
             frame = frame->outer) {
            if (!matches(*frame, address))
                continue;
            detail::fault_frame = frame->outer;
            frame->fault = FaultInfo{address, signal};
            // SA_NODEFER and an empty mask: there is no signal mask to restore.
            CW_LONG_JUMP(frame->landing);
        }
    }
    const int saved = errno;
    pass_on(signal, info, context);
    errno = saved;
}

bool ours(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &on_fault;
}

Result<void> install_one(int signal) {
    struct sigaction current {};
    if (::sigaction(signal, nullptr, &current) != 0)
        return fail_errno("sigaction", errno);
    if (ours(current))
        return {};
    auto& previous = previous_of(signal);
    const bool plain = current.sa_handler == SIG_DFL || current.sa_handler == SIG_IGN;
    if (previous.load(std::memory_order_acquire) != nullptr && !plain) {
        return fail_format(
            ErrorCode::wrong_state,
            "somebody has replaced the handler of %s that Causeway had installed: "
            "install that handler before Causeway's, and let it be called from there",
            signal == SIGSEGV ? "SIGSEGV" : "SIGBUS");
    }
    // SYNC(previous_handler): release, pairs with pass_on's acquire; stored before our handler can
    // run, so it never misses whom to pass a fault on to.
    previous.store(new struct sigaction(current), std::memory_order_release);
    struct sigaction action {};
    action.sa_sigaction = &on_fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    if (::sigaction(signal, &action, nullptr) != 0)
        return fail_errno("sigaction", errno);
    return {};
}

}  // namespace

Result<void> install_fault_guard() {
    // One thread at a time: between its two steps, another one's handler would look like that of
    // somebody who has replaced ours.
    static constinit std::mutex lock;
    const std::lock_guard one(lock);
    CW_TRY(install_one(SIGSEGV));
    CW_TRY(install_one(SIGBUS));
    return {};
}

bool fault_guard_installed() noexcept {
    struct sigaction segv {};
    struct sigaction bus {};
    return ::sigaction(SIGSEGV, nullptr, &segv) == 0 && ours(segv) &&
           ::sigaction(SIGBUS, nullptr, &bus) == 0 && ours(bus);
}

}  // namespace causeway::platform
