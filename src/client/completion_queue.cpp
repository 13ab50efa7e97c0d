#include "client/completion_queue.hpp"

#include <algorithm>
#include <utility>

#include "client/quietly.hpp"
#include "platform/clock.hpp"

namespace causeway::client {
namespace {

using Place = CompletionLink::Place;

constexpr int kBurst = 16;  // completions of one pair in its turn

}  // namespace

Result<std::shared_ptr<CompletionQueue>> CompletionQueue::create(
    std::shared_ptr<Partition> partition) {
    auto queue = std::make_shared<CompletionQueue>(std::move(partition));
    CW_TRY(queue->open());
    return queue;
}

CompletionQueue::CompletionQueue(std::shared_ptr<Partition> partition)
    : guard_(partition->guard()),
      by_bit_(abi::kDoorbellBits),
      partition_(std::move(partition)),
      looked_ns_(platform::monotonic_ns()) {}

Result<void> CompletionQueue::open() {
    Attachment& adapter = partition_->adapter();
    CW_TRY(peers_.open(adapter.pulse()));
    CW_TRY_ASSIGN(OpenedDoorbell bell,
                  partition_->open_doorbell(abi::DoorbellKind::completions, 0));
    is_open_ = true;  // from here on the destructor gives it back
    seen_ = Moment(Standing::here, bell.epoch);
    page_ = std::move(bell.page);
    bell_ = shm::DoorbellWaiter(page_.at<abi::DoorbellLayout>());
    socket_ = std::move(bell.socket);
    bell_id_ = bell.id;
    return adapter.watch(bell_id_, socket_.fd(), peers_.fd());
}

CompletionQueue::~CompletionQueue() {
    if (!here()) {  // a forked child
        (void)page_.release();
        (void)socket_.release().release();
        peers_.abandon();
        return;
    }
    peers_.close(*partition_);
    if (is_open_)
        partition_->close_doorbell(bell_id_);
}

Result<void> CompletionQueue::add(QueuePair& pair) {
    if (by_bit_[pair.ready_bit()] != nullptr) {
        return fail_format(ErrorCode::protocol,
                           "the adapter gave ready bit %u to two queue pairs of a completion queue",
                           pair.ready_bit());
    }
    pair.link.index = static_cast<std::uint32_t>(pairs_.size());
    pairs_.push_back(&pair);
    by_bit_[pair.ready_bit()] = &pair;
    bring(pair);  // whatever it was rung for before it was known here
    return {};
}

void CompletionQueue::remove(QueuePair& pair) noexcept {
    if (pair.link.index >= pairs_.size() || pairs_[pair.link.index] != &pair)
        return;
    if (pair.link.place == Place::hot)
        leave_hot(pair);
    if (pair.link.place == Place::pending)
        leave_pending(pair);
    by_bit_[pair.ready_bit()] = nullptr;
    pairs_[pair.link.index] = pairs_.back();
    pairs_[pair.link.index]->link.index = pair.link.index;
    pairs_.pop_back();
}

inline int CompletionQueue::take_hot(cw_completion* out, int most) noexcept {
    const int burst = hot_count_ <= 1 ? most : std::min(most, kBurst);
    int n = 0;
    // From a copy of the count on: a pair that cools closes the gap behind it.
    for (std::uint32_t left = hot_count_; left != 0 && n < most; --left) {
        next_hot_ = next_hot_ + 1 < hot_count_ ? next_hot_ + 1 : 0;
        QueuePair& pair = *hot_[next_hot_];
        const int got = pair.quiet() ? 0 : pair.take(out + n, std::min(burst, most - n));
        n += got;
        if (got != 0) {
            pair.link.idle_polls = 0;
        } else if (++pair.link.idle_polls >= kIdlePolls) {
            cool(pair);
            if (hot_count_ == 0)
                break;
        }
    }
    return n;
}

int CompletionQueue::poll(cw_completion* out, int most) noexcept {
    if (asleep_)
        wake();
    if (bell_.rung() || peers_.look())
        collect_rung();
    // Cold pairs that were rung for get every other turn, or busy hot ones would starve them.
    pending_first_ = !pending_first_;
    int n = 0;
    if (first_pending_ != nullptr && pending_first_)
        n = take_pending(out, most);
    if (n < most)
        n += take_hot(out + n, most - n);
    if (first_pending_ != nullptr && n < most)
        n += take_pending(out + n, most - n);
    return n != 0 ? n : empty_poll(out, most);
}

int CompletionQueue::empty_poll(cw_completion* out, int most) noexcept {
    if (--polls_to_look_ == 0)
        look_around();
    return partition_->adapter().now() == seen_ ? 0 : catch_up(out, most);
}

// Takes the bits that were set and brings their pairs in.
void CompletionQueue::collect_rung() noexcept {
    const auto bring_rung = [this](std::uint32_t bit) {
        if (QueuePair* pair = by_bit_[bit]; pair != nullptr)
            bring(*pair);
    };
    bell_.take(bring_rung);
    peers_.take(bring_rung);
}

// Something may be there for `pair`, its state included.
void CompletionQueue::bring(QueuePair& pair) noexcept {
    pair.note_change();
    if (pair.link.place != Place::cold)
        return;
    if (hot_count_ < kMostHot) {
        heat(pair);
    } else {
        push_pending(pair);
    }
}

void CompletionQueue::heat(QueuePair& pair) noexcept {
    pair.set_polled(true);
    pair.link.place = Place::hot;
    pair.link.idle_polls = 0;
    hot_[hot_count_++] = &pair;
}

// Gives up polling a pair that had nothing for long. If something comes in between, it stays hot.
void CompletionQueue::cool(QueuePair& pair) noexcept {
    pair.publish_all_read();
    pair.set_polled(false);
    if (stays_cold(pair)) {
        leave_hot(pair);
    } else {
        pair.set_polled(true);
        pair.link.idle_polls = 0;
    }
}

// Nobody polls the pair any more, and its memory says so: has nothing come in between?
bool CompletionQueue::stays_cold(QueuePair& pair) noexcept {
    pair.announce_wait();
    // SYNC(polled): pairs with the executor's fence between publishing a completion and loading
    // `polled` (adapter/end.cpp): either this second look sees the completion, or the executor sees
    // that it must set the ready bit. Without the fence both could miss each other.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    peers_.barrier();
    return !pair.ready();
}

void CompletionQueue::leave_hot(QueuePair& pair) noexcept {
    const auto end = hot_.begin() + hot_count_;
    std::copy(std::find(hot_.begin(), end, &pair) + 1, end, std::find(hot_.begin(), end, &pair));
    hot_[--hot_count_] = nullptr;
    pair.set_polled(false);
    pair.link.place = Place::cold;
}

void CompletionQueue::push_pending(QueuePair& pair) noexcept {
    pair.link.place = Place::pending;
    pair.link.next_pending = nullptr;
    (first_pending_ == nullptr ? first_pending_ : last_pending_->link.next_pending) = &pair;
    last_pending_ = &pair;
}

void CompletionQueue::leave_pending(QueuePair& pair) noexcept {
    QueuePair* before = nullptr;
    for (QueuePair* at = first_pending_; at != &pair; at = at->link.next_pending)
        before = at;
    (before == nullptr ? first_pending_ : before->link.next_pending) = pair.link.next_pending;
    if (last_pending_ == &pair)
        last_pending_ = before;
    pair.link.next_pending = nullptr;
    pair.link.place = Place::cold;
}

std::shared_ptr<PeerMemory> CompletionQueue::peer_memory(std::uint32_t session) {
    std::erase_if(peer_memories_, [](const auto& entry) { return entry.second.expired(); });
    auto memory = peer_memories_[session].lock();
    if (!memory) {
        memory = std::make_shared<PeerMemory>();
        peer_memories_[session] = memory;
    }
    return memory;
}

// A pair leaves the list when its rings were found empty: whatever comes later sets its bit again.
int CompletionQueue::take_pending(cw_completion* out, int most) noexcept {
    int n = 0;
    QueuePair* const last = last_pending_;
    while (first_pending_ != nullptr && n < most) {
        QueuePair& pair = *first_pending_;
        const int wanted = std::min(kBurst, most - n);
        const int got = pair.take(out + n, wanted);
        n += got;
        leave_pending(pair);
        // Perhaps there is more, or it waits for a peer that was not told: to the end of the list.
        if (got == wanted || (pair.waits() && !stays_cold(pair)))
            push_pending(pair);
        if (&pair == last)
            break;
    }
    return n;
}

// Looks at every ring of every pair. Only what the rings and states say counts.
CompletionQueue::Look CompletionQueue::sweep() noexcept {
    Look look = Look::nothing;
    for (QueuePair* pair : pairs_) {
        if (!pair->ready())
            continue;
        look = Look::something;
        bring(*pair);
    }
    return look;
}

}  // namespace causeway::client
