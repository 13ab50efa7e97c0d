// What a completion queue does about an adapter that has died: noticing, driving the return of the
// partition while it polls, seeing peers die meanwhile, and ending what is lost for good.
#include <algorithm>
#include <utility>

#include "client/completion_queue.hpp"
#include "platform/clock.hpp"

namespace causeway::client {
namespace {

constexpr std::uint64_t kLookNs = 50'000'000;  // at the adapter, by who polls without sleeping
constexpr std::uint32_t kMostPolls = 1U << 9;  // empty ones, between looks at the clock: who polled
                                               // all the time may come by seldom from now on
constexpr std::uint64_t kTendNs = 1'000'000;   // between calls of drive()
constexpr std::uint64_t kBellsNs = 5'000'000;  // between looks for peers that have died

}  // namespace

// Comes every look_every_ empty polls. These may be nanoseconds apart, or seconds.
void CompletionQueue::look_around() noexcept {
    const std::uint64_t now = platform::monotonic_ns();
    const std::uint64_t passed = now - looked_ns_;
    if (passed < kLookNs) {
        look_every_ = std::min(2 * look_every_, kMostPolls);
    } else {
        looked_ns_ = now;
        check_liveness();
        look_every_ = std::max(1U, static_cast<std::uint32_t>(look_every_ * kLookNs / passed));
    }
    polls_to_look_ = look_every_;
}

// The adapter is not as it was seen last.
int CompletionQueue::catch_up(cw_completion* out, int most) noexcept {
    const Moment moment = partition_->adapter().now();
    switch (moment.standing()) {
        case Standing::here:
            note_return(moment);
            return poll(out, most);
        case Standing::away:
            return tend() == Look::something ? poll(out, most) : 0;
        case Standing::gone:
            break;
    }
    if (!gone_handled_) {
        note_adapter_gone();
        return poll(out, most);
    }
    if (!has_survivors())
        return -CW_ERROR_ADAPTER_GONE;
    return tend() == Look::something ? poll(out, most) : 0;
}

// Whatever an adapter did last, and did not ring for, is looked at once.
void CompletionQueue::note_return(Moment moment) noexcept {
    seen_ = moment;
    for (QueuePair* pair : pairs_) {
        pair->note_return();
        bring(*pair);
    }
}

// Every pair takes what still stands in its rings, then flushes. Direct connections go on: their
// peers alone can end them now.
void CompletionQueue::note_adapter_gone() noexcept {
    gone_handled_ = true;
    for (QueuePair* pair : pairs_) {
        pair->note_adapter_gone();
        bring(*pair);
    }
    if (!has_survivors())
        return;  // fd() is to stay readable
    peers_.leave(partition_->adapter().pulse());
    peers_.leave(socket_.fd());
}

bool CompletionQueue::has_survivors() const noexcept {
    return std::any_of(pairs_.begin(), pairs_.end(),
                       [](const QueuePair* pair) { return pair->survives_adapter(); });
}

// While the adapter is not here. Is there something to take that was not there before?
CompletionQueue::Look CompletionQueue::tend() noexcept {
    const std::uint64_t now = platform::monotonic_ns();
    const bool at_once = std::exchange(tend_now_, false);
    if (!at_once && now < next_tend_ns_)
        return Look::nothing;
    next_tend_ns_ = now + kTendNs;
    Attachment& adapter = partition_->adapter();
    const Moment before = adapter.now();
    adapter.drive();
    if (adapter.now() != before)
        return Look::something;
    if (!at_once && now < next_bells_ns_)
        return Look::nothing;
    next_bells_ns_ = now + kBellsNs;
    return end_of_peers();
}

// A direct peer that dies is seen here only while no adapter can say so.
CompletionQueue::Look CompletionQueue::end_of_peers() noexcept {
    if (!has_survivors())
        return Look::nothing;
    (void)peers_.drain();
    Look look = Look::nothing;
    for (QueuePair* pair : pairs_) {
        if (!pair->lost_its_peer())
            continue;
        pair->note_peer_gone();
        bring(*pair);
        look = Look::something;
    }
    return look;
}

}  // namespace causeway::client
