#include "platform/spinner.hpp"

#include <sched.h>

#include <algorithm>

namespace causeway::platform {

namespace {

// A yield that nobody takes up is one system call; one that somebody does is two switches of
// context.
constexpr std::uint64_t kLonelyYieldNs = 1200;

}  // namespace

void Spinner::yield() noexcept {
    static const std::uint64_t lonely = ns_to_ticks(kLonelyYieldNs);
    const std::uint64_t before = ticks();
    if (until_ != 0 || crowded_) {
        ::sched_yield();
        ++yields_;
        crowded_ = ticks() - before >= lonely;
    }
    stretch_ns_ = until_ == 0 ? kFirstNs : std::min(2 * stretch_ns_, kMostNs);
    until_ = ticks() + ns_to_ticks(stretch_ns_);
}

}  // namespace causeway::platform
