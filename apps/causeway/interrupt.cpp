#include "interrupt.hpp"

#include <atomic>
#include <csignal>

namespace causeway::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
std::atomic<int> caught{0};
static_assert(std::atomic<int>::is_always_lock_free);  // a handler stores it

void set_handler(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    for (const int signal : kSignals)
        ::sigaction(signal, &action, nullptr);
}

}  // namespace

void catch_interrupts() {
    set_handler([](int signal) { caught.store(signal, std::memory_order_relaxed); });
}

int interrupted() noexcept { return caught.load(std::memory_order_relaxed); }

void release_interrupts() { set_handler(SIG_DFL); }

}  // namespace causeway::cli
