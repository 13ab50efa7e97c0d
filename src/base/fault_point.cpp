#include "base/fault_point.hpp"

#if defined(CAUSEWAY_FAULT_POINTS)

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace causeway::fault {
namespace {

struct Armed {
    char point[64] = "";
    std::atomic<long> left{0};  // times that the point is still to be reached
    int signal = SIGKILL;

    Armed() noexcept {
        if (const char* order = std::getenv("CAUSEWAY_FAULT"))
            set(order);
    }
    void set(const char* order) noexcept {
        const std::size_t length = std::strcspn(order, ":");
        const char* rest = order + length;
        const bool fits = length != 0 && length < sizeof point;
        std::memcpy(point, order, fits ? length : 0);
        point[fits ? length : 0] = '\0';
        long count = 1;
        if (*rest == ':') {
            char* end = nullptr;
            count = std::strtol(rest + 1, &end, 10);
            rest = end;
        }
        signal = std::strcmp(rest, ":stop") == 0 ? SIGSTOP : SIGKILL;
        left.store(fits ? count : 0);
    }
};

Armed& armed() noexcept {
    static Armed it;
    return it;
}

}  // namespace

void reached(const char* point) noexcept {
    Armed& it = armed();
    if (it.left.load(std::memory_order_relaxed) > 0 && std::strcmp(it.point, point) == 0 &&
        it.left.fetch_sub(1) == 1) {
        (void)::kill(::getpid(), it.signal);
        // Another of its threads may be the first to hear of it: this one goes no further.
        while (it.signal == SIGKILL)
            (void)::pause();
    }
}

void arm(const char* order) noexcept { armed().set(order); }

}  // namespace causeway::fault

#endif
