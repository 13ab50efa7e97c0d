// Waiting for completions: spinning, arming, sleeping, and noticing that the adapter has gone.
#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "client/completion_queue.hpp"
#include "client/deadline.hpp"
#include "client/nap.hpp"
#include "platform/clock.hpp"

namespace causeway::client {
namespace {

constexpr std::uint64_t kAdaptiveSpinNs = 30'000;  // about what a wake-up costs
constexpr std::uint32_t kFirstPolls = 128;
constexpr std::uint32_t kPollsPerLook = 16;    // at the clock, while spinning
constexpr std::uint64_t kLivenessNs = kNapNs;  // between looks at the adapter, while spinning

}  // namespace

int CompletionQueue::wait(cw_completion* out, int most, std::uint64_t timeout_ns,
                          cw_wait how) noexcept {
    int n = poll(out, most);
    if (n != 0 || timeout_ns == 0)
        return n;
    // What comes soon comes without a look at the clock, and without a pause, which takes as long
    // as a message: but not where others want this core.
    if (how != CW_WAIT_BLOCK) {
        const std::uint32_t polls = spinner_.crowded() ? 1 : kFirstPolls;
        for (std::uint32_t i = 0; i < polls; ++i) {
            n = poll(out, most);
            if (n != 0)
                return n;
        }
    }
    const Deadline deadline(timeout_ns);
    if (how == CW_WAIT_SPIN)
        return spin(out, most, deadline.left_ns());
    for (;;) {
        std::uint64_t left = deadline.left_ns();
        if (how == CW_WAIT_ADAPTIVE && left != 0) {
            n = spin(out, most, std::min(left, kAdaptiveSpinNs));
            if (n != 0)
                return n;
            left = deadline.left_ns();
        }
        if (left == 0)
            return 0;
        n = sleep(out, most, left);
        if (n != 0)
            return n;
    }
}

int CompletionQueue::spin(cw_completion* out, int most, std::uint64_t limit_ns) noexcept {
    const Deadline deadline(limit_ns);
    Deadline liveness(kLivenessNs);
    for (std::uint32_t polls = 1;; ++polls) {
        const int n = poll(out, most);
        if (n != 0) {
            spinner_.reset();
            return n;
        }
        spinner_.spin();
        if (polls % kPollsPerLook != 0)
            continue;
        if (deadline.left_ns() == 0)
            return poll(out, most);
        if (liveness.left_ns() == 0) {
            check_liveness();
            liveness = Deadline(kLivenessNs);
        }
    }
}

// One nap at most.
int CompletionQueue::sleep(cw_completion* out, int most, std::uint64_t limit_ns) noexcept {
    if (prepare_sleep() == Look::something)
        return poll(out, most);
    limit_ns = std::min(limit_ns, kNapNs);
    if (const std::uint64_t deadline = first_deadline_ns(); deadline != UINT64_MAX) {
        const std::uint64_t now = platform::monotonic_ns();
        limit_ns = std::min(limit_ns, deadline > now ? deadline - now : 0);
    }
    const Nap nap = this->nap(limit_ns);
    if (nap == Nap::adapter_gone)
        partition_->adapter().note_lost(seen_);
    const int n = poll(out, most);  // wakes first
    if (n != 0 || (nap == Nap::timed_out && peers_.empty()))
        return n;
    // Woken, and no bit or hot ring says why; or a sender's patience has ended.
    return sweep() == Look::something ? poll(out, most) : 0;
}

// On what can wake: while away not the dead adapter's sockets, which would do so at once.
Nap CompletionQueue::nap(std::uint64_t limit_ns) noexcept {
    const Attachment& adapter = partition_->adapter();
    std::array<int, PeerBells::kMostSockets + 1> sockets;
    if (adapter.now() == seen_) {
        const std::size_t count = peers_.sockets(socket_.fd(), sockets);
        return nap_on(std::span(sockets).first(count), adapter.liveness(), limit_ns);
    }
    tend_now_ = true;
    const std::size_t count = peers_.sockets(-1, sockets);
    if (adapter.standing() == Standing::away) {
        adapter.nap(std::span(sockets).first(count), limit_ns);
        return Nap::woken;
    }
    return nap_on(std::span(sockets).first(count), -1, gone_handled_ ? limit_ns : 0);
}

CompletionQueue::Look CompletionQueue::prepare_sleep() noexcept {
    if (undrained_)
        drain();
    for (std::uint32_t i = 0; i < hot_count_; ++i)
        hot_[i]->publish_all_read();
    for (QueuePair* pair : pairs_)
        pair->announce_wait();
    peers_.announce_sleep();
    asleep_ = true;
    // SYNC(doorbell): the fence in here pairs with the adapter's between publishing and loading
    // `asleep` (shm/doorbell.hpp): either the look below sees what was published, or the adapter
    // sees that this side sleeps and sends the byte.
    bell_.announce_sleep();
    peers_.barrier();
    if (bell_.rung() || peers_.rung())
        return Look::something;
    return sweep();
}

// When the first of the senders that wait for their peers gives up.
std::uint64_t CompletionQueue::first_deadline_ns() const noexcept {
    std::uint64_t first = UINT64_MAX;
    for (const QueuePair* pair : pairs_)
        first = std::min(first, pair->deadline_ns());
    return first;
}

// After a sleep or an arming. The bytes that woke from a sleep are taken before the next one: what
// they woke for comes first. A descriptor that the application waits on is made quiet at once.
void CompletionQueue::wake() noexcept {
    asleep_ = false;
    bell_.announce_awake();
    peers_.announce_awake();
    undrained_ = true;
    if (std::exchange(armed_, false))
        drain();
}

void CompletionQueue::drain() noexcept {
    undrained_ = false;
    if (peers_.drain() && socket_.drain() == platform::WakeupSocket::Drained::peer_gone)
        partition_->adapter().note_lost(seen_);
    if (partition_->adapter().now() != seen_) {
        tend_now_ = true;
        (void)tend();  // what it brought is found by who polls next
    }
}

int CompletionQueue::arm() noexcept {
    if (asleep_)
        wake();
    if (partition_->gone()) {
        if (!gone_handled_)
            note_adapter_gone();
        if (!has_survivors())
            return sweep() == Look::something ? 1 : -CW_ERROR_ADAPTER_GONE;
    }
    armed_ = true;
    return prepare_sleep() == Look::something ? 1 : 0;
}

void CompletionQueue::check_liveness() noexcept {
    Attachment& adapter = partition_->adapter();
    if (adapter.now() == seen_ &&
        nap_on(socket_.fd(), adapter.liveness(), 0) == Nap::adapter_gone) {
        adapter.note_lost(seen_);
    }
}

}  // namespace causeway::client
