#include "platform/spinner.hpp"

#include <sched.h>

#include <algorithm>

namespace causeway::platform {

namespace {

// A yield that nobody takes up is one system call; one that somebody does is two switches of
// context.
constexpr std::uint64_t kLonelyYieldNs = 1200;

}  // namespace

void Spinner::give_away() noexcept {
    static const std::uint64_t lonely = ns_to_ticks(kLonelyYieldNs);
    const std::uint64_t before = ticks();
    ::sched_yield();
    ++yields_;
    crowded_ = ticks() - before >= lonely;
}

void Spinner::yield() noexcept {
    if (until_ != 0 || crowded_)
        give_away();
    stretch_ns_ = until_ == 0 ? kFirstNs : std::min(2 * stretch_ns_, kMostNs);
    until_ = ticks() + ns_to_ticks(stretch_ns_);
}

void Spinner::yield_work() noexcept {
    give_away();
    work_until_ = ticks() + ns_to_ticks(crowded_ ? kWorkNs : kMostNs);
}

}  // namespace causeway::platform
