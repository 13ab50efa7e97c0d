#include "platform/spinner.hpp"

#include <sched.h>

#include <algorithm>

#include "platform/clock.hpp"

namespace causeway::platform {

namespace {

// A yield that nobody takes up is one system call; one that somebody does is two switches of
// context.
constexpr std::uint64_t kLonelyYieldNs = 1200;

}  // namespace

void Spinner::yield() noexcept {
    static const std::uint64_t lonely = ns_to_ticks(kLonelyYieldNs);
    const std::uint64_t before = ticks();
    ::sched_yield();
    const std::uint64_t took = ticks() - before;
    ++yields_;
    stretch_ = took < lonely ? std::min(stretch_ * 2, kMostPolls) : kLeastPolls;
    polls_ = 0;
}

}  // namespace causeway::platform
